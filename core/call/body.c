/* The body as JSON. */
#include "base/clock.h"
#include "base/json.h"
#include "base/memory.h"
#include "call/call.h"
#include "call/large.h"

static bool is_blank(gr_str text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (!strchr(" \t\r\n", text.ptr[i]) || text.ptr[i] == '\0')
            return false;
    }
    return true;
}

/* What an absent body counts as; NULL: it stays absent. */
static json_t *empty_body(const struct gr_field *row)
{
    return row->type == GR_ARRAY ? json_array() : json_object();
}

static enum gr_err take_empty(struct grc_call *call)
{
    const struct gr_field *row = call->route->row->body;

    grc_buf_clear(&call->body);
    if (row->flags & GR_FIELD_REQUIRED) {
        enum gr_err err = grc_problem_add(&call->problems, "body", "", GR_PROBLEM_MISSING,
                                          row->type == GR_ARRAY ? "a JSON array" : "a JSON object");
        return err == GR_ERR_NO_MEMORY ? err : GR_ERR_INVALID;
    }
    call->json = empty_body(row);
    return call->json ? GR_OK : grc_fail(call, GR_ERR_NO_MEMORY, "no memory for the body");
}

/* A large tree waits until there is room for it; once there is, call->json_bytes is not 0. */
static enum gr_err parse_within(struct grc_call *call, const char **ret_reason)
{
    const struct grc_settings *settings = call->runtime->settings;
    const size_t left = grc_arena_left(&call->arena);
    gr_str text = grc_buf_view(&call->body);
    size_t bytes = 0;
    enum gr_err err = grc_json_parse_within(text, GRC_JSON_DEPTH_MAX,
                                            left < GRC_MEMORY_LARGE ? left : GRC_MEMORY_LARGE - 1,
                                            &call->json, &bytes, ret_reason);

    if (err == GR_ERR_TOO_LARGE && bytes <= left) {
        err = grc_large_enter(bytes, 2 * (size_t)settings->call_memory_max_bytes,
                              grc_mono_ms() + settings->body_timeout_ms);
        if (err != GR_OK)
            return err;
        call->json_bytes = bytes;
        err =
            grc_json_parse_within(text, GRC_JSON_DEPTH_MAX, left, &call->json, &bytes, ret_reason);
    }
    if (err == GR_OK) {
        call->json_bytes = bytes;
        (void)grc_arena_charge(&call->arena, bytes); /* it fits, as the parse was told */
    }
    return err;
}

static enum gr_err parse(struct grc_call *call)
{
    const char *reason = "it cannot be parsed";
    enum gr_err err = parse_within(call, &reason);

    switch (err) {
    case GR_OK:
        return err;
    case GR_ERR_CANCELLED:
        return grc_fail(call, err, "the client went away");
    case GR_ERR_TOO_LARGE:
        return grc_fail(call, err, "the body has more values than a request has memory for");
    case GR_ERR_OVERLOAD:
        return grc_fail(call, err, "too many large bodies are being read");
    case GR_ERR_NO_MEMORY:
        return grc_fail(call, err, "no memory for the body");
    default:
        return grc_fail(call, err, "the body is not valid JSON: %s", reason);
    }
}

enum gr_err grc_call_parse(struct grc_call *call)
{
    const struct gr_route *row = call->route->row;

    if (!row->body || (row->flags & GR_ROUTE_RAW_BODY))
        return GR_OK;
    return is_blank(grc_buf_view(&call->body)) ? take_empty(call) : parse(call);
}
