/* The steps of cross-origin requests (Fetch standard, "CORS protocol") and OPTIONS. */
#include "server/steps.h"

static bool is_any(const char *const *list)
{
    return list && list[0] && strcmp(list[0], "*") == 0;
}

/* Joins a list of the config with commas, as a header value. */
static gr_str joined(struct grc_call *call, const char *const *list)
{
    char *text = NULL;

    for (; list && *list; list++) {
        text = text ? grc_arena_format(&call->arena, "%s, %s", text, *list)
                    : grc_arena_copy(&call->arena, gr_str_of(*list));
        if (!text)
            break;
    }
    return gr_str_of(text);
}

/* Whether the plugin lets pages of every origin use its group. */
static bool is_open_group(const struct grc_call *call)
{
    return call->plugin && (call->plugin->desc->flags & GR_PLUGIN_ANY_ORIGIN);
}

/* An open group, and a config without a list, allow the headers that the page asks for. */
static enum gr_err add_preflight(struct grc_call *call, const struct grc_cors *cors)
{
    gr_str wanted = grc_request_header(call->request, "Access-Control-Request-Headers");
    bool listed = cors->headers && cors->headers[0] && !is_open_group(call);
    enum gr_err err =
        grc_reply_add_made(call, "Access-Control-Allow-Methods", grc_allow_text(call));

    if (err == GR_OK && (listed || wanted.len))
        err = grc_reply_add_made(call, "Access-Control-Allow-Headers",
                                 listed ? joined(call, cors->headers) : wanted);
    if (err == GR_OK && cors->max_age_ms > 0)
        err = grc_reply_add_made(call, "Access-Control-Max-Age",
                                 gr_str_of(grc_arena_format(&call->arena, "%lld",
                                                            (long long)(cors->max_age_ms / 1000))));
    return err;
}

/* Adds the headers without which a browser hides the answer from the page. Returns false if the
 * origin is not allowed. Open groups never allow credentials. */
static bool add_origin(struct grc_call *call, const struct grc_cors *cors, gr_str origin)
{
    if (is_open_group(call) || (is_any(cors->origins) && !cors->credentials)) {
        if (origin.len)
            grc_reply_add(call, "Access-Control-Allow-Origin", GR_STR("*"));
        return origin.len > 0;
    }
    if (!cors->origins || !cors->origins[0])
        return false;
    /* Vary is also sent without an origin, and for one that is not listed, since a cache must not
     * use this answer for other origins (Fetch standard, "CORS protocol and HTTP caches"). */
    grc_reply_add(call, "Vary", GR_STR("Origin"));
    if (origin.len == 0 || !grc_list_has(cors->origins, origin))
        return false;
    grc_reply_add(call, "Access-Control-Allow-Origin", origin);
    if (cors->credentials)
        grc_reply_add(call, "Access-Control-Allow-Credentials", GR_STR("true"));
    return true;
}

static bool is_preflight(const struct grc_request *request)
{
    return request->options && grc_request_header(request, "Origin").len &&
           grc_request_header(request, "Access-Control-Request-Method").len;
}

enum gr_err grc_step_cors(struct grc_call *call)
{
    const struct grc_cors *cors = &call->runtime->settings->cors;

    if (!add_origin(call, cors, grc_request_header(call->request, "Origin")))
        return GR_OK;
    if (is_preflight(call->request))
        return add_preflight(call, cors);
    if (cors->expose && cors->expose[0])
        return grc_reply_add_made(call, "Access-Control-Expose-Headers",
                                  joined(call, cors->expose));
    return GR_OK;
}

enum gr_err grc_step_options(struct grc_call *call)
{
    if (!call->request->options || call->match.err != GR_ERR_METHOD)
        return GR_OK;
    enum gr_err err = grc_reply_add_made(call, "Allow", grc_allow_text(call));
    if (err != GR_OK)
        return err;
    /* The API that open groups implement documents a 200. */
    call->reply->status = is_preflight(call->request) && is_open_group(call) ? 200 : 204;
    return GR_OK;
}
