#include "server/pipeline.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/secure.h"
#include "base/uri.h"
#include "call/spans.h"
#include "guard/guard.h"
#include "http/client_address.h"
#include "idempotency/idempotency.h"
#include "server/recent.h"
#include "server/steps.h"

#include <stdio.h>

#define QUERY_PAIRS_MAX 256

/* --- finding the client and the route --- */

static bool is_id(gr_str text)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];

        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
              c == '-' || c == '_' || c == '.'))
            return false;
    }
    return text.len > 0 && text.len <= 64;
}

/* The first step, so that every answer has the id. */
static enum gr_err step_ids(struct grc_call *call)
{
    gr_str id = grc_request_header(call->request, "X-Request-Id");

    if (is_id(id))
        snprintf(call->request_id, sizeof(call->request_id), "%.*s", (int)id.len, id.ptr);
    else
        grc_uuid(call->request_id);
    grc_call_trace_begin(call, grc_request_header(call->request, "traceparent"));
    grc_reply_add(call, "X-Request-Id", gr_str_of(call->request_id));
    return GR_OK;
}

/* Finds the client's address, which later steps use for limits and the log. */
static enum gr_err step_client(struct grc_call *call)
{
    grc_client_address(call->request, &call->runtime->settings->proxies);
    return GR_OK;
}

/* Finds the route and the group. Whether there is a route is checked by a later step, but an error
 * in any step needs the group's format. */
static enum gr_err step_match(struct grc_call *call)
{
    const struct grc_request *request = call->request;
    const struct grc_router *router =
        request->admin ? call->runtime->admin_router : call->runtime->router;

    grc_router_match(router, request->method, request->path, &call->arena, &call->match);
    call->route = call->match.route;
    /* If no group owns the path, the first builtin group is used, since it has the default format.
     */
    grc_call_own(call, call->match.owner ? call->match.owner : call->runtime->plugins[0]);
    call->subject.operation = call->route ? call->route->row->id : "";
    return GR_OK;
}

static enum gr_err step_framing(struct grc_call *call)
{
    const struct grc_request *request = call->request;

    if (request->broken == GR_OK)
        return GR_OK;
    call->reply->close = true;
    return grc_fail(call, request->broken, "%s", request->broken_reason);
}

static const char shutting_down[] = "the gateway is shutting down";

static enum gr_err step_draining(struct grc_call *call)
{
    /* Probes are still answered, so that /readyz tells balancers of the stop, and so is the admin
     * listener, which shows how the stop goes. */
    if (!call->request->late || call->request->admin || call->plugin == call->runtime->plugins[0])
        return GR_OK;
    call->reply->close = true;
    return grc_fail(call, GR_ERR_OVERLOAD, "%s", shutting_down);
}

static enum gr_err step_shed(struct grc_call *call)
{
    if (!call->request->overload)
        return GR_OK;
    call->reply->close = true;
    return grc_fail(call, GR_ERR_OVERLOAD, "%s", call->request->overload);
}

static enum gr_err step_route(struct grc_call *call)
{
    const struct grc_match *match = &call->match;

    if (call->route)
        return GR_OK;
    if (match->err == GR_ERR_METHOD) {
        enum gr_err err = grc_reply_add_made(call, "Allow", grc_allow_text(call));

        if (err != GR_OK)
            return err;
        return grc_fail(call, GR_ERR_METHOD, "%.*s is not allowed here",
                        (int)call->request->method_text.len, call->request->method_text.ptr);
    }
    if (match->err == GR_ERR_BAD_REQUEST)
        return grc_fail(call, GR_ERR_BAD_REQUEST, "the path holds a bad escape");
    if (match->err == GR_ERR_NO_MEMORY)
        return grc_fail(call, GR_ERR_NO_MEMORY, "no memory for the path");
    return grc_fail(call, GR_ERR_NOT_FOUND, "no such path");
}

enum gr_err grc_step_query(struct grc_call *call)
{
    enum gr_err err = grc_query_parse(&call->arena, call->request->query, QUERY_PAIRS_MAX,
                                      &call->query, &call->query_count);

    if (err == GR_ERR_BAD_REQUEST)
        return grc_fail(call, err, "the query holds a bad escape");
    if (err == GR_ERR_INVALID)
        return grc_fail(call, GR_ERR_BAD_REQUEST, "more than %d query parameters", QUERY_PAIRS_MAX);
    if (err != GR_OK)
        return grc_fail(call, err, "no memory for the query");
    return GR_OK;
}

/* --- authentication and authorisation --- */

/* A credential that a group refuses counts for the throttle too, whether the group checks it before
 * the body was read or, like the signature of a body, afterwards. */
static enum gr_err throttled(struct grc_call *call, enum gr_err err)
{
    bool of_group = call->route->row->access == GR_ACCESS_GROUP;

