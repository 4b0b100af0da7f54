/* A libcurl handle: the options that stay the same for all requests, and the callbacks. */
#include "upstream/internal.h"

#include "upstream/headers.h"

#include <openssl/ssl.h>
#include <stdlib.h>

#define HEADER_BYTES_MAX 65536u
#define LINES_BYTES_MAX 65536u
#define RECEIVE_BYTES 16384L
#define HEADERS_CLEARED 0x080101u /* libcurl 8.1.1 */

/* --- callbacks of libcurl --- */

static size_t on_body(char *bytes, size_t size, size_t count, void *arg)
{
    struct grc_handle *handle = arg;

    (void)size; /* always 1 */
    if (handle->head->encoded || grc_buf_add(&handle->answer, bytes, count) != GR_OK) {
        handle->too_large = !handle->head->encoded;
        return count ? 0 : 1;
    }
    return count;
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
        if (count > 12 && memcmp(bytes + 8, " 101", 4) == 0)
            return 0; /* a protocol switch that was not asked for: no answer follows */
        /* Headers of an interim answer (1xx) before this one do not count. */
        grc_answer_head_begin(handle->head, handle->exchange->arena,
                              handle->exchange->cache.ttl_ms > 0);
        handle->body_begun = false;
    } else if (count <= 2 && (bytes[0] == '\r' || bytes[0] == '\n')) {
        handle->body_begun = true;
    } else if (handle->body_begun) {
        return count; /* trailers */
    } else {
        grc_answer_head_take(handle->head, grc_header_split(line, &pair) ? &pair : NULL);
    }
    return count;
}

/* Whether the handle's connection has agreed to HTTP/2 (ALPN, RFC 7301). */
static bool speaks_http2(CURL *easy)
{
    const struct curl_tlssessioninfo *session = NULL;
    const unsigned char *name = NULL;
    unsigned len = 0;

    if (grc_curl()->easy_getinfo(easy, CURLINFO_TLS_SSL_PTR, &session) != CURLE_OK || !session ||
        session->backend != CURLSSLBACKEND_OPENSSL || !session->internals)
        return false;
    SSL_get0_alpn_selected(session->internals, &name, &len);
    return len == 2 && memcmp(name, "h2", 2) == 0;
}

/* Called for libcurl's log, which alone tells that it repeats a request because the upstream has
 * refused the stream. Nothing was done then (RFC 9113, section 8.7). */
static int on_log(CURL *easy, curl_infotype type, char *text, size_t len, void *arg)
{
    static const char refused[] = "REFUSED_STREAM";
    struct grc_handle *handle = arg;

    (void)easy;
    if (type == CURLINFO_TEXT && len >= sizeof(refused) - 1 &&
        memcmp(text, refused, sizeof(refused) - 1) == 0)
        handle->stream_refused = true;
    return 0;
}

CURLcode grc_handle_use_http2(struct grc_handle *handle)
{
    CURL *easy = handle->easy;
    bool safe = grc_exchange_is_safe(handle->exchange);
    CURLcode rc = grc_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);

    /* Waits for a connection that is being made, rather than making one for each call. */
    if (rc == CURLE_OK)
        rc = grc_easy_setopt(easy, CURLOPT_PIPEWAIT, 1L);
    /* The call looks by itself whether its client has left. */
    if (rc == CURLE_OK)
        rc = grc_easy_setopt(easy, CURLOPT_NOPROGRESS, 1L);
    if (rc == CURLE_OK)
        rc = grc_easy_setopt(easy, CURLOPT_DEBUGFUNCTION, on_log);
    if (rc == CURLE_OK)
        rc = grc_easy_setopt(easy, CURLOPT_DEBUGDATA, handle);
    if (rc == CURLE_OK)
        rc = grc_easy_setopt(easy, CURLOPT_VERBOSE, safe ? 0L : 1L);
    /* Connections outlive the handle. */
    if (rc == CURLE_OK)
        rc = grc_sockets_attach(easy, NULL);
    handle->http2 = true;
    return rc;
}

/* Called when the connection is ready and the request is about to be sent. A second call means that
 * libcurl repeats the request by itself, since a kept connection has died or the stream was
 * refused. A request that is not safe to repeat is sent again only if the stream was refused. */
static int on_send(void *arg, char *to_ip, char *from_ip, int to_port, int from_port)
{
    struct grc_handle *handle = arg;
    const struct grc_exchange *exchange = handle->exchange;

    (void)to_ip;
    (void)from_ip;
    (void)to_port;
    (void)from_port;
    if (handle->sends > 0 && !handle->stream_refused && !grc_exchange_is_safe(exchange)) {
        handle->replay_refused = true;
        return CURL_PREREQFUNC_ABORT;
    }
    if (handle->http2 && !speaks_http2(handle->easy)) {
        handle->http2_refused = true;
        return CURL_PREREQFUNC_ABORT;
    }
    handle->stream_refused = false;
    handle->sends++;
    return CURL_PREREQFUNC_OK;
}

static int on_progress(void *arg, curl_off_t down_total, curl_off_t down, curl_off_t up_total,
                       curl_off_t up)
{
    struct grc_handle *handle = arg;

    (void)down_total;
    (void)down;
    (void)up_total;
    (void)up;
    handle->gone = grc_gone_look(&handle->gone_look);
    return handle->gone ? 1 : 0;
}

