/* An exchange on a libcurl handle: sets up the request, and reads the outcome. */
#include "upstream/internal.h"

#include "upstream/request.h"

#define KEEP_BYTES 65536u /* larger answer buffers are not kept */

/* --- the request --- */

/* Lines are written one after the other. Offsets are kept, since the buffer moves while it grows.
 */
struct draft {
    struct grc_buf *buf;
    size_t offsets[GRC_LINES_MAX];
    size_t count;
};

/* With libcurl, a semicolon instead of the colon sends a header without a value. */
static enum gr_err draft_put(void *arg, gr_str name, const char *prefix, gr_str value)
{
    struct draft *draft = arg;
    enum gr_err err;

    if (draft->count >= GRC_LINES_MAX - 4)
        return GR_ERR_INTERNAL;
    draft->offsets[draft->count++] = draft->buf->len;
    err = grc_buf_str(draft->buf, name);
    if (err == GR_OK)
        err = grc_buf_text(draft->buf, value.len ? ": " : ";");
    if (err == GR_OK)
        err = grc_buf_text(draft->buf, prefix);
    if (err == GR_OK)
        err = grc_buf_str(draft->buf, value);
    return err == GR_OK ? grc_buf_char(draft->buf, '\0') : err;
}

/* Links the lines into the list that libcurl reads, the constant ones last. */
static void link_lines(struct grc_handle *handle, const struct draft *draft,
                       const struct grc_token *token)
{
    static char accept[] = GRC_REQUEST_ACCEPT; /* not const: see struct curl_slist */
    static char agent[] = GRC_REQUEST_AGENT;
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

/* Writes target and header lines to handle->lines and handle->nodes. */
static enum gr_err write_head(struct grc_handle *handle, const struct grc_exchange *exchange,
                              const struct grc_token *token)
{
    struct draft draft = {.buf = &handle->lines};

    if (!grc_request_target_good(exchange->target))
        return GR_ERR_INTERNAL;
    grc_buf_clear(&handle->lines);
    enum gr_err err = grc_buf_text(draft.buf, handle->upstream->url.prefix);
    if (err == GR_OK)
        err = grc_buf_str(draft.buf, exchange->target);
    if (err == GR_OK)
        err = grc_buf_char(draft.buf, '\0');
    if (err == GR_OK)
        err = grc_request_fields(exchange, token != NULL, draft_put, &draft);
    if (err != GR_OK)
        return err == GR_ERR_TOO_LARGE ? GR_ERR_URI : err;
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
    bool body = grc_request_has_length(exchange);
    if (!body) {
        rc = grc_easy_setopt(easy, CURLOPT_HTTPGET, 1L);
    } else {
        curl_off_t len = exchange->has_body ? (curl_off_t)exchange->body.len : 0;
        rc = grc_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, len);
        if (rc == CURLE_OK)
            rc = grc_easy_setopt(easy, CURLOPT_POSTFIELDS, len ? exchange->body.ptr : "");
    }
    const char *name = method == GR_METHOD_GET && body ? "GET" : names[method];
    if (rc == CURLE_OK)
        rc = grc_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, name);
    return rc;
}

enum gr_err grc_handle_prepare(struct grc_handle *handle, const struct grc_exchange *exchange,
                               struct grc_answer_head *head, const struct grc_token *token,
                               int64_t timeout_ms)
{
    CURL *easy = handle->easy;
    int64_t connect_ms = handle->upstream->settings->connect_timeout_ms;
    enum gr_err err = write_head(handle, exchange, token);

    if (err != GR_OK)
        return err;
    grc_buf_clear(&handle->answer);
    grc_answer_head_begin(head, exchange->arena, exchange->cache.ttl_ms > 0);
    handle->exchange = exchange;
    handle->head = head;
    handle->gone_look = grc_gone_begin(exchange, grc_mono_ms());
    handle->sends = 0;
    handle->header_bytes = 0;
    handle->body_begun = handle->received = handle->replay_refused = handle->gone = false;
    handle->too_large = handle->http2_refused = handle->stream_refused = false;
    handle->error[0] = '\0';
    if (connect_ms <= 0 || connect_ms > timeout_ms)
        connect_ms = timeout_ms;
    CURLcode rc = set_method(easy, exchange);
    if (rc == CURLE_OK)
        rc = grc_easy_setopt(easy, CURLOPT_REQUEST_TARGET, handle->lines.ptr);
    if (rc == CURLE_OK)
        rc = grc_easy_setopt(easy, CURLOPT_HTTPHEADER, handle->nodes);
    if (rc == CURLE_OK)
        rc = grc_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)timeout_ms);
    if (rc == CURLE_OK)
        rc = grc_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)connect_ms);
    if (rc == CURLE_OK)
        rc = grc_easy_setopt(easy, CURLOPT_NOPROGRESS, exchange->gone ? 0L : 1L);
    if (rc == CURLE_OUT_OF_MEMORY)
        return GR_ERR_NO_MEMORY;
    return rc == CURLE_OK ? GR_OK : GR_ERR_INTERNAL;
}

