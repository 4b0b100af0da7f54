/* A plugin with routes in two tables, which share one handler that tells them apart by their data,
 * and with routes that call the small services of the host. */
#include <greenroom/plugin.h>

#include <jansson.h>
#include <stdlib.h>

struct state {
    gr_str secret;
    const char *hook_path;
};

struct options {
    const char *hook;
};

static const struct gr_option option_rows[] = {
    GR_OPTION_AS("hook-url", options, hook, GR_OPT_STRING, "http://127.0.0.1:1/a/b?",
                 "Target of a hook"),
    GR_END,
};

/* Answers with the text in the row's .data. */
static enum gr_err say(struct gr_call *call)
{
    return gr_reply_json(call, 200,
                         json_pack("{s:s}", "said", (const char *)gr_route_of(call)->data));
}

static enum gr_err bearer(struct gr_call *call)
{
    return gr_reply(call, 200, "text/plain", gr_bearer(call));
}

static enum gr_err hex(struct gr_call *call)
{
    gr_str text = gr_param(call, "text");
    unsigned char bytes[4] = {0};
    char again[9];
    bool good = gr_unhex(call->host, text, bytes, sizeof(bytes));

    gr_hex(call->host, bytes, sizeof(bytes), again);
    return gr_reply_json(call, 200, json_pack("{s:b, s:s}", "good", good, "again", again));
}

static enum gr_err segment(struct gr_call *call)
{
    return gr_reply(call, 200, "text/plain", gr_str_of(gr_segment(call, gr_query(call, "text"))));
}

/* Answers whether the host lets the plugin set a header of this name and value. */
static enum gr_err header(struct gr_call *call)
{
    const json_t *name = json_object_get(gr_json(call), "name");
    const json_t *value = json_object_get(gr_json(call), "value");
    enum gr_err err =
        gr_reply_header(call, json_string_value(name),
                        (gr_str){json_string_value(value), json_string_length(value)});

    return gr_reply_json(call, 200, json_pack("{s:b}", "taken", err == GR_OK));
}

static enum gr_err type(struct gr_call *call)
{
    return gr_reply_json(call, 200, json_pack("{s:b}", "json", gr_body_is_json(call)));
}

static enum gr_err time_of(struct gr_call *call)
{
    int64_t ms = 0;
    bool good = gr_time_ms(call->host, gr_query(call, "text"), &ms);

    return gr_reply_json(call, 200, json_pack("{s:b, s:I}", "good", good, "ms", (json_int_t)ms));
}

static enum gr_err json_text(struct gr_call *call)
{
    return gr_reply(call, 200, "text/plain", gr_json_text(call, gr_json(call)));
}

static enum gr_err secret(struct gr_call *call)
{
    const struct state *state = call->state;

    return gr_reply_json(call, 200,
                         json_pack("{s:s%, s:s}", "secret", state->secret.ptr, state->secret.len,
                                   "path", state->hook_path));
}

static enum gr_err store(struct gr_call *call)
{
    enum gr_err err = gr_store_exec(call, "INSERT INTO services_t (id, n) VALUES (?1, ?2)",
                                    GR_PARAMS(gr_v_text("a"), gr_v_int(gr_now_ms(call->host))));

    if (err == GR_OK)
        err = gr_store_exec(call, "DELETE FROM services_t", GR_NO_PARAMS);
    return err == GR_OK ? gr_reply(call, 200, "text/plain", GR_STR("stored")) : err;
}

static enum gr_err store_inside(struct gr_call *call, void *arg)
{
    (void)arg;
    return store(call);
}

static enum gr_err transaction(struct gr_call *call)
{
    return gr_store_tx(call, store_inside, NULL);
}

static enum gr_err both(struct gr_call *call)
{
    const struct gr_upstream_request requests[] = {
        {.upstream = "api", .method = GR_METHOD_GET, .path = "/first"},
        {.upstream = "api", .method = GR_METHOD_GET, .path = "/second/a-marked-secret"},
    };
    struct gr_upstream_reply replies[2];
    enum gr_err err = gr_upstream(call, requests, replies, 2);

    return err == GR_OK ? gr_reply(call, 200, "text/plain", GR_STR("both")) : err;
}

static const struct gr_route first[] = {
    GR_GET("/services/one", "services.one", "One", .access = GR_ACCESS_OPEN, .handle = say,
           .data = "the first table"),
    GR_END,
};

static const struct gr_route second[] = {
    GR_GET("/services/two", "services.two", "Two", .access = GR_ACCESS_OPEN, .handle = say,
           .data = "the second table"),
    GR_GET("/services/bearer", "services.bearer", "The token", .access = GR_ACCESS_OPEN,
           .handle = bearer),
    GR_GET("/services/hex/{text}", "services.hex", "Four bytes", .access = GR_ACCESS_OPEN,
           .handle = hex),
    GR_GET("/services/segment", "services.segment", "An encoded segment", .access = GR_ACCESS_OPEN,
           .handle = segment),
    GR_POST("/services/header", "services.header", "A header", .access = GR_ACCESS_OPEN,
            .body = GR_BODY(GR_ANY), .handle = header),
    GR_POST("/services/type", "services.type", "The type of the body", .access = GR_ACCESS_OPEN,
            .flags = GR_ROUTE_ANY_CONTENT_TYPE, .handle = type),
    GR_GET("/services/time", "services.time", "A time", .access = GR_ACCESS_OPEN,
           .handle = time_of),
    GR_POST("/services/json", "services.json", "The body again", .access = GR_ACCESS_OPEN,
            .body = GR_BODY(GR_ANY), .handle = json_text),
    GR_GET("/services/secret", "services.secret", "What init made", .access = GR_ACCESS_OPEN,
           .handle = secret),
    GR_POST("/services/store", "services.store", "A row comes and goes", .access = GR_ACCESS_OPEN,
            .handle = store),
    GR_POST("/services/transaction", "services.transaction", "The same in a transaction",
            .access = GR_ACCESS_OPEN, .handle = transaction),
    GR_GET("/services/both", "services.both", "Two calls at a time", .access = GR_ACCESS_OPEN,
           .handle = both),
    GR_END,
};

static const struct gr_migration steps[] = {
    {1, "first", "CREATE TABLE services_t (id TEXT PRIMARY KEY, n BIGINT)", NULL},
    GR_END,
};

static enum gr_err init(struct gr_self *self, const void *arg, void **ret_state)
{
    const struct options *options = arg;
    struct state *state = calloc(1, sizeof(*state));

    if (!state)
        return GR_ERR_NO_MEMORY;
    state->secret = gr_state_secret(self, "services.secret");
    enum gr_err err =
        gr_upstream_define_url(self, "services/hook", options->hook, NULL, &state->hook_path);
    if (err == GR_OK && !state->secret.ptr)
        err = GR_ERR_INTERNAL;
    if (err == GR_OK)
        *ret_state = state;
    else
        free(state);
    return err;
}

static void fini(struct gr_self *self, void *state)
{
    (void)self;
    free(state);
}

GR_PLUGIN("services", .version = "1.0.0", .summary = "What the host offers", .licence = "MIT",
          .route_tables = GR_ROUTE_TABLES(first, second), .options = option_rows,
          .options_size = sizeof(struct options), .migrations = steps, .migrations_name = "shared",
          .init = init, .fini = fini)