/* --- a new handle --- */

CURLcode grc_easy_set_peer(CURL *easy, const struct grc_upstream *upstream)
{
    const struct grc_upstream_settings *settings = upstream->settings;
    CURLSH *share = grc_share_take(upstream->share);
    CURLcode rc = share ? CURLE_OK : CURLE_OUT_OF_MEMORY;

#define SET(option, value)                                                                         \
    do {                                                                                           \
        if (rc == CURLE_OK)                                                                        \
            rc = grc_easy_setopt(easy, option, value);                                             \
    } while (0)
    SET(CURLOPT_URL, upstream->url.origin);
    SET(CURLOPT_SHARE, share);
    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_PROTOCOLS_STR, "http,https");
    SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    SET(CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    SET(CURLOPT_PROXY, settings->proxy ? settings->proxy : "");
    SET(CURLOPT_HTTPPROXYTUNNEL, settings->proxy ? 1L : 0L);
    SET(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    SET(CURLOPT_SSL_VERIFYPEER, settings->verify ? 1L : 0L);
    SET(CURLOPT_SSL_VERIFYHOST, settings->verify ? 2L : 0L);
    if (settings->ca_file)
        SET(CURLOPT_CAINFO, settings->ca_file);
    SET(CURLOPT_TCP_KEEPALIVE, 1L);
#undef SET
    return rc;
}

static CURLcode set_behaviour(struct grc_handle *handle)
{
    CURL *easy = handle->easy;
    const int64_t idle_ms = handle->upstream->settings->idle_timeout_ms;
    /* The target of each request is set separately. */
    CURLcode rc = grc_easy_set_peer(easy, handle->upstream);

#define SET(option, value)                                                                         \
    do {                                                                                           \
        if (rc == CURLE_OK)                                                                        \
            rc = grc_easy_setopt(easy, option, value);                                             \
    } while (0)
    SET(CURLOPT_FOLLOWLOCATION, 0L);
    SET(CURLOPT_FORBID_REUSE, idle_ms == 0 ? 1L : 0L);
    SET(CURLOPT_MAXAGE_CONN, idle_ms > 1000 ? (long)(idle_ms / 1000) : 1L); /* 0: no limit */
    SET(CURLOPT_MAXLIFETIME_CONN, GRC_CONNECTION_LIFETIME_S);
    SET(CURLOPT_MAXCONNECTS, 1L);
    SET(CURLOPT_BUFFERSIZE, RECEIVE_BYTES);
    SET(CURLOPT_UPLOAD_BUFFERSIZE, RECEIVE_BYTES);
    SET(CURLOPT_HTTP09_ALLOWED, 0L);
#undef SET
    return rc;
}

static CURLcode set_callbacks(struct grc_handle *handle)
{
    CURL *easy = handle->easy;
    CURLcode rc = grc_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);

#define SET(option, value)                                                                         \
    do {                                                                                           \
        if (rc == CURLE_OK)                                                                        \
            rc = grc_easy_setopt(easy, option, value);                                             \
    } while (0)
    SET(CURLOPT_WRITEDATA, handle);
    SET(CURLOPT_HEADERFUNCTION, on_header);
    SET(CURLOPT_HEADERDATA, handle);
    SET(CURLOPT_PREREQFUNCTION, on_send);
    SET(CURLOPT_PREREQDATA, handle);
    SET(CURLOPT_XFERINFOFUNCTION, on_progress);
    SET(CURLOPT_XFERINFODATA, handle);
    SET(CURLOPT_ERRORBUFFER, handle->error);
#undef SET
    return rc;
}

static bool make_easy(struct grc_handle *handle)
{
    handle->easy = grc_curl()->easy_init();
    return handle->easy && set_behaviour(handle) == CURLE_OK && set_callbacks(handle) == CURLE_OK &&
           grc_sockets_attach(handle->easy, &handle->sockets) == CURLE_OK;
}

struct grc_handle *grc_handle_new(struct grc_upstream *upstream)
{
    struct grc_handle *handle = calloc(1, sizeof(*handle));

    if (!handle)
        return NULL;
    handle->upstream = upstream;
    grc_buf_init(&handle->answer, (size_t)upstream->settings->answer_max_bytes);
    grc_buf_init(&handle->lines, LINES_BYTES_MAX);
    if (!make_easy(handle)) {
        grc_handle_free(handle);
        return NULL;
    }
    return handle;
}

bool grc_handle_renew(struct grc_handle *handle)
{
    /* HTTP/2 has no folded headers. */
    if (handle->http2 || grc_curl()->version_info(CURLVERSION_NOW)->version_num >= HEADERS_CLEARED)
        return true;
    grc_curl()->easy_cleanup(handle->easy);
    return make_easy(handle);
}

void grc_handle_free(struct grc_handle *handle)
{
    if (!handle)
        return;
    grc_curl()->easy_cleanup(handle->easy);
    grc_driver_end(&handle->driver);
    grc_buf_done(&handle->answer);
    grc_buf_done(&handle->lines);
    free(handle);
}