/* --- the outcome --- */

enum gr_err grc_connect_error(CURLcode code, bool *ret_lasting)
{
    switch (code) {
    case CURLE_OPERATION_TIMEDOUT:
        return GR_ERR_UPSTREAM_TIMEOUT;
    case CURLE_OUT_OF_MEMORY:
        return GR_ERR_NO_MEMORY;
    case CURLE_URL_MALFORMAT:
    case CURLE_BAD_FUNCTION_ARGUMENT:
    case CURLE_FAILED_INIT:
        return GR_ERR_INTERNAL;
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_ISSUER_ERROR:
        *ret_lasting = true;
        return GR_ERR_UPSTREAM_CONNECT;
    default:
        return GR_ERR_UPSTREAM_CONNECT;
    }
}

static enum gr_err failure_of(const struct grc_handle *handle, CURLcode code, bool *ret_lasting)
{
    if (code == CURLE_ABORTED_BY_CALLBACK)
        return handle->gone ? GR_ERR_CANCELLED : GR_ERR_UPSTREAM_BROKEN;
    if (!handle->sends)
        return grc_connect_error(code, ret_lasting);
    switch (code) {
    case CURLE_OPERATION_TIMEDOUT:
        return GR_ERR_UPSTREAM_TIMEOUT;
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
    case CURLE_GOT_NOTHING:
    case CURLE_HTTP2:        /* the connection ended, such as by a GOAWAY */
    case CURLE_HTTP2_STREAM: /* the stream ended, by RST_STREAM */
        return GR_ERR_UPSTREAM_BROKEN;
    default:
        /* After the request was sent, all other errors are malformed answers. */
        *ret_lasting = true;
        return GR_ERR_UPSTREAM_BROKEN;
    }
}

static const char *detail_of(const struct grc_handle *handle, struct grc_exchange *exchange)
{
    if (handle->too_large)
        return GRC_DETAIL_TOO_LARGE;
    if (handle->head->encoded)
        return GRC_DETAIL_ENCODED;
    return handle->error[0] ? grc_arena_copy(exchange->arena, gr_str_of(handle->error)) : NULL;
}

static enum gr_err take_answer(struct grc_handle *handle, struct grc_exchange *exchange)
{
    char *copy = grc_arena_copy(exchange->arena, grc_buf_view(&handle->answer));

    if (copy)
        exchange->answer = (gr_str){copy, handle->answer.len};
    if (handle->answer.cap > KEEP_BYTES)
        grc_buf_done(&handle->answer);
    return copy ? GR_OK : GR_ERR_NO_MEMORY;
}

struct grc_outcome grc_handle_outcome(struct grc_handle *handle, struct grc_exchange *exchange,
                                      CURLcode code)
{
    struct grc_outcome outcome = {
        .sent = handle->sends > 0,
        .received = handle->received,
        .sends = handle->sends,
    };
    long status = 0;

    /* The body belongs to the exchange, so the handle must not keep a pointer to it. */
    grc_easy_setopt(handle->easy, CURLOPT_POSTFIELDS, NULL);
    if (code != CURLE_OK) {
        outcome.err = failure_of(handle, code, &outcome.lasting);
    } else if (grc_curl()->easy_getinfo(handle->easy, CURLINFO_RESPONSE_CODE, &status) !=
                   CURLE_OK ||
               status < 200 || status > 599 || handle->head->encoded) {
        outcome.err = GR_ERR_UPSTREAM_BROKEN;
        outcome.lasting = true;
    } else {
        outcome.status = (int)status;
        outcome.err = take_answer(handle, exchange);
    }
    if (outcome.err != GR_OK)
        outcome.detail = detail_of(handle, exchange);
    return outcome;
}
