/*
 * With civetweb_*.c, all that knows CivetWeb. Everything is served from begin_request, which runs
 * before any look at files, handlers or scripts; document_root is never set. What CivetWeb's parser
 * lets through is refused by http/framing.c; what its reads and writes do not bound is bounded by
 * http/wait.c. Here: the threads, start and stop.
 */
#include "http/civetweb.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/privileges.h"
#include "base/thread.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

_Static_assert(MG_MAX_HEADERS == GRC_HEADERS_MAX, "the header array of CivetWeb has another size");

/* The versions whose parser and keep-alive http/framing.c and http/wait.c were checked with. */
#define KNOWN_VERSIONS "1.15 and 1.16"
static const char *const known_versions[] = {"1.15", "1.16"};

/* --- threads and connections --- */

/* See struct grc_wait: clients get less time for their heads as workers run out. */
static int64_t patience_ms(void *arg, bool head_begun)
{
    struct grc_http *http = ((struct grc_conn *)arg)->http;
    unsigned occupied = grc_http_load(&http->occupied);

    if (atomic_load_explicit(&http->draining, memory_order_relaxed) && !head_begun)
        return 100; /* over for those that idle, and time to be told for those that just came */
    if (occupied > http->workers - http->spare) {
        /* Whoever waited for a worker has sent his request meanwhile; a handshake takes turns. */
        if (((const struct grc_conn *)arg)->shaking)
            return 250;
        return head_begun ? 100 : 50;
    }
    if (occupied > http->workers / 4 * 3)
        return 1500;
    return -1;
}

static int log_message(const struct mg_connection *mg, const char *message)
{
    struct grc_http *http = mg_get_user_data(mg_get_context(mg));

    if (http)
        snprintf(http->trouble, sizeof(http->trouble), "%s", message);
    grc_debug("civetweb: %s", message);
    return 1;
}

static void *init_thread(const struct mg_context *ctx, int type)
{
    struct grc_http *http = mg_get_user_data(ctx);
    struct grc_conn *conn = calloc(1, sizeof(*conn));

    grc_privileges_thread();
    if (!conn)
        abort(); /* at start, before anything is served */
    conn->http = http;
    conn->wait.arg = conn;
    conn->wait.stopping = &http->stopping;
    conn->wait.base_size = http->head_max;
    grc_buf_init(&conn->out, (size_t)1024 * 1024);
    grc_buf_init(&conn->target, http->head_max);
    grc_wait_next(&conn->wait, true);
    if (type == 1) {
        if (http->batch && !grc_thread_batch())
            grc_debug("workers keep the normal scheduling: %s", strerror(errno));
        conn->wait.patience_ms = patience_ms;
        conn->wait.opened = grc_http_handshake_begins;
    } else {
        conn->wait.mode = GRC_WAIT_ACCEPT;
    }
    grc_wait_attach(&conn->wait);
    return conn;
}

static void exit_thread(const struct mg_context *ctx, int type, void *thread)
{
    struct grc_conn *conn = thread;

    (void)ctx;
    (void)type;
    grc_wait_attach(NULL);
    if (!conn)
        return;
    grc_buf_done(&conn->out);
    grc_buf_done(&conn->target);
    free(conn);
}

static int init_connection(const struct mg_connection *mg, void **data)
{
    struct grc_conn *conn = mg_get_thread_pointer(mg);

    (void)data;
    conn->shaking = false;
    if (conn->counted) { /* a handshake is done; the head gets time of its own */
        grc_wait_next(&conn->wait, false);
        return 0;
    }
    conn->counted = true;
    atomic_fetch_add(&conn->http->occupied, 1);
    return 0;
}

static void connection_closed(const struct mg_connection *mg)
{
    struct grc_conn *conn = mg_get_thread_pointer(mg);

    if (conn->counted)
        atomic_fetch_sub(&conn->http->occupied, 1);
    conn->counted = false;
    grc_wait_next(&conn->wait, true);
}

/* --- start and stop --- */

