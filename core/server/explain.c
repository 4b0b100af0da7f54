#include "server/explain.h"

#include "auth/callers.h"
#include "base/err.h"
#include "base/json.h"
#include "base/method.h"
#include "base/uri.h"
#include "call/host.h"
#include "config/source.h"
#include "guard/guard.h"
#include "server/steps.h"

#include <stdio.h>
#include <stdlib.h>

#define HEADERS_MAX 64u

/* Members for which there is no memory are omitted, since nothing depends on them. */

/* The state of an explanation. */
struct explaining {
    struct grc_call call;
    struct grc_request request;
    struct grc_reply reply;
    const struct grc_explain *asked;
    json_t *result;
    json_t *refusals;
};

static void put(struct explaining *at, const char *name, json_t *stolen)
{
    (void)json_object_set_new(at->result, name, stolen);
}

static json_t *text_of(gr_str text)
{
    return json_stringn(text.ptr ? text.ptr : "", text.len);
}

/* --- refusals --- */

static json_t *problems_of(const struct grc_problems *problems)
{
    json_t *list = json_array();

    for (size_t i = 0; i < problems->count; i++) {
        const struct gr_problem *problem = &problems->list[i];

        json_array_append_new(list, json_pack("{s:s, s:s, s:s}", "in", problem->in, "where",
                                              problem->where, "expected", problem->expected));
    }
    return list;
}

/* Records the error of a step, if it refused, and clears it for the next step. */
static void note(struct explaining *at, const char *step, enum gr_err err)
{
    struct grc_call *call = &at->call;
    bool invalid = err == GR_ERR_INVALID && call->problems.count > 0;

    if (err != GR_OK)
        json_array_append_new(
            at->refusals,
            json_pack("{s:s, s:i, s:s, s:o*}", "step", step, "status",
                      call->error.status ? call->error.status : grc_err_status(err), "message",
                      call->error.message && !invalid ? call->error.message : grc_err_doc(err),
                      "problems", invalid ? problems_of(&call->problems) : NULL));
    call->error = (struct gr_error){.err = GR_OK};
    call->problems = (struct grc_problems){.arena = &call->arena, .max = call->problems.max};
}

static void refuse(struct explaining *at, const char *step, enum gr_err err, const char *reason)
{
    note(at, step, grc_fail(&at->call, err, "%s", reason));
}

/* --- the request --- */

static bool take_headers(struct explaining *at)
{
    const char *const *header = at->asked->headers;

    for (; header && *header; header++) {
        const char *colon = strchr(*header, ':');

        if (!colon || colon == *header || at->request.header_count == HEADERS_MAX)
            return false;
        const char *value = colon + 1 + strspn(colon + 1, " \t");
        at->request.headers[at->request.header_count++] =
            (struct gr_pair){{*header, (size_t)(colon - *header)}, gr_str_of(value)};
    }
    return true;
}

static enum gr_method method_of(const char *text)
{
    for (enum gr_method method = GR_METHOD_GET; method <= GR_METHOD_DELETE; method++) {
        if (strcmp(grc_method_name(method), text) == 0)
            return method;
    }
    return 0;
}

static void take_request(struct explaining *at)
{
    const struct grc_explain *asked = at->asked;
    const char *question = strchr(asked->target, '?');
    bool head = strcmp(asked->method, "HEAD") == 0;

    at->request.method = head ? GR_METHOD_GET : method_of(asked->method);
    at->request.head = head;
    at->request.method_text = gr_str_of(asked->method);
    at->request.path = (gr_str){asked->target, question ? (size_t)(question - asked->target)
                                                        : strlen(asked->target)};
    at->request.query = question ? gr_str_of(question + 1) : (gr_str){NULL, 0};
    at->request.content_length = (int64_t)asked->body.len;
    snprintf(at->request.peer, sizeof(at->request.peer), "%s", asked->peer);
    put(at, "request", json_pack("{s:s, s:s}", "method", asked->method, "target", asked->target));
}

/* --- the route --- */

static json_t *params_of(const struct grc_match *match)
{
    json_t *params = json_object();

    for (size_t i = 0; i < match->param_count; i++) {
        const struct gr_pair *param = &match->params[i];

        (void)json_object_setn_new(params, param->name.ptr, param->name.len, text_of(param->value));
    }
    return params;
}

static const char *access_name(enum gr_access access)
{
    static const char *const names[] = {
        [GR_ACCESS_CALLER] = "caller",
        [GR_ACCESS_OPEN] = "open",
        [GR_ACCESS_GROUP] = "group",
    };

    return names[access];
}

static const struct grc_route_settings *override_of(const struct grc_route *route)
{
    const struct grc_plugin_settings *settings = route->plugin->settings;

    for (size_t i = 0; settings && i < settings->route_count; i++) {
        if (strcmp(settings->routes[i].id, route->row->id) == 0)
            return &settings->routes[i];
    }
    return NULL;
}

