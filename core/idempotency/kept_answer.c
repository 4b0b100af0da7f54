#include "idempotency/kept_answer.h"

#include "base/field.h"
#include "base/json.h"
#include "call/host.h"
#include "idempotency/idempotency.h"

#include <strings.h>

#define HEADERS_MAX_BYTES 65536u

/* Headers that describe a moment, and would be wrong when the answer is given again. */
static bool is_of_the_moment(gr_str name)
{
    static const char *const prefixes[] = {"RateLimit", "X-RateLimit"};

    for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++) {
        size_t len = strlen(prefixes[i]);

        if (name.len >= len && strncasecmp(name.ptr, prefixes[i], len) == 0)
            return true;
    }
    return grc_field_is(name, "Retry-After");
}

/* Returns the headers as JSON text in the arena; the empty slice without memory. */
static gr_str write_headers(struct grc_call *call, size_t first)
{
    const struct grc_reply *reply = call->reply;
    struct grc_buf buf;
    const char *comma = "";

    grc_buf_init(&buf, HEADERS_MAX_BYTES);
    enum gr_err err = grc_buf_char(&buf, '[');
    for (size_t i = first; i < reply->header_count && err == GR_OK; i++) {
        if (is_of_the_moment(reply->headers[i].name))
            continue;
        err = grc_buf_text(&buf, comma);
        if (err == GR_OK)
            err = grc_buf_json_string(&buf, reply->headers[i].name);
        if (err == GR_OK)
            err = grc_buf_char(&buf, ',');
        if (err == GR_OK)
            err = grc_buf_json_string(&buf, reply->headers[i].value);
        comma = ",";
    }
    if (err == GR_OK)
        err = grc_buf_char(&buf, ']');
    size_t len = buf.len;
    const char *copy = err == GR_OK ? grc_arena_copy(&call->arena, grc_buf_view(&buf)) : NULL;
    grc_buf_done(&buf);
    return (gr_str){copy, copy ? len : 0};
}

void grc_kept_answer_of(struct grc_call *call, size_t first_header, size_t max_bytes,
                        struct grc_record_answer *ret_answer)
{
    const struct grc_reply *reply = call->reply;
    gr_str headers = write_headers(call, first_header);

    *ret_answer = (struct grc_record_answer){.state = GRC_RECORD_LARGE,
                                             .status = reply->status,
                                             .content_type = GR_STR(""),
                                             .headers = GR_STR("[]"),
                                             .body = GR_STR("")};
    if (!headers.ptr || headers.len + reply->body.len > max_bytes)
        return;
    ret_answer->state = GRC_RECORD_ANSWERED;
    if (reply->content_type)
        ret_answer->content_type = gr_str_of(reply->content_type);
    ret_answer->headers = headers;
    if (reply->body.len)
        ret_answer->body = reply->body;
}

static void free_headers(void *list)
{
    json_decref(list);
}

static bool give_headers(struct grc_call *call, gr_str text)
{
    json_t *list = grc_json_parse(text, 2, NULL);

    if (!list || grc_arena_defer(&call->arena, free_headers, list) != GR_OK)
        return false;
    for (size_t i = 0; i + 1 < json_array_size(list); i += 2) {
        const char *name = json_string_value(json_array_get(list, i));
        const json_t *value = json_array_get(list, i + 1);

        if (!name || !json_is_string(value))
            return false;
        grc_reply_pass(
            call, &(const struct gr_pair){gr_str_of(name),
                                          {json_string_value(value), json_string_length(value)}});
    }
    return true;
}

bool grc_kept_answer_give(struct grc_call *call, const struct grc_record_answer *answer)
{
    static const struct gr_pair marker = {
        {GRC_IDEMPOTENT_REPLAYED, sizeof(GRC_IDEMPOTENT_REPLAYED) - 1}, {"true", 4}};
    const char *type = answer->content_type.len ? answer->content_type.ptr : NULL;

    if (!give_headers(call, answer->headers))
        return false;
    grc_reply_pass(call, &marker);
    return grc_host_reply_bytes(&call->pub, answer->status, type, answer->body) == GR_OK;
}
