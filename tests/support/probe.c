/* probe: a group for tests of the server, whose routes wait, echo, send large
 * answers, or stop in the middle of one. */
#include <greenroom/plugin.h>

#include "account/authn.h"
#include "account/authz.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static long number(struct gr_call *call, const char *name)
{
    return strtol(gr_param(call, name).ptr, NULL, 10);
}

static enum gr_err wait_a_while(struct gr_call *call)
{
    long ms = number(call, "ms");
    struct timespec pause = {ms / 1000, ms % 1000 * 1000000L};

    nanosleep(&pause, NULL);
    return gr_reply_json(call, 200, json_pack("{s:i}", "waited_ms", (int)ms));
}

static enum gr_err echo(struct gr_call *call)
{
    return gr_reply(call, 200, "application/octet-stream", gr_body(call));
}

static enum gr_err count_members(struct gr_call *call)
{
    return gr_reply_json(call, 200,
                         json_pack("{s:i}", "members", (int)json_object_size(gr_json(call))));
}

static enum gr_err be_large(struct gr_call *call)
{
    size_t size = (size_t)number(call, "bytes");
    char *bytes = gr_alloc(call, size + 1);

    if (!bytes)
        return gr_fail(call, GR_ERR_NO_MEMORY, "too large");
    memset(bytes, 'x', size);
    return gr_reply(call, 200, "text/plain", (gr_str){bytes, size});
}

static enum gr_err stop_short(struct gr_call *call)
{
    gr_reply_cut(call, (size_t)number(call, "bytes"));
    return gr_reply(call, 200, "text/plain", GR_STR("0123456789"));
}

static enum gr_err nothing(struct gr_call *call)
{
    (void)call;
    return GR_OK;
}

static enum gr_err tick(struct gr_call *call)
{
    gr_log(call, GR_LOG_INFO, "probe ticks");
    return GR_OK;
}

static enum gr_err wake(struct gr_call *call)
{
    gr_timer_wake(call->self, "tick");
    return GR_OK;
}

/* --- accounts and their rights, as minigroups checks them --- */

struct options {
    const json_t *authn;
    const json_t *authz;
    int64_t authz_cache;
};

struct state {
    struct mini_authn *authn;
    struct mini_authz *authz;
};

#define LIST GR_BODY(GR_ARRAY, .items = GR_ITEM(GR_OBJECT))

static const struct gr_option option_rows[] = {
    GR_OPTION(options, authn, GR_OPT_JSON, NULL, "Who makes tokens", .json = LIST),
    GR_OPTION(options, authz, GR_OPT_JSON, NULL, "Who may do what", .json = LIST),
    GR_OPTION(options, authz_cache, GR_OPT_MS, "0", "How long answers are remembered"),
    GR_END,
};

static const char *bearer(struct gr_call *call, const char *audience)
{
    return gr_format(call, "probe for %s", audience);
}

static void fini(struct gr_self *self, void *arg)
{
    struct state *state = arg;

    mini_authz_free(state->authz);
    mini_authn_free(self, state->authn);
    free(state);
}

static enum gr_err init(struct gr_self *self, const void *arg, void **ret_state)
{
    const struct options *options = arg;
    struct state *state = calloc(1, sizeof(*state));

    if (!state)
        return GR_ERR_NO_MEMORY;
    state->authn = mini_authn_new(self, options->authn, GR_STR(""));
    state->authz =
        mini_authz_new(self, "probe.svc.org", options->authz, options->authz_cache, bearer);
    if (!state->authn || !state->authz) {
        fini(self, state);
        return GR_ERR_INVALID;
    }
    *ret_state = state;
    return GR_OK;
}

static enum gr_err authenticate(struct gr_call *call)
{
    const struct state *state = call->state;
    gr_str token = gr_header(call, "Authorization");
    const char *reason = NULL;
    struct gr_account account;

    if (token.len < 7)
        return gr_fail(call, GR_ERR_UNAUTHORIZED, "there is no token");
    token = (gr_str){token.ptr + 7, token.len - 7};
    if (mini_authn_check(call, state->authn, token, &account, &reason) != GR_OK)
        return gr_fail(call, GR_ERR_UNAUTHORIZED, "%s", reason);
    return gr_set_caller_account(call, &account);
}

static enum gr_err may(struct gr_call *call)
{
    static const char *const verdicts[] = {"denied", "allowed", "undecided"};
    const struct state *state = call->state;
    const char *const object[] = {"things", gr_param(call, "thing").ptr, NULL};
    const struct mini_intent intent = {gr_caller_account(call), object, "read"};
    enum mini_verdict verdict =
        mini_authz_check(call, state->authz, gr_param(call, "audience").ptr, &intent);

    gr_str caller = gr_caller(call);

    return gr_reply_json(
        call, 200,
        json_pack("{s:s%, s:s}", "account", caller.ptr, caller.len, "verdict", verdicts[verdict]));
}

static const struct gr_field number_row[] = {
    GR_FIELD("ms", GR_INT, "How long", .range = GR_RANGE(0, 60000)),
    GR_END,
};

static const struct gr_route routes[] = {
    GR_GET("/probe/wait/{ms}", "probe.wait", "Answer after a while", .access = GR_ACCESS_OPEN,
           .params = number_row, .handle = wait_a_while),
    GR_GET("/probe/large/{bytes}", "probe.large", "Answer with many bytes",
           .access = GR_ACCESS_OPEN, .handle = be_large),
    GR_GET("/probe/cut/{bytes}", "probe.cut", "Stop in the middle of the answer",
           .access = GR_ACCESS_OPEN, .handle = stop_short),
    GR_GET("/probe/secret/{key}", "probe.secret", "Keep the path out of the log",
           .access = GR_ACCESS_OPEN, .handle = nothing, .flags = GR_ROUTE_HIDDEN_PATH),
    GR_POST("/probe/echo", "probe.echo", "Send the body back", .access = GR_ACCESS_OPEN,
            .handle = echo, .flags = GR_ROUTE_RAW_BODY),
    GR_POST("/probe/json", "probe.json", "Count the members of an object", .access = GR_ACCESS_OPEN,
            .body = GR_BODY(GR_OBJECT), .handle = count_members),
    GR_POST("/probe/small", "probe.small", "Take a small body", .access = GR_ACCESS_OPEN,
            .handle = echo, .flags = GR_ROUTE_RAW_BODY, .body_max_bytes = 100),
    GR_POST("/probe/ample", "probe.ample", "Take a body larger than the server's limit",
            .access = GR_ACCESS_OPEN, .handle = echo, .flags = GR_ROUTE_RAW_BODY,
            .body_max_bytes = 100000),
    GR_GET("/probe/may/{audience}/{thing}", "probe.may", "Tell what the caller may",
           .access = GR_ACCESS_GROUP, .handle = may),
    GR_POST("/probe/none", "probe.none", "Take no body", .access = GR_ACCESS_OPEN,
            .handle = nothing),
    GR_POST("/probe/wake", "probe.wake", "Wake the timer", .access = GR_ACCESS_OPEN,
            .handle = wake),
    GR_END,
};

static const struct gr_timer timers[] = {
    {.name = "tick", .interval_ms = 3600000, .run = tick},
    GR_END,
};

static const char *const owns[] = {"/probe", NULL};

GR_PLUGIN("probe", .version = "1.0.0", .summary = "What tests of the server need", .licence = "MIT",
          .routes = routes, .timers = timers, .owns = owns, .options = option_rows,
          .options_size = sizeof(struct options), .authenticate = authenticate, .init = init,
          .fini = fini)
