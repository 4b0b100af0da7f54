#include "base/log.h"
#include "base/uri.h"
#include "server/steps.h"

/* A path that no route matches is truncated to this length. */
#define UNKNOWN_PATH_MAX 256

/* Whether a raw path begins with the part of a route's path before its first parameter. Escapes are
 * decoded, and several slashes count as one. */
static bool lies_below(gr_str raw, const char *pattern)
{
    size_t at = 0;

    for (; *pattern && *pattern != '{'; pattern++) {
        if (at == raw.len || grc_uri_byte(raw, &at) != (unsigned char)*pattern)
            return false;
        while (*pattern == '/' && at < raw.len && raw.ptr[at] == '/')
            at++;
    }
    return true;
}

static const char *hidden_path_of(const struct grc_plugin *plugin, gr_str raw)
{
    for (size_t i = 0; i < plugin->route_count; i++) {
        const struct grc_route *route = &plugin->routes[i];

        if (!(route->row->flags & GR_ROUTE_HIDDEN_PATH))
            continue;
        if (lies_below(raw, route->path))
            return route->path;
        if (route->alias && lies_below(raw, route->alias))
            return route->alias;
    }
    return NULL;
}

/* Finds a route with a secret in its path that an unmatched request may have been meant for, with a
 * wrong method or number of segments. Searches all groups, since a path with an empty segment
 * belongs to none. Returns the path of the route, or NULL. */
static const char *hidden_path_meant(const struct grc_call *call)
{
    const struct grc_runtime *runtime = call->runtime;
    const char *found = NULL;

    for (size_t i = 0; !found && i < runtime->plugin_count; i++)
        found = hidden_path_of(runtime->plugins[i], call->request->path);
    return found;
}

static gr_str path_of(const struct grc_call *call)
{
    gr_str path = call->request->path;

    if (call->route && (call->route->row->flags & GR_ROUTE_HIDDEN_PATH))
        return gr_str_of(call->route->path);
    const char *meant = call->route ? NULL : hidden_path_meant(call);
    if (meant)
        return gr_str_of(meant);
    if (!call->route && path.len > UNKNOWN_PATH_MAX)
        path.len = UNKNOWN_PATH_MAX;
    return path;
}

void grc_access_log(struct grc_call *call, size_t sent_bytes, bool ok, int64_t took_us)
{
    const struct grc_request *request = call->request;
    const char *slug = call->error.err != GR_OK ? call->error.type : ok ? "" : "not_sent";

    static const char *const sources[] = {
        [GRC_FROM_UPSTREAM] = "", [GRC_FROM_OTHER_CALL] = "other_call", [GRC_FROM_CACHE] = "cache"};
    const struct grc_log_field end = {.kind = GRC_LOG_END};
    gr_str trace_id = grc_context_trace_id(call->traceparent);

    if (!call->runtime->settings->access_log)
        return;
    grc_log_fields(
        request->admin ? GR_LOG_DEBUG : GR_LOG_INFO, "request",
        GRC_LOG_FIELDS(
            GRC_LT("request_id", call->request_id), GRC_LS("method", request->method_text),
            GRC_LS("path", path_of(call)), GRC_LT("route", call->route ? call->route->row->id : ""),
            GRC_LT("group", call->match.owner ? call->match.owner->self.name : ""),
            GRC_LI("status", call->reply->status), GRC_LI("bytes", sent_bytes),
            GRC_LD("duration_ms", (double)took_us / 1000.0), GRC_LT("peer", request->peer),
            GRC_LS("caller", call->caller_id), GRC_LI("upstream_status", call->upstream_status),
            GRC_LD("upstream_ms", (double)call->upstream_us / 1000.0),
            GRC_LI("upstream_attempts", call->upstream_attempts),
            GRC_LT("answer_from", sources[call->upstream_source]),
            GRC_LT("error", slug ? slug : ""),
            /* without a trace, the line ends here */
            trace_id.len ? GRC_LS("trace_id", trace_id) : end,
            GRC_LS("span_id", grc_context_span_id(call->traceparent)),
            /* if the trace began in this gateway, the line ends here */
            call->parent_id[0] ? GRC_LT("parent_id", call->parent_id) : end));
}
