/* A plugin with every kind of function. A request or an option tells it where to end its
 * process. */
#include <greenroom/plugin.h>

#include <jansson.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#define LARGE_BYTES ((size_t)3 * 1024 * 1024)

struct options {
    const char *secret;
    const char *init;
};

static const struct gr_option option_rows[] = {
    GR_OPTION(options, secret, GR_OPT_SECRET, NULL, "What callers show", .required = true),
    GR_OPTION(options, init, GR_OPT_STRING, "fine", "How init goes",
              .values = GR_LIST("fine", "fails", "faults")),
    GR_END,
};

struct state {
    const struct options *options;
};

static void write_through_null(void)
{
    volatile int *volatile nowhere = NULL;

    *nowhere = 1;
}

/* --- who may, and with what --- */

static enum gr_err authenticate(struct gr_call *call)
{
    const struct state *state = call->state;
    const struct gr_account account = {GR_STR("ada"), GR_STR("example.org")};

    if (!gr_secret_equal(call->host, gr_bearer(call), gr_str_of(state->options->secret)))
        return gr_fail(call, GR_ERR_UNAUTHORIZED, "wrong secret");
    return gr_set_caller_account(call, &account);
}

static enum gr_err admit(struct gr_call *call)
{
    if (gr_str_eq(gr_header(call, "X-Admit"), GR_STR("no")))
        return gr_fail_with(call, &(const struct gr_error){.err = GR_ERR_FORBIDDEN,
                                                           .status = 418,
                                                           .code = 7,
                                                           .type = "teapot",
                                                           .message = "not for you"});
    return GR_OK;
}

/* Accepts every value but "bad". */
static enum gr_err check_word(struct gr_call *call, const json_t *parent, const json_t *value)
{
    (void)parent;
    if (strcmp(json_string_value(value), "bad") == 0)
        return gr_invalid(call, "", GR_PROBLEM_VALUE, "a word other than bad");
    return GR_OK;
}

static json_t *render_error(struct gr_call *call, const struct gr_error *error)
{
    json_t *problems = json_array();

    for (size_t i = 0; i < error->problem_count; i++)
        json_array_append_new(problems, json_string(error->problems[i].where));
    return json_pack("{s:{s:i, s:i, s:s, s:s, s:s%, s:o, s:i}}", "trouble", "status", error->status,
                     "code", error->code, "type", error->type, "text", error->message, "id",
                     gr_request_id(call).ptr, gr_request_id(call).len, "problems", problems, "pid",
                     (int)getpid());
}

/* --- handlers --- */

static json_t *text(gr_str value)
{
    return json_stringn(value.len ? value.ptr : "", value.len);
}

/* Answers with all that a handler can see of its call. */
static enum gr_err echo(struct gr_call *call)
{
    const struct gr_account account = gr_caller_account(call);
    size_t count = 0;
    const struct gr_pair *pairs = gr_query_all(call, &count);
    json_t *query = json_array();

    for (size_t i = 0; i < count; i++)
        json_array_append_new(query,
                              json_pack("[o, o]", text(pairs[i].name), text(pairs[i].value)));
    gr_metric_add(call->self, "echoes_total", "plain", 1);
    (void)gr_reply_header(call, "X-Echo", GR_STR("yes"));
    return gr_reply_json(
        call, 201,
        json_pack("{s:i, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:O?, s:o, s:o, s:o, s:o}", "pid",
                  (int)getpid(), "route", gr_route_of(call)->id, "path", text(gr_path(call)),
                  "word", text(gr_param(call, "word")), "query", query, "header",
                  text(gr_header(call, "x-some")), "body", text(gr_body(call)), "peer",
                  text(gr_peer(call)), "json", gr_json(call), "id", text(gr_request_id(call)),
                  "caller", text(gr_caller(call)), "label", text(account.label), "audience",
                  text(account.audience)));
}

static enum gr_err large(struct gr_call *call)
{
    char *bytes = gr_alloc(call, LARGE_BYTES);

    if (!bytes)
        return gr_fail(call, GR_ERR_NO_MEMORY, "no memory for the answer");
    memset(bytes, 'x', LARGE_BYTES);
    return gr_reply(call, 200, "text/plain", (gr_str){bytes, LARGE_BYTES});
}

static enum gr_err pid(struct gr_call *call)
{
    return gr_reply_json(call, 200,
                         json_pack("{s:i, s:i}", "pid", (int)getpid(), "parent", (int)getppid()));
}

/* Never returns. */
static void hang(void)
{
    for (;;)
        (void)poll(NULL, 0, -1);
}

static void spin(void)
{
    for (volatile unsigned turns = 0;; turns++)
        ;
}

/* Allocates more memory than the process may have. */
static enum gr_err eat(struct gr_call *call)
{
    size_t eaten = 0;
    char *block;

    do {
        block = malloc((size_t)1024 * 1024);
        if (block)
            memset(block, 1, (size_t)1024 * 1024);
        eaten++;
    } while (block && eaten < 4096);
    if (block)
        return gr_fail(call, GR_ERR_CONFLICT, "there is no limit");
    write_through_null();
    return GR_OK;
}