    return err == GR_ERR_UNAUTHORIZED && of_group ? grc_guard_group_refused(call) : err;
}

static enum gr_err step_authenticate(struct grc_call *call)
{
    switch (call->route->row->access) {
    case GR_ACCESS_OPEN:
        return GR_OK;
    case GR_ACCESS_GROUP:
        if (call->plugin->desc->authenticate)
            return throttled(call, call->plugin->desc->authenticate(&call->pub));
        return grc_fail(call, GR_ERR_INTERNAL, "the group has no authenticate function");
    case GR_ACCESS_CALLER:
        break;
    }
    return grc_guard_authenticate(call);
}

static enum gr_err step_scope(struct grc_call *call)
{
    return call->route->row->access == GR_ACCESS_CALLER ? grc_guard_scope(call) : GR_OK;
}

static enum gr_err step_admit(struct grc_call *call)
{
    return call->route->row->admit ? call->route->row->admit(&call->pub) : GR_OK;
}

/* --- validation and handling --- */

enum gr_err grc_step_params(struct grc_call *call)
{
    const struct grc_route *route = call->route;

    enum gr_err path = grc_schema_check_pairs(route->params, &call->pub, "path", call->match.params,
                                              call->match.param_count, &call->problems);
    if (path != GR_OK && path != GR_ERR_INVALID)
        return path;
    enum gr_err query = grc_schema_check_pairs(route->query, &call->pub, "query", call->query,
                                               call->query_count, &call->problems);
    return query != GR_OK ? query : path;
}

static enum gr_err step_binds(struct grc_call *call)
{
    return call->route->row->access == GR_ACCESS_CALLER ? grc_guard_binds(call) : GR_OK;
}

static enum gr_err run_handler(struct grc_call *call)
{
    /* call->route is const, but the habit of its handler is learnt while it runs */
    struct grc_habit *habit = &call->plugin->routes[call->route - call->plugin->routes].habit;

    grc_habit_begin(habit);
    enum gr_err err = call->route->row->handle(&call->pub);
    grc_habit_end(habit);
    return err;
}

/* Calls the handler, within the limit of the group's concurrent calls, since a group that hangs
 * must not take all workers. */
static enum gr_err handle_bounded(struct grc_call *call)
{
    struct grc_plugin *plugin = call->plugin;
    int64_t before = atomic_fetch_add_explicit(&plugin->calls, 1, memory_order_relaxed);
    enum gr_err err;

    if (plugin->calls_max > 0 && before >= plugin->calls_max) {
        grc_metrics_reject(GRC_REJECT_GROUP);
        err = grc_fail(call, GR_ERR_OVERLOAD, "this group is busy");
    } else {
        err = call->route->row->handle ? run_handler(call) : grc_forward(call);
    }
    atomic_fetch_sub_explicit(&plugin->calls, 1, memory_order_relaxed);
    return err;
}

static enum gr_err step_handle(struct grc_call *call)
{
    const struct grc_route *route = call->route;

    if (route->timeout_ms)
        call->deadline_ms = grc_mono_ms() + route->timeout_ms;
    enum gr_err err = throttled(call, handle_bounded(call));
    if (err == GR_OK && call->reply->status == 0)
        call->reply->status = 204;
    return err;
}

/* The order is part of the contract. Cheap checks come before expensive ones. */
const struct grc_step grc_steps[] = {
    {"ids", step_ids, GRC_REJECT_COUNT},
    {"client", step_client, GRC_REJECT_COUNT},
    {"match", step_match, GRC_REJECT_COUNT},
    {"cors", grc_step_cors,
     GRC_REJECT_COUNT}, /* first, since pages must be able to read refusals */
    {"framing", step_framing, GRC_REJECT_FRAMING},
    {"draining", step_draining, GRC_REJECT_DRAINING},
    {"shed", step_shed, GRC_REJECT_SHED},
    {"options", grc_step_options, GRC_REJECT_COUNT},
    {"enter", grc_guard_enter, GRC_REJECT_CONCURRENCY},
    {"address", grc_guard_address, GRC_REJECT_RATE},
    {"route", step_route, GRC_REJECT_ROUTE},
    {"content type", grc_step_content_type, GRC_REJECT_INVALID},
    {"query", grc_step_query, GRC_REJECT_INVALID},
    {"authenticate", step_authenticate, GRC_REJECT_AUTH},
    {"scope", step_scope, GRC_REJECT_SCOPE},
    {"rate", grc_guard_rate, GRC_REJECT_RATE},
    {"concurrency", grc_guard_concurrent, GRC_REJECT_CONCURRENCY},
    {"admit", step_admit, GRC_REJECT_AUTH},
    {"params", grc_step_params, GRC_REJECT_INVALID},
    {"body type", grc_step_body_type, GRC_REJECT_INVALID},
    {"body", grc_step_body_read, GRC_REJECT_BODY},
    {"parse", grc_step_body_parse, GRC_REJECT_INVALID},
    {"binds", step_binds, GRC_REJECT_SCOPE},
    {"idempotency", grc_idempotency_claim, GRC_REJECT_COUNT},
    {"handle", step_handle, GRC_REJECT_COUNT},
    {NULL, NULL, GRC_REJECT_COUNT},
};

