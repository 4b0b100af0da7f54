/* One HTTP exchange on a libcurl handle: the request as it goes out, and what came of it. */
#include "upstream/internal.h"

#include "base/clock.h"
#include "base/field.h"
#include "upstream/headers.h"

#include <greenroom/version.h>

#define KEEP_BYTES 65536u /* larger answer buffers are not kept */
#define JSON_TYPE "application/json"

/* --- the request --- */

/* Lines are written one after the other; their addresses are known only when all are there. */
struct draft {
    struct grc_buf *buf;
    size_t offsets[GRC_LINES_MAX];
    size_t count;
    enum gr_err err;
};

static void draft_put(struct draft *draft, gr_str name, const char *between, gr_str value)
{
    if (draft->err != GR_OK)
        return;
    if (draft->count >= GRC_LINES_MAX - 4 || !grc_field_token(name) ||
        !grc_header_value_good(value)) {
        draft->err = GR_ERR_INTERNAL;
        return;
    }
    draft->offsets[draft->count++] = draft->buf->len;
    draft->err = grc_buf_str(draft->buf, name);
    if (draft->err == GR_OK)
        draft->err = grc_buf_text(draft->buf, between);
    if (draft->err == GR_OK)
        draft->err = grc_buf_str(draft->buf, value);
    if (draft->err == GR_OK)
        draft->err = grc_buf_char(draft->buf, '\0');
}

static void draft_line(struct draft *draft, gr_str name, gr_str value)
{
    /* A semicolon is libcurl's way to send a header without a value. */
    draft_put(draft, name, value.len ? ": " : ";", value);
}

static void draft_given(struct draft *draft, const struct grc_exchange *exchange,
                        bool with_authorization)
{
    for (size_t i = 0; i < exchange->header_count; i++) {
        const struct gr_pair *pair = &exchange->headers[i];
        if (grc_header_outgoing(pair->name, with_authorization))
            draft_line(draft, pair->name, pair->value);
    }
}

/* Links the lines into the list that libcurl reads. The constant ones come last. */
static void link_lines(struct grc_handle *handle, const struct draft *draft,
                       const struct grc_token *token)
{
    static char accept[] = "Accept: " JSON_TYPE; /* not const: see struct curl_slist */
    static char agent[] = "User-Agent: greenroom/" GR_VERSION;
    static char expect[] = "Expect:";
    struct curl_slist *nodes = handle->nodes;
    size_t n = 0;

    for (size_t i = 0; i < draft->count; i++)
        nodes[n++].data = handle->lines.ptr + draft->offsets[i];
    if (token) /* libcurl only reads it */
        nodes[n++].data = (char *)(uintptr_t)token->header;
    nodes[n++].data = accept;
    nodes[n++].data = agent;
    nodes[n++].data = expect;
    for (size_t i = 0; i < n; i++)
        nodes[i].next = i + 1 < n ? &nodes[i + 1] : NULL;
}

static bool target_good(gr_str target)
{
    for (size_t i = 0; i < target.len; i++) {
        unsigned char c = (unsigned char)target.ptr[i];
        if (c <= ' ' || c > '~' || c == '#')
            return false;
    }
    return target.len > 0 && target.ptr[0] == '/';
}

/* Target and header lines, in handle->lines and handle->nodes. */
static enum gr_err write_head(struct grc_handle *handle, const struct grc_exchange *exchange,
                              const struct grc_token *token)
{
    struct draft draft = {.buf = &handle->lines};
    gr_str type = exchange->content_type ? gr_str_of(exchange->content_type) : GR_STR(JSON_TYPE);

    if (!target_good(exchange->target))
        return GR_ERR_INTERNAL;
    grc_buf_clear(&handle->lines);
    draft.err = grc_buf_text(draft.buf, handle->upstream->prefix);
    if (draft.err == GR_OK)
        draft.err = grc_buf_str(draft.buf, exchange->target);
    if (draft.err == GR_OK)
        draft.err = grc_buf_char(draft.buf, '\0');
    if (exchange->request_id)
        draft_line(&draft, GR_STR("X-Request-Id"), gr_str_of(exchange->request_id));
    if (exchange->traceparent)
        draft_line(&draft, GR_STR("traceparent"), gr_str_of(exchange->traceparent));
    if (exchange->traceparent && exchange->tracestate.len)
        draft_line(&draft, GR_STR("tracestate"), exchange->tracestate);
    draft_line(&draft, GR_STR("Content-Type"), type);
    if (exchange->bearer)
        draft_put(&draft, GR_STR("Authorization"), ": Bearer ", gr_str_of(exchange->bearer));
    draft_given(&draft, exchange, !token && !exchange->bearer);
    if (draft.err != GR_OK)
        return draft.err == GR_ERR_TOO_LARGE ? GR_ERR_URI : draft.err;
    link_lines(handle, &draft, token);
    return GR_OK;
}