static enum gr_err end(struct gr_call *call)
{
    const char *how = gr_param(call, "how").ptr;

    if (strcmp(how, "null") == 0)
        write_through_null();
    else if (strcmp(how, "hang") == 0)
        hang();
    else if (strcmp(how, "spin") == 0)
        spin();
    else if (strcmp(how, "exit") == 0)
        exit(7);
    else if (strcmp(how, "eat") == 0)
        return eat(call);
    else if (strcmp(how, "files") == 0)
        return gr_reply_json(call, 200, json_pack("{s:i}", "limit", (int)sysconf(_SC_OPEN_MAX)));
    return GR_OK;
}

static const struct gr_field word_rows[] = {
    GR_FIELD("word", GR_STRING, "A word", .check = check_word), GR_END};
static const struct gr_field body_rows[] = {
    GR_FIELD("word", GR_STRING, "A word", .flags = GR_FIELD_REQUIRED, .check = check_word),
    GR_FIELD("size", GR_INT, "A size", .range = GR_RANGE(1, 5)),
    GR_END,
};

static const struct gr_route routes[] = {
    GR_POST("/isolated/echo/{word}", "isolated.echo", "Tell what came", .access = GR_ACCESS_GROUP,
            .admit = admit, .handle = echo, .params = word_rows, .query = word_rows,
            .body = GR_BODY(GR_OBJECT, .fields = body_rows)),
    GR_POST("/isolated/forward", "isolated.forward", "Forward what passes the check",
            .access = GR_ACCESS_OPEN, .forward = GR_FORWARD("api", "/things"),
            .body = GR_BODY(GR_OBJECT, .fields = body_rows)),
    GR_GET("/isolated/plain", "isolated.plain", "Forward", .access = GR_ACCESS_OPEN,
           .forward = GR_FORWARD("api", "/plain")),
    GR_GET("/isolated/own", "isolated.own", "Forward from the handler", .access = GR_ACCESS_OPEN,
           .forward = GR_FORWARD("api", "/own"), .handle = gr_forward),
    GR_POST("/isolated/own", "isolated.write", "Write from the handler", .access = GR_ACCESS_OPEN,
            .forward = GR_FORWARD("api", "/plain"), .handle = gr_forward),
    GR_GET("/isolated/large", "isolated.large", "Answer at length", .access = GR_ACCESS_OPEN,
           .handle = large),
    GR_GET("/isolated/pid", "isolated.pid", "Tell the process", .access = GR_ACCESS_OPEN,
           .handle = pid),
    GR_GET("/isolated/end/{how}", "isolated.end", "End the process", .access = GR_ACCESS_OPEN,
           .handle = end),
    GR_END,
};

/* --- the rest --- */

static enum gr_err tick(struct gr_call *call)
{
    gr_metric_add(call->self, "ticks_total", NULL, 1);
    return gr_store_exec(call, "UPDATE isolated_ticks SET count = count + 1", GR_NO_PARAMS);
}

static const struct gr_timer timers[] = {{.name = "tick", .interval_ms = 20, .run = tick}, GR_END};

static const struct gr_metric metrics[] = {
    {"echoes_total", GR_COUNTER, "Echoes", "kind"},
    {"ticks_total", GR_COUNTER, "Ticks", NULL},
    {"instances", GR_GAUGE, "Instances", NULL},
    GR_END,
};

static const struct gr_migration migrations[] = {
    {1, "ticks",
     "CREATE TABLE isolated_ticks (count INTEGER NOT NULL);"
     "INSERT INTO isolated_ticks (count) VALUES (0)",
     NULL},
    GR_END,
};

static enum gr_err ready(struct gr_call *call)
{
    return call->state ? GR_OK : gr_fail(call, GR_ERR_OVERLOAD, "no state");
}

static enum gr_err init(struct gr_self *self, const void *parsed, void **ret_state)
{
    const struct options *options = parsed;
    struct state *state = calloc(1, sizeof(*state));

    if (strcmp(options->init, "faults") == 0)
        write_through_null();
    if (!state || strcmp(options->init, "fails") == 0) {
        free(state);
        gr_log_self(self, GR_LOG_ERROR, "told to fail");
        return GR_ERR_INVALID;
    }
    state->options = options;
    gr_metric_add(self, "instances", NULL, 1);
    gr_log_self(self, GR_LOG_WARN, "init in process %d of %d", (int)getpid(), (int)getppid());
    *ret_state = state;
    return GR_OK;
}

static void fini(struct gr_self *self, void *state)
{
    gr_log_self(self, GR_LOG_WARN, "fini in process %d", (int)getpid());
    free(state);
}

static const char *const owns[] = {"/isolated", NULL};

GR_PLUGIN("isolated", .version = "1.2.3", .summary = "Ends where it is told to", .licence = "MIT",
          .routes = routes, .options = option_rows, .options_size = sizeof(struct options),
          .timers = timers, .metrics = metrics, .migrations = migrations, .owns = owns,
          .authenticate = authenticate, .render_error = render_error, .init = init, .fini = fini,
          .ready = ready)
