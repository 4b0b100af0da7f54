#include "base/field.h"
#include "base/json.h"
#include "call/host.h"

#include <stdlib.h>
#include <strings.h>

#define REPLY_MAX_BYTES ((size_t)1 << 30)

enum gr_err grc_host_reply_json(struct gr_call *pub, int status, json_t *stolen)
{
    struct grc_call *call = grc_call_of(pub);
    struct grc_buf text;

    grc_buf_init(&text, REPLY_MAX_BYTES);
    enum gr_err err = grc_json_write(&text, stolen);
    json_decref(stolen);
    if (err != GR_OK) {
        grc_buf_done(&text);
        return grc_fail(call, GR_ERR_NO_MEMORY, "cannot encode the reply");
    }
    if (grc_arena_defer(&call->arena, free, text.ptr) != GR_OK)
        return grc_fail(call, GR_ERR_NO_MEMORY, "no memory for the reply");
    return grc_host_reply_bytes(pub, status, "application/json", grc_buf_view(&text));
}

enum gr_err grc_host_reply_bytes(struct gr_call *pub, int status, const char *content_type,
                                 gr_str body)
{
    struct grc_call *call = grc_call_of(pub);

    if (!call->reply || status < 200 || status > 599)
        return grc_fail(call, GR_ERR_INTERNAL, "reply with status %d refused", status);
    call->reply->status = status;
    call->reply->content_type = content_type;
    call->reply->body = body;
    return GR_OK;
}

/* True for headers that the host writes, or that a plugin must not control. */
static bool is_reserved(const char *name)
{
    static const char *const names[] = {
        "Connection",   "Content-Length", "Content-Type", "Transfer-Encoding", "Date", "Server",
        "X-Request-Id", "Keep-Alive",     "Upgrade",      "Trailer",           "TE"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcasecmp(name, names[i]) == 0)
            return true;
    }
    return false;
}

enum gr_err grc_host_reply_header(struct gr_call *pub, const char *name, gr_str value)
{
    struct grc_call *call = grc_call_of(pub);
    struct grc_reply *reply = call->reply;

    if (!reply || !grc_field_token(gr_str_of(name)) || is_reserved(name) || !grc_field_value(value))
        return GR_ERR_INTERNAL;
    if (reply->header_count == sizeof(reply->headers) / sizeof(reply->headers[0]))
        return GR_ERR_HEADERS;
    char *name_copy = grc_arena_copy(&call->arena, gr_str_of(name));
    char *value_copy = grc_arena_copy(&call->arena, value);
    if (!name_copy || !value_copy)
        return GR_ERR_NO_MEMORY;
    reply->headers[reply->header_count++] =
        (struct gr_pair){gr_str_of(name_copy), {value_copy, value.len}};
    return GR_OK;
}

void grc_host_reply_cut(struct gr_call *pub, size_t after_bytes)
{
    struct grc_call *call = grc_call_of(pub);

    if (call->reply) {
        call->reply->cut = true;
        call->reply->cut_after = after_bytes;
    }
}
