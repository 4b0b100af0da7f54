/* The steps that check the body's type, read it, parse it and validate it. */
#include "base/clock.h"
#include "base/json.h"
#include "base/memory.h"
#include "call/large.h"
#include "server/steps.h"

#include <strings.h>

/* A body that the route does not use is read and dropped up to this size, so that the connection
 * can stay open. With a larger one it is closed. */
#define UNWANTED_BYTES 65536

static bool equals(gr_str text, const char *word)
{
    return text.len == strlen(word) && strncasecmp(text.ptr, word, text.len) == 0;
}

/* application/json or application/…+json, with any parameters. */
static bool is_json_type(gr_str type)
{
    const char *semicolon = type.len ? memchr(type.ptr, ';', type.len) : NULL;

    if (semicolon)
        type.len = (size_t)(semicolon - type.ptr);
    while (type.len && (type.ptr[type.len - 1] == ' ' || type.ptr[type.len - 1] == '\t'))
        type.len--;
    if (equals(type, "application/json"))
        return true;
    return type.len > strlen("application/+json") &&
           strncasecmp(type.ptr, "application/", strlen("application/")) == 0 &&
           strncasecmp(type.ptr + type.len - 5, "+json", 5) == 0;
}

static bool any_type(const struct grc_call *call)
{
    return (call->route->row->flags & (GR_ROUTE_ANY_CONTENT_TYPE | GR_ROUTE_RAW_BODY)) != 0;
}

static bool wants_body(const struct grc_call *call)
{
    return call->route->row->body || (call->route->row->flags & GR_ROUTE_RAW_BODY);
}

enum gr_err grc_step_content_type(struct grc_call *call)
{
    enum gr_method method = call->request->method;

    if (!(call->plugin->desc->flags & GR_PLUGIN_NEEDS_JSON_TYPE) || any_type(call) ||
        method == GR_METHOD_GET || method == GR_METHOD_DELETE)
        return GR_OK;
    if (is_json_type(grc_request_header(call->request, "Content-Type")))
        return GR_OK;
    return grc_fail(call, GR_ERR_MEDIA_TYPE, "the content type must be application/json");
}

enum gr_err grc_step_body_type(struct grc_call *call)
{
    gr_str type = grc_request_header(call->request, "Content-Type");

    if (!wants_body(call) || any_type(call) || call->request->content_length == 0 ||
        type.len == 0 || is_json_type(type))
        return GR_OK;
    return grc_fail(call, GR_ERR_MEDIA_TYPE, "the content type must be application/json");
}

static enum gr_err fail_read(struct grc_call *call, enum gr_err err, size_t max_bytes)
{
    if (err == GR_ERR_TOO_LARGE)
        return grc_fail(call, err, "the body is larger than %zu bytes", max_bytes);
    if (err == GR_ERR_TIMEOUT)
        return grc_fail(call, err, "the body did not arrive in time");
    if (err == GR_ERR_OVERLOAD)
        return grc_fail(call, err, "too many requests are sending their bodies");
    if (err == GR_ERR_NO_MEMORY)
        return grc_fail(call, err, "no memory for the body");
    if (err == GR_ERR_CANCELLED)
        return grc_fail(call, err, "the client has left");
    return grc_fail(call, GR_ERR_BAD_REQUEST, "the body ended early or its chunks are malformed");
}

enum gr_err grc_step_body_read(struct grc_call *call)
{
    const struct grc_settings *settings = call->runtime->settings;
    const struct gr_route *row = call->route->row;
    bool wanted = wants_body(call);
    size_t max = wanted ? (size_t)settings->body_max_bytes : UNWANTED_BYTES;

    if (call->request->content_length == 0)
        return GR_OK;
    if (wanted && row->body_max_bytes)
        max = row->body_max_bytes;
    if (!wanted && call->request->content_length > UNWANTED_BYTES)
        return GR_OK;
    call->body.max_bytes = max;
    enum gr_err err =
        grc_conn_read_body(call->request, &call->body, grc_mono_ms() + settings->body_timeout_ms);
    if (err != GR_OK)
        return fail_read(call, err, max);
    if (!wanted)
        grc_buf_clear(&call->body);
    if (!grc_arena_charge(&call->arena, call->body.len))
        return grc_fail(call, GR_ERR_TOO_LARGE,
                        "the body is larger than the memory that a request may use");
    return GR_OK;
}

static bool is_blank(gr_str text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (!strchr(" \t\r\n", text.ptr[i]) || text.ptr[i] == '\0')
            return false;
    }
    return true;
}

/* The value that an absent body counts as. NULL without memory. */
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

/* A large tree waits for its turn. call->json_bytes is not 0 from the time that it has it. */
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

enum gr_err grc_step_body_parse(struct grc_call *call)
{
    const struct gr_route *row = call->route->row;
    enum gr_err err = GR_OK;

    if (!row->body || (row->flags & GR_ROUTE_RAW_BODY))
        return GR_OK;
    if (is_blank(grc_buf_view(&call->body))) {
        err = take_empty(call);
    } else {
        err = parse(call);
    }
    if (err != GR_OK)
        return err;
    return grc_schema_check_json(call->route->body, &call->pub, call->json, &call->problems);
}