/* Returns the file with the overrides of this route, or NULL when there are none. */
static json_t *overrides_of(const struct grc_route *route)
{
    const struct grc_path routes = {.name = "routes"};
    const struct grc_path path = {.up = &routes, .name = route->row->id};

    if (!override_of(route))
        return NULL;
    char *where = grc_source_where(route->plugin->settings->file, &path);
    json_t *text = where ? json_string(where) : NULL;
    free(where);
    return text;
}

static void explain_route(struct explaining *at)
{
    const struct grc_route *route = at->call.route;
    const struct grc_plugin *plugin = route->plugin;

    put(at, "route",
        json_pack("{s:s, s:s, s:s, s:s*, s:s, s:s, s:s, s:s?}", "id", route->row->id, "method",
                  grc_method_name(route->row->method), "path", route->path, "alias", route->alias,
                  "summary", route->row->summary, "group", plugin->self.name, "access",
                  access_name(route->row->access), "library", plugin->file));
    put(at, "params", params_of(&at->call.match));
    json_t *overrides = overrides_of(route);
    if (overrides)
        put(at, "overrides", overrides);
}

/* Returns false if there is no route. */
static bool find_route(struct explaining *at)
{
    struct grc_call *call = &at->call;

    grc_router_match(call->runtime->router, at->request.method, at->request.path, &call->arena,
                     &call->match);
    call->route = call->match.route;
    grc_call_own(call, call->match.owner ? call->match.owner : call->runtime->plugins[0]);
    if (call->route)
        return true;
    put(at, "route", json_null());
    if (call->match.err == GR_ERR_METHOD) {
        put(at, "allowed", text_of(grc_allow_text(call)));
        refuse(at, "route", GR_ERR_METHOD, "the path has no such method");
    } else if (call->match.err == GR_ERR_BAD_REQUEST) {
        refuse(at, "route", GR_ERR_BAD_REQUEST, "the path holds a bad escape");
    } else {
        refuse(at, "route", GR_ERR_NOT_FOUND, "no such path");
    }
    return false;
}

/* --- the caller --- */

static json_t *bindings_of(const struct grc_caller *caller)
{
    json_t *bound = json_object();

    for (const struct grc_binding *binding = caller->bindings; binding && binding->kind; binding++)
        (void)json_object_set_new(bound, binding->kind, grc_json_list(binding->values));
    return bound;
}

static void explain_caller(struct explaining *at)
{
    struct grc_call *call = &at->call;
    const struct grc_route *route = call->route;
    const char *reason = "";

    if (route->row->access != GR_ACCESS_CALLER)
        return;
    enum grc_auth_verdict verdict = grc_guard_identify(call, &reason);
    if (verdict == GRC_AUTH_UNAVAILABLE)
        refuse(at, "authenticate", GR_ERR_OVERLOAD, reason);
    else if (verdict != GRC_AUTH_FOUND)
        refuse(at, "authenticate", GR_ERR_UNAUTHORIZED, reason);
    if (!call->caller) {
        put(at, "scope", json_pack("{s:s?, s:b}", "wanted", route->scope, "held", false));
        return;
    }
    put(at, "caller",
        json_pack("{s:o, s:s, s:o, s:o}", "id", text_of(call->caller->id), "provider",
                  call->caller->provider, "scopes", grc_json_list(call->caller->scopes), "bound",
                  bindings_of(call->caller)));
    put(at, "scope",
        json_pack("{s:s?, s:b}", "wanted", route->scope, "held",
                  grc_call_has_scope(call, route->scope)));
    note(at, "scope", grc_guard_scope(call));
}

static void add_limit(void *arg, const struct grc_guard_limit *limit)
{
    struct explaining *at = arg;
    json_t *object =
        json_pack("{s:s, s:s, s:f, s:I}", "of", limit->of, "name", limit->name, "per_s",
                  limit->rate->per_s, "burst", (json_int_t)limit->rate->burst);

    if (at->asked->serving)
        (void)json_object_set_new(object, "left", json_integer(limit->view.remaining));
    if (at->asked->serving && limit->view.remaining == 0)
        refuse(at, "rate", GR_ERR_RATE, "too many requests");
    json_array_append_new(json_object_get(at->result, "limits"), object);
}

/* --- validation --- */

