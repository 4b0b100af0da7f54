/* A libcurl handle: what never changes from one request to the next, and what libcurl calls. */
#include "upstream/internal.h"

#include "base/clock.h"
#include "upstream/headers.h"

#include <stdlib.h>

#define HEADER_BYTES_MAX 65536u
#define HEADS_MAX 32u
#define LINES_BYTES_MAX 65536u
#define RECEIVE_BYTES 16384L
#define LIFETIME_MAX_S 600L

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
    handle->gone_next_ms = now_ms + GRC_GONE_STEP_MS;
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
