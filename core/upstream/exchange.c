/* One HTTP exchange on a libcurl handle. */
#include "upstream/internal.h"

#include "base/clock.h"
#include "upstream/headers.h"

#include <greenroom/version.h>
#include <stdlib.h>

#define HEADER_BYTES_MAX 65536u
#define HEADS_MAX 32u
#define LINES_BYTES_MAX 65536u
#define KEEP_BYTES 65536u /* larger answer buffers are not kept */
#define RECEIVE_BYTES 16384L
#define LIFETIME_MAX_S 600L
#define GONE_STEP_MS 100
#define JSON_TYPE "application/json"

/* --- what libcurl calls --- */

static size_t on_body(char *bytes, size_t size, size_t count, void *arg)
{
    struct grc_handle *handle = arg;

    (void)size; /* always 1 */
    if (handle->encoded || grc_buf_add(&handle->answer, bytes, count) != GR_OK) {
        handle->too_large = !handle->encoded;
        return count ? 0 : 1;
    }
    return count;
}

static void keep_head(struct grc_handle *handle, const struct gr_pair *pair)
{
    struct grc_buf *heads = &handle->heads;
    size_t before = heads->len;

    if (handle->head_count >= HEADS_MAX)
        return;
    if (grc_buf_str(heads, pair->name) != GR_OK || grc_buf_char(heads, '\0') != GR_OK ||
        grc_buf_str(heads, pair->value) != GR_OK || grc_buf_char(heads, '\0') != GR_OK) {
        heads->len = before;
        return;
    }
    handle->head_count++;
}

static size_t on_header(char *bytes, size_t size, size_t count, void *arg)
{
    struct grc_handle *handle = arg;
    gr_str line = {bytes, count};
    struct gr_pair pair;

    (void)size; /* always 1 */
    handle->received = true;
    handle->header_bytes += count;
    if (handle->header_bytes > HEADER_BYTES_MAX) {
        handle->too_large = true;
        return count ? 0 : 1;
    }
    if (count > 5 && memcmp(bytes, "HTTP/", 5) == 0) {
        /* An interim answer (1xx) is over; what it said does not count. */
        grc_buf_clear(&handle->heads);
        handle->head_count = 0;
        handle->body_begun = false;
        handle->encoded = false;
        handle->freshness = (struct grc_freshness){.max_age_s = -1};
    } else if (count <= 2 && (bytes[0] == '\r' || bytes[0] == '\n')) {
        handle->body_begun = true;
    } else if (handle->body_begun) {
        return count; /* trailers */
    } else if (!grc_header_split(line, &pair)) {
        handle->freshness.forbidden = true; /* it may have said so */
    } else {
        enum grc_header_kind kind = grc_header_incoming(pair.name);
        if (kind == GRC_HEADER_ENCODING)
            handle->encoded = !gr_str_eq(pair.value, GR_STR("identity"));
        else if (kind != GRC_HEADER_DROP)
            keep_head(handle, &pair);
        else if (handle->exchange->cache_ttl_ms > 0)
            grc_header_freshness(&pair, &handle->freshness);
    }
    return count;
}

/* Called whenever a connection stands and the request is about to go out. The second time libcurl
 * is about to send it again by itself, after a kept connection died: only a safe one may be. */
static int on_send(void *arg, char *to_ip, char *from_ip, int to_port, int from_port)
{
    struct grc_handle *handle = arg;
    const struct grc_exchange *exchange = handle->exchange;

    (void)to_ip;
    (void)from_ip;
    (void)to_port;
    (void)from_port;
    if (handle->sends > 0 && exchange->method != GR_METHOD_GET && !exchange->idempotent) {
        handle->replay_refused = true;
        return CURL_PREREQFUNC_ABORT;
    }
    handle->sends++;
    return CURL_PREREQFUNC_OK;
}

static int on_progress(void *arg, curl_off_t down_total, curl_off_t down, curl_off_t up_total,
                       curl_off_t up)
{
    struct grc_handle *handle = arg;
    int64_t now_ms = grc_mono_ms();

    (void)down_total;
    (void)down;
    (void)up_total;
    (void)up;
    if (now_ms < handle->gone_next_ms)
        return 0;
    handle->gone_next_ms = now_ms + GONE_STEP_MS;
    handle->gone = handle->exchange->gone(handle->exchange->gone_arg);
    return handle->gone ? 1 : 0;
}

/* --- a new handle --- */