static void explain_body(struct explaining *at)
{
    struct grc_call *call = &at->call;
    const struct gr_route *row = call->route->row;
    int64_t max = row->body_max_bytes ? (int64_t)row->body_max_bytes
                                      : call->runtime->settings->body_max_bytes;
    bool wanted = row->body || (row->flags & GR_ROUTE_RAW_BODY);

    if (!wanted) {
        put(at, "body",
            json_pack("{s:b, s:I}", "wanted", false, "bytes", (json_int_t)at->asked->body.len));
        return;
    }
    put(at, "body",
        json_pack("{s:b, s:I, s:I}", "wanted", true, "bytes", (json_int_t)at->asked->body.len,
                  "bytes_max", (json_int_t)max));
    note(at, "body type", grc_step_body_type(call));
    if ((int64_t)at->asked->body.len > max) {
        refuse(at, "body", GR_ERR_TOO_LARGE, "the body is larger than the route allows");
        return;
    }
    call->body.max_bytes = (size_t)max;
    if (at->asked->body.len > 0 && grc_buf_str(&call->body, at->asked->body) != GR_OK)
        return;
    note(at, "parse", grc_step_body_parse(call));
}

static void explain_rows(struct explaining *at)
{
    struct grc_call *call = &at->call;

    note(at, "content type", grc_step_content_type(call));
    note(at, "query", grc_step_query(call));
    note(at, "params", grc_step_params(call));
    explain_body(at);
    if (call->caller)
        note(at, "binds", grc_guard_binds(call));
}

/* --- the upstream --- */

struct state_of {
    const char *name;
    const char *state;
};

static void find_state(void *arg, const char *name, const char *state, const char *detail)
{
    struct state_of *wanted = arg;

    (void)detail;
    if (strcmp(wanted->name, name) == 0)
        wanted->state = state;
}

static void explain_upstream(struct explaining *at)
{
    struct grc_call *call = &at->call;
    const struct gr_forward *forward = call->route->forward;

    if (!forward)
        return;
    const struct grc_upstream_settings *upstream =
        grc_settings_upstream(call->runtime->settings, forward->upstream);
    const char *target = grc_target(call, forward->path, call->match.params,
                                    call->match.param_count, call->query, call->query_count);
    struct state_of state = {.name = forward->upstream, .state = NULL};

    call->error = (struct gr_error){.err = GR_OK};
    if (at->asked->serving)
        grc_upstreams_states(call->runtime->upstreams, find_state, &state);
    put(at, "upstream",
        json_pack("{s:s, s:s, s:o, s:s?, s:I, s:I, s:s*}", "name", forward->upstream, "method",
                  grc_method_name(forward->method ? forward->method : at->request.method), "url",
                  json_sprintf("%s%s", upstream ? upstream->url : "", target ? target : ""),
                  "credential", upstream ? upstream->credential : NULL, "timeout_ms",
                  (json_int_t)(call->route->timeout_ms ? call->route->timeout_ms
                               : upstream              ? upstream->timeout_ms
                                                       : 0),
                  "cache_ms", (json_int_t)call->route->cache.ttl_ms, "state", state.state));
}

/* --- the explanation --- */

static void explain(struct explaining *at)
{
    take_request(at);
    if (!take_headers(at)) {
        refuse(at, "framing", GR_ERR_BAD_REQUEST, "a header is not \"Name: value\", or too many");
        return;
    }
    if (!find_route(at))
        return;
    explain_route(at);
    explain_caller(at);
    put(at, "limits", json_array());
    grc_guard_limits(&at->call, add_limit, at);
    note(at, "limits", at->call.error.err);
    explain_rows(at);
    explain_upstream(at);
}

json_t *grc_explain(struct grc_runtime *runtime, const struct grc_explain *asked)
{
    struct explaining *at = calloc(1, sizeof(*at)); /* too large for a small stack */
    json_t *result = json_object();

    if (!at || !result) {
        free(at);
        json_decref(result);
        return NULL;
    }
    at->asked = asked;
    at->result = result;
    at->refusals = json_array();
    grc_call_begin(&at->call, runtime, runtime->plugins[0]);
    at->call.request = &at->request;
    at->call.reply = &at->reply;
    explain(at);
    grc_call_done(&at->call);
    put(at, "passes", json_boolean(json_array_size(at->refusals) == 0));
    put(at, "refusals", at->refusals);
    free(at);
    return result;
}

json_t *grc_explain_json(struct grc_runtime *runtime, const json_t *asked)
{
    const json_t *headers = json_object_get(asked, "headers");
    const json_t *body = json_object_get(asked, "body");
    const char *list[HEADERS_MAX + 1] = {NULL};
    struct grc_explain request = {
        .method = json_string_value(json_object_get(asked, "method")),
        .target = json_string_value(json_object_get(asked, "target")),
        .peer = json_string_value(json_object_get(asked, "peer")),
        .body = {json_string_value(body), json_string_length(body)},
        .headers = list,
        .serving = true,
    };

    if (!request.method || !request.target || !request.peer ||
        json_array_size(headers) > HEADERS_MAX)
        return NULL;
    for (size_t i = 0; i < json_array_size(headers); i++) {
        list[i] = json_string_value(json_array_get(headers, i));
        if (!list[i])
            return NULL;
    }
    return grc_explain(runtime, &request);
}