static CURLcode set_method(CURL *easy, const struct grc_exchange *exchange)
{
    static const char *const names[] = {
        [GR_METHOD_GET] = NULL,      [GR_METHOD_POST] = NULL,       [GR_METHOD_PUT] = "PUT",
        [GR_METHOD_PATCH] = "PATCH", [GR_METHOD_DELETE] = "DELETE",
    };
    enum gr_method method = exchange->method;
    CURLcode rc;

    if (method < GR_METHOD_GET || method > GR_METHOD_DELETE)
        return CURLE_BAD_FUNCTION_ARGUMENT;
    bool body = exchange->has_body || (method != GR_METHOD_GET && method != GR_METHOD_DELETE);
    if (!body) {
        rc = curl_easy_setopt(easy, CURLOPT_HTTPGET, 1L);
    } else {
        curl_off_t len = exchange->has_body ? (curl_off_t)exchange->body.len : 0;
        rc = curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, len);
        if (rc == CURLE_OK)
            rc = curl_easy_setopt(easy, CURLOPT_POSTFIELDS, len ? exchange->body.ptr : "");
    }
    const char *name = method == GR_METHOD_GET && body ? "GET" : names[method];
    if (rc == CURLE_OK)
        rc = curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, name);
    return rc;
}

enum gr_err grc_handle_prepare(struct grc_handle *handle, const struct grc_exchange *exchange,
                               const struct grc_token *token, int64_t timeout_ms)
{
    CURL *easy = handle->easy;
    int64_t connect_ms = handle->upstream->settings->connect_timeout_ms;
    enum gr_err err = write_head(handle, exchange, token);

    if (err != GR_OK)
        return err;
    grc_buf_clear(&handle->answer);
    grc_buf_clear(&handle->heads);
    handle->exchange = exchange;
    handle->gone_next_ms = exchange->gone ? grc_mono_ms() + GRC_GONE_STEP_MS : INT64_MAX;
    handle->sends = 0;
    handle->head_count = 0;
    handle->header_bytes = 0;
    handle->body_begun = handle->received = handle->replay_refused = handle->gone = false;
    handle->too_large = handle->encoded = false;
    handle->freshness = (struct grc_freshness){.max_age_s = -1};
    handle->error[0] = '\0';
    if (connect_ms <= 0 || connect_ms > timeout_ms)
        connect_ms = timeout_ms;
    CURLcode rc = set_method(easy, exchange);
    if (rc == CURLE_OK)
        rc = curl_easy_setopt(easy, CURLOPT_REQUEST_TARGET, handle->lines.ptr);
    if (rc == CURLE_OK)
        rc = curl_easy_setopt(easy, CURLOPT_HTTPHEADER, handle->nodes);
    if (rc == CURLE_OK)
        rc = curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)timeout_ms);
    if (rc == CURLE_OK)
        rc = curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)connect_ms);
    if (rc == CURLE_OK)
        rc = curl_easy_setopt(easy, CURLOPT_NOPROGRESS, exchange->gone ? 0L : 1L);
    if (rc == CURLE_OUT_OF_MEMORY)
        return GR_ERR_NO_MEMORY;
    return rc == CURLE_OK ? GR_OK : GR_ERR_INTERNAL;
}

/* --- the outcome --- */