char *grc_http_reason(const char *format, ...)
{
    char *reason = NULL;
    va_list args;

    va_start(args, format);
    if (vasprintf(&reason, format, args) < 0)
        reason = NULL;
    va_end(args);
    return reason;
}

/* Finds out which address cannot be bound and why, since CivetWeb says so in many words. */
static char *probe(const struct grc_listen *listen, size_t count, const char *trouble)
{
    for (size_t i = 0; i < count; i++) {
        struct sockaddr_in in = {.sin_family = AF_INET,
                                 .sin_port = htons((uint16_t)listen[i].port)};
        int on = 1;

        if (inet_pton(AF_INET, listen[i].address, &in.sin_addr) != 1)
            continue;
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd < 0)
            break;
        if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0 ||
            bind(fd, (const struct sockaddr *)&in, sizeof(in)) != 0) {
            char *reason =
                grc_http_reason("%s:%u: %s", listen[i].address, listen[i].port, strerror(errno));
            close(fd);
            return reason;
        }
        close(fd);
    }
    return grc_http_reason("%s:%u: %s", listen[0].address, listen[0].port,
                           trouble[0] ? trouble : "the listener did not start");
}

/* What the linked library cannot do, as a reason; NULL when all is well. */
static char *check_listen(const struct grc_listen *listen, size_t count)
{
    if (count == 0 || count > GRC_LISTEN_MAX)
        return grc_http_reason("no address to listen on");
    for (size_t i = 0; i < count; i++) {
        if (listen[i].address[0] == '[' && !grc_http_has_ipv6())
            return grc_http_reason(
                "%s:%u: this build of libcivetweb has no IPv6; use an IPv4 address",
                listen[i].address, listen[i].port);
    }
    return NULL;
}

bool grc_http_check(const struct grc_settings *settings, char **ret_reason)
{
    struct grc_http trial = {.tls = NULL};
    char *reason = check_listen(settings->listen, settings->listen_count);

    if (!reason)
        reason = grc_http_prepare_tls(&trial, settings->listen, settings->listen_count, settings);
    if (!reason && !trial.tls && settings->admin.address)
        reason = grc_http_prepare_tls(&trial, &settings->admin, 1, settings);
    grc_tls_free(trial.tls);
    *ret_reason = reason;
    return reason == NULL;
}

static void learn_ports(struct grc_http *http, const struct grc_listen *listen, size_t count)
{
    struct mg_server_port ports[GRC_LISTEN_MAX];
    int found = mg_get_server_ports(http->ctx, GRC_LISTEN_MAX, ports);

    for (size_t i = 0; i < count; i++) {
        http->ports[i] = found > 0 && i < (size_t)found ? (unsigned)ports[i].port : listen[i].port;
        snprintf(http->names[i], sizeof(http->names[i]), "%.50s:%u", listen[i].address,
                 http->ports[i]);
    }
    atomic_store(&http->listen_count, (unsigned)count);
}

static unsigned clamp(int64_t value, unsigned min, unsigned max)
{
    return value < (int64_t)min ? min : value > (int64_t)max ? max : (unsigned)value;
}

static struct grc_http *new_http(int64_t workers, bool admin, const struct grc_settings *settings,
                                 const struct grc_http_handler *handler)
{
    struct grc_http *http = calloc(1, sizeof(*http));

    if (!http)
        return NULL;
    http->handler = *handler;
    http->admin = admin;
    http->batch = !admin && settings->workers_batch;
    http->workers = clamp(workers, 1, 16384);
    http->spare = http->workers < 4 ? 0 : clamp(http->workers / 10, 1, 32);
    http->readers_max = http->workers < 2 ? 1 : http->workers / 2;
    http->uri_max = (size_t)settings->uri_max_bytes;
    http->head_max = clamp(settings->header_max_bytes + settings->uri_max_bytes, 2048, 1 << 20);
    http->header_timeout_ms = settings->header_timeout_ms;
    return http;
}

