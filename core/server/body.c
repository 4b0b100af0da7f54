/* The steps that check the body's type, read it, parse it and validate it. */
#include "base/clock.h"
#include "base/field.h"
#include "server/steps.h"

/* A body that the route does not use is read and dropped up to this size, so that the connection
 * can stay open. With a larger one it is closed. */
#define UNWANTED_BYTES 65536

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
    if (grc_field_json_type(grc_request_header(call->request, "Content-Type")))
        return GR_OK;
    return grc_fail(call, GR_ERR_MEDIA_TYPE, "the content type must be application/json");
}

enum gr_err grc_step_body_type(struct grc_call *call)
{
    gr_str type = grc_request_header(call->request, "Content-Type");

    if (!wants_body(call) || any_type(call) || call->request->content_length == 0 ||
        type.len == 0 || grc_field_json_type(type))
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

enum gr_err grc_step_body_parse(struct grc_call *call)
{
    enum gr_err err = grc_call_parse(call);

    if (err != GR_OK || !call->json)
        return err;
    return grc_schema_check_json(call->route->body, &call->pub, call->json, &call->problems);
}