static enum gr_err failure_of(const struct grc_handle *handle, CURLcode code, bool *ret_lasting)
{
    switch (code) {
    case CURLE_OPERATION_TIMEDOUT:
        return GR_ERR_UPSTREAM_TIMEOUT;
    case CURLE_OUT_OF_MEMORY:
#if LIBCURL_VERSION_NUM >= 0x080600
    case CURLE_TOO_LARGE:
#endif
        /* Either is libcurl's word for a header line over its own bound: the former before 8.6. */
        return handle->sends ? GR_ERR_UPSTREAM_BROKEN : GR_ERR_NO_MEMORY;
    case CURLE_URL_MALFORMAT:
    case CURLE_BAD_FUNCTION_ARGUMENT:
    case CURLE_FAILED_INIT:
        return GR_ERR_INTERNAL;
    case CURLE_ABORTED_BY_CALLBACK:
        return handle->gone ? GR_ERR_CANCELLED : GR_ERR_UPSTREAM_BROKEN;
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_ISSUER_ERROR:
        *ret_lasting = true;
        return GR_ERR_UPSTREAM_CONNECT;
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
    case CURLE_GOT_NOTHING:
        return handle->sends ? GR_ERR_UPSTREAM_BROKEN : GR_ERR_UPSTREAM_CONNECT;
    default:
        /* Once the request is out, what is left are answers that make no sense. */
        *ret_lasting = handle->sends > 0;
        return handle->sends ? GR_ERR_UPSTREAM_BROKEN : GR_ERR_UPSTREAM_CONNECT;
    }
}

struct grc_outcome grc_handle_outcome(struct grc_handle *handle, CURLcode code)
{
    struct grc_outcome outcome = {.sent = handle->sends > 0, .received = handle->received};
    long status = 0;

    /* The bytes belong to the exchange; nothing of it stays behind. */
    curl_easy_setopt(handle->easy, CURLOPT_POSTFIELDS, NULL);
    if (code != CURLE_OK) {
        outcome.err = failure_of(handle, code, &outcome.lasting);
    } else if (curl_easy_getinfo(handle->easy, CURLINFO_RESPONSE_CODE, &status) != CURLE_OK ||
               status < 200 || status > 599 || handle->encoded) {
        outcome.err = GR_ERR_UPSTREAM_BROKEN;
        outcome.lasting = true;
    } else {
        outcome.status = (int)status;
    }
    return outcome;
}

static enum gr_err copy_heads(const struct grc_handle *handle, struct grc_exchange *exchange)
{
    struct gr_pair *pairs =
        grc_arena_alloc(exchange->arena, (handle->head_count + 1) * sizeof(*pairs));
    char *at = grc_arena_copy(exchange->arena, grc_buf_view(&handle->heads));
    size_t count = 0;

    if (!pairs || !at)
        return GR_ERR_NO_MEMORY;
    for (size_t i = 0; i < handle->head_count; i++) {
        struct gr_pair pair = {.name = gr_str_of(at)};
        at += pair.name.len + 1;
        pair.value = gr_str_of(at);
        at += pair.value.len + 1;
        enum grc_header_kind kind = grc_header_incoming(pair.name);
        if (kind == GRC_HEADER_TYPE) {
            exchange->answer_type = pair.value;
            continue;
        }
        if (kind == GRC_HEADER_RETRY_AFTER)
            exchange->retry_after = pair.value;
        pairs[count++] = pair;
    }
    exchange->answer_headers = pairs;
    exchange->answer_header_count = count;
    exchange->freshness = handle->freshness;
    return GR_OK;
}

int64_t grc_handle_retry_after_s(const struct grc_handle *handle)
{
    const char *at = handle->heads.ptr;

    for (size_t i = 0; i < handle->head_count; i++) {
        gr_str name = gr_str_of(at);
        gr_str value = gr_str_of(at + name.len + 1);

        if (grc_header_incoming(name) == GRC_HEADER_RETRY_AFTER)
            return grc_header_seconds(value);
        at += name.len + value.len + 2;
    }
    return -1;
}

enum gr_err grc_handle_answer(struct grc_handle *handle, struct grc_exchange *exchange)
{
    char *copy = grc_arena_copy(exchange->arena, grc_buf_view(&handle->answer));
    size_t len = handle->answer.len;

    if (handle->answer.cap > KEEP_BYTES)
        grc_buf_done(&handle->answer);
    if (!copy)
        return GR_ERR_NO_MEMORY;
    enum gr_err err = copy_heads(handle, exchange);
    if (err == GR_OK)
        exchange->answer = (gr_str){copy, len};
    return err;
}
