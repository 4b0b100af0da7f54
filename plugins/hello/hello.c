/*
 * hello: a plugin to start from. `new-plugin NAME` copies this file.
 *
 * It has what most plugins have: two routes (one reads the path, one reads a body), options from
 * the config file, a state, a metric and an error. The host checks paths, queries and bodies
 * against the rows below before it calls a handler.
 */
#include <greenroom/plugin.h>

#include <jansson.h>
#include <stdlib.h>

/* Options: the member "config" of plugins.d/hello.json, parsed and checked by the host. */
struct hello_options {
    const char *greeting;
    int64_t names_max;
};

static const struct gr_option options[] = {
    GR_OPTION(hello_options, greeting, GR_OPT_STRING, "Hello", "Word before the name"),
    GR_OPTION(hello_options, names_max, GR_OPT_INT, "10", "Maximum number of names in a request",
              .range = GR_RANGE(1, 100)),
    GR_END,
};

/* State: made by init and found in call->state. Handlers only read it, so it needs no lock. */
struct hello {
    const struct hello_options *options;
};

static enum gr_err greet_one(struct gr_call *call)
{
    const struct hello *hello = call->state;
    gr_str name = gr_param(call, "name");

    gr_metric_add(call->self, "greetings_total", NULL, 1);
    return gr_reply_json(
        call, 200,
        json_pack("{s:s, s:s%}", "greeting", hello->options->greeting, "name", name.ptr, name.len));
}

static enum gr_err greet_all(struct gr_call *call)
{
    const struct hello *hello = call->state;
    const json_t *names = json_object_get(gr_json(call), "names");
    size_t count = json_array_size(names);

    if (count > (size_t)hello->options->names_max)
        return gr_fail(call, GR_ERR_UNPROCESSABLE, "at most %lld names at once",
                       (long long)hello->options->names_max);
    gr_metric_add(call->self, "greetings_total", NULL, (int64_t)count);
    return gr_reply_json(
        call, 200, json_pack("{s:s, s:O}", "greeting", hello->options->greeting, "names", names));
}

static const struct gr_field one_params[] = {
    GR_FIELD("name", GR_STRING, "Name to greet", .range = GR_RANGE(1, 40)),
    GR_END,
};

static const struct gr_field all_body[] = {
    GR_FIELD("names", GR_ARRAY, "Names to greet", .flags = GR_FIELD_REQUIRED,
             .items = GR_ITEM(GR_STRING, .range = GR_RANGE(1, 40))),
    GR_END,
};

static const struct gr_answer one_answers[] = {
    {200, "The greeting", GR_BODY(GR_OBJECT), "{\"greeting\": \"Hello\", \"name\": \"Ada\"}"},
    GR_END,
};

static const struct gr_answer all_answers[] = {
    {200, "The greeting", GR_BODY(GR_OBJECT), "{\"greeting\": \"Hello\", \"names\": [\"Ada\"]}"},
    {422, "More names than the option names_max allows", NULL, NULL},
    GR_END,
};

/* A route is a row. A route that only forwards a request to an upstream needs no function:
 *     GR_GET("/things/{id}", "things.get", "Fetch one thing", .scope = "things:read",
 *            .forward = GR_FORWARD("api", "/things/{id}")),
 */
static const struct gr_route routes[] = {
    GR_GET("/hello/{name}", "hello.one", "Greet one", .scope = "hello:read", .params = one_params,
           .handle = greet_one, .answers = one_answers),
    GR_POST("/hello", "hello.all", "Greet several", .scope = "hello:write",
            .body = GR_BODY(GR_OBJECT, .fields = all_body, .flags = GR_FIELD_REQUIRED),
            .handle = greet_all, .answers = all_answers),
    GR_END,
};

static const struct gr_metric metrics[] = {
    {"greetings_total", GR_COUNTER, "Names greeted", NULL},
    GR_END,
};

static enum gr_err init(struct gr_self *self, const void *parsed, void **ret_state)
{
    struct hello *hello = calloc(1, sizeof(*hello));

    if (!hello)
        return GR_ERR_NO_MEMORY;
    hello->options = parsed;
    gr_log_self(self, GR_LOG_DEBUG, "greets with '%s'", hello->options->greeting);
    *ret_state = hello;
    return GR_OK;
}

static void fini(struct gr_self *self, void *state)
{
    (void)self;
    free(state);
}

GR_PLUGIN("hello", .version = "1.0.0", .summary = "An example that greets", .licence = "MIT",
          .routes = routes, .options = options, .options_size = sizeof(struct hello_options),
          .metrics = metrics, .init = init, .fini = fini)