struct grc_http *grc_http_start(const struct grc_listen *listen, size_t count, int64_t workers,
                                bool admin, const struct grc_settings *settings,
                                const struct grc_http_handler *handler, char **ret_reason)
{
    /* Without log_access and access_log_file CivetWeb formats no local time, which takes a lock
     * of the whole process. */
    static const struct mg_callbacks callbacks = {
        .begin_request = grc_http_begin_request,
        .log_message = log_message,
        .http_error = grc_http_error,
        .init_thread = init_thread,
        .exit_thread = exit_thread,
        .init_connection = init_connection,
        .connection_close = grc_http_connection_closes,
        .connection_closed = connection_closed,
        .external_ssl_ctx = grc_http_give_context,
    };

    char *reason = check_listen(listen, count);
    if (reason) {
        *ret_reason = reason;
        return NULL;
    }
    struct grc_http *http = new_http(workers, admin, settings, handler);
    struct grc_http_options *options = calloc(1, sizeof(*options));
    if (!http || !options) {
        free(http);
        free(options);
        *ret_reason = grc_http_reason("out of memory");
        return NULL;
    }
    reason = grc_http_prepare_tls(http, listen, count, settings);
    if (reason) {
        free(options);
        free(http);
        *ret_reason = reason;
        return NULL;
    }
    grc_http_fill_options(options, http, listen, count, settings);
    struct mg_init_data init = {
        .callbacks = &callbacks, .user_data = http, .configuration_options = options->list};
    http->ctx = mg_start2(&init, NULL);
    free(options);
    if (!http->ctx) {
        *ret_reason = probe(listen, count, http->trouble);
        grc_tls_free(http->tls);
        free(http);
        return NULL;
    }
    learn_ports(http, listen, count);
    return http;
}

void grc_http_drain(struct grc_http *http)
{
    atomic_store(&http->draining, true);
}

bool grc_http_reload(struct grc_http *http, const struct grc_settings *settings, char **ret_reason)
{
    return !http->tls || grc_tls_reload(http->tls, &settings->tls, ret_reason);
}

bool grc_http_watch(struct grc_http *http)
{
    if (http->tls)
        grc_tls_watch(http->tls);
    return http->tls != NULL;
}

unsigned grc_http_active(const struct grc_http *http)
{
    return atomic_load(&http->active);
}

unsigned grc_http_workers(const struct grc_http *http)
{
    return http->workers;
}

unsigned grc_http_occupied(const struct grc_http *http)
{
    return atomic_load(&http->occupied);
}

unsigned grc_http_port(const struct grc_http *http, size_t index)
{
    return index < atomic_load(&http->listen_count) ? http->ports[index] : 0;
}

void grc_http_stop(struct grc_http *http)
{
    if (!http)
        return;
    atomic_store(&http->draining, true);
    atomic_store(&http->stopping, true);
    mg_stop(http->ctx);
    grc_tls_free(http->tls);
    free(http);
}

/* --- the library --- */

void grc_http_global_init(void)
{
    mg_init_library(MG_FEATURES_DEFAULT);
}

const char *grc_http_unchecked(const char *version)
{
    for (size_t i = 0; i < sizeof(known_versions) / sizeof(known_versions[0]); i++) {
        if (strcmp(version, known_versions[i]) == 0)
            return NULL;
    }
    return "the checks against request smuggling, and the time limits of connections, were tried "
           "with libcivetweb " KNOWN_VERSIONS " only";
}

void grc_http_warn_unchecked(const struct grc_settings *settings)
{
    const char *unchecked = grc_http_unchecked(mg_version());

    if (unchecked && !settings->civetweb_any)
        grc_warn("libcivetweb is %s, but %s; \"civetweb\": \"any\" under \"server\" accepts that",
                 mg_version(), unchecked);
}

const char *grc_http_library(void)
{
    return mg_version();
}

bool grc_http_has_ipv6(void)
{
    return mg_check_feature(MG_FEATURES_IPV6) != 0;
}