static CURLcode set_behaviour(struct grc_handle *handle)
{
    CURL *easy = handle->easy;
    const struct grc_upstream_settings *settings = handle->upstream->settings;
    long idle_s = (long)(settings->idle_timeout_ms / 1000);
    CURLcode rc = CURLE_OK;

#define SET(option, value)                                                                         \
    do {                                                                                           \
        if (rc == CURLE_OK)                                                                        \
            rc = curl_easy_setopt(easy, option, value);                                            \
    } while (0)
    SET(CURLOPT_CURLU, handle->url); /* parsed once; the target of each request is set apart */
    SET(CURLOPT_SHARE, handle->upstream->share);
    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_PROTOCOLS_STR, "http,https");
    SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    SET(CURLOPT_FOLLOWLOCATION, 0L);
    SET(CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    SET(CURLOPT_PROXY, settings->proxy ? settings->proxy : "");
    SET(CURLOPT_HTTPPROXYTUNNEL, settings->proxy ? 1L : 0L);
    SET(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    SET(CURLOPT_SSL_VERIFYPEER, settings->verify ? 1L : 0L);
    SET(CURLOPT_SSL_VERIFYHOST, settings->verify ? 2L : 0L);
    if (settings->ca_file)
        SET(CURLOPT_CAINFO, settings->ca_file);
    SET(CURLOPT_MAXAGE_CONN, idle_s > 0 ? idle_s : 1L);
    SET(CURLOPT_MAXLIFETIME_CONN, LIFETIME_MAX_S);
    SET(CURLOPT_MAXCONNECTS, 1L);
    SET(CURLOPT_TCP_KEEPALIVE, 1L);
    SET(CURLOPT_BUFFERSIZE, RECEIVE_BYTES);
    SET(CURLOPT_UPLOAD_BUFFERSIZE, RECEIVE_BYTES);
    SET(CURLOPT_HTTP09_ALLOWED, 0L);
#undef SET
    return rc;
}

static CURLcode set_callbacks(struct grc_handle *handle)
{
    CURL *easy = handle->easy;
    CURLcode rc = curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);

#define SET(option, value)                                                                         \
    do {                                                                                           \
        if (rc == CURLE_OK)                                                                        \
            rc = curl_easy_setopt(easy, option, value);                                            \
    } while (0)
    SET(CURLOPT_WRITEDATA, handle);
    SET(CURLOPT_HEADERFUNCTION, on_header);
    SET(CURLOPT_HEADERDATA, handle);
    SET(CURLOPT_PREREQFUNCTION, on_send);
    SET(CURLOPT_PREREQDATA, handle);
    SET(CURLOPT_XFERINFOFUNCTION, on_progress);
    SET(CURLOPT_XFERINFODATA, handle);
    SET(CURLOPT_ERRORBUFFER, handle->error);
    SET(CURLOPT_PRIVATE, handle);
#undef SET
    return rc;
}

struct grc_handle *grc_handle_new(struct grc_upstream *upstream)
{
    struct grc_handle *handle = calloc(1, sizeof(*handle));

    if (!handle)
        return NULL;
    handle->upstream = upstream;
    grc_buf_init(&handle->answer, (size_t)upstream->settings->answer_max_bytes);
    grc_buf_init(&handle->heads, HEADER_BYTES_MAX);
    grc_buf_init(&handle->lines, LINES_BYTES_MAX);
    handle->easy = curl_easy_init();
    handle->url = curl_url_dup(upstream->url);
    if (!handle->easy || !handle->url || set_behaviour(handle) != CURLE_OK ||
        set_callbacks(handle) != CURLE_OK ||
        grc_sockets_attach(handle->easy, &handle->sockets) != CURLE_OK) {
        grc_handle_free(handle);
        return NULL;
    }
    return handle;
}

void grc_handle_free(struct grc_handle *handle)
{
    if (!handle)
        return;
    curl_easy_cleanup(handle->easy);
    curl_multi_cleanup(handle->multi);
    curl_url_cleanup(handle->url);
    grc_buf_done(&handle->answer);
    grc_buf_done(&handle->heads);
    grc_buf_done(&handle->lines);
    free(handle);
}

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
    if (draft->count >= GRC_LINES_MAX - 4 || !grc_header_name_good(name) ||
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
    handle->gone_next_ms = exchange->gone ? grc_mono_ms() + GONE_STEP_MS : INT64_MAX;
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
        /* Also libcurl's word for a header line over its own bound. */
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