static void count_reject(const struct grc_step *step, enum gr_err err)
{
    if ((step->reject == GRC_REJECT_BODY || step->reject == GRC_REJECT_FRAMING) &&
        err == GR_ERR_TIMEOUT)
        grc_metrics_reject(GRC_REJECT_SLOW);
    else if (step->reject == GRC_REJECT_BODY && err == GR_ERR_OVERLOAD)
        grc_metrics_reject(GRC_REJECT_SHED); /* too much memory in incomplete bodies */
    else if (step->reject == GRC_REJECT_RATE && err == GR_ERR_OVERLOAD)
        grc_metrics_reject(GRC_REJECT_CONCURRENCY);
    else if (step->reject != GRC_REJECT_COUNT)
        grc_metrics_reject(step->reject);
}

/* RFC 6797. */
static void add_hsts(struct grc_call *call)
{
    int64_t hsts_s = call->runtime->settings->tls.hsts_ms / 1000;

    if (call->request->tls && hsts_s > 0)
        grc_reply_add(call, "Strict-Transport-Security",
                      gr_str_of(grc_arena_format(&call->arena, "max-age=%lld", (long long)hsts_s)));
}

/* https://www.w3.org/TR/server-timing/. Calls to upstreams at the same time add up, so together
 * they may take longer than the request did. */
static void add_timing(struct grc_call *call)
{
    const struct grc_request *request = call->request;

    if (!call->runtime->settings->server_timing)
        return;
    int64_t own_us = grc_mono_us() - request->started_us - call->upstream_us;
    grc_reply_add(call, "Server-Timing",
                  gr_str_of(grc_arena_format(
                      &call->arena, "own;dur=%.3f, waiting;dur=%.3f, upstream;dur=%.3f",
                      (double)(own_us > 0 ? own_us : 0) / 1000, (double)request->waited_us / 1000,
                      (double)call->upstream_us / 1000)));
}

static void finish(struct grc_call *call)
{
    struct grc_reply *reply = call->reply;

    add_hsts(call);
    add_timing(call);

    if (!(call->plugin->desc->flags & GR_PLUGIN_NO_STORE))
        return;
    for (size_t i = 0; i < reply->header_count; i++) {
        if (gr_str_eq(reply->headers[i].name, GR_STR("Cache-Control")))
            return;
    }
    grc_reply_add(call, "Cache-Control", GR_STR("no-store"));
}

/* A wait was cancelled since the client left or the time to drain is over. Only in the latter case
 * can the client read an answer. */
static enum gr_err judge_cancelled(struct grc_call *call)
{
    if (!grc_request_given_up(call->request) || grc_conn_gone(call->request))
        return GR_ERR_CANCELLED;
    memset(&call->error, 0, sizeof(call->error));
    grc_metrics_reject(GRC_REJECT_DRAINING);
    return grc_fail(call, GR_ERR_OVERLOAD, "%s", shutting_down);
}

void grc_pipeline_serve(struct grc_runtime *runtime, struct grc_request *request,
                        struct grc_reply *reply, struct grc_call *call)
{
    enum gr_err err = GR_OK;
    bool cancelled;

    grc_metrics_in_flight(1);
    grc_call_begin(call, runtime, runtime->plugins[0]);
    call->request = request;
    call->reply = reply;
    for (const struct grc_step *step = grc_steps; step->name; step++) {
        err = step->run(call);
        if (err != GR_OK)
            count_reject(step, err);
        if (err != GR_OK || reply->status != 0)
            break;
    }
    cancelled = err == GR_ERR_CANCELLED;
    if (cancelled)
        err = judge_cancelled(call);
    if (err != GR_OK)
        grc_error_render(call, err);
    grc_idempotency_settle(call, cancelled);
    finish(call);
    grc_guard_leave(call);
}

void grc_pipeline_done(struct grc_call *call, size_t sent_bytes, bool ok)
{
    int64_t took_us = grc_mono_us() - call->request->started_us;

    grc_metrics_request(call->route ? call->route->metrics : grc_metrics_unmatched(),
                        call->reply->status, took_us);
    if (call->route)
        grc_metrics_request_parts(call->route->metrics, call->request->waited_us,
                                  call->upstream_us);
    grc_recent_error(call);
    grc_access_log(call, sent_bytes, ok, took_us);
    grc_call_trace_end(call, ok);
    grc_call_end(call);
    grc_metrics_in_flight(-1);
}
