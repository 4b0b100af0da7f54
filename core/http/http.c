/* Starts, drains and stops listeners. */
#include "http/http.h"

#include "base/clock.h"
#include "base/format.h"
#include "http/descriptors.h"
#include "http/internal.h"
#include "http/port_owner.h"
#include "loop/turn.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* How long requests that were given up may take to answer, and then to see that their connection
 * was broken. */
#define LAST_ANSWERS_MS 400
#define LAST_WRITES_MS 600

void grc_http_warn_descriptors(const struct grc_settings *settings)
{
    grc_descriptors_warn(settings);
}

/* --- checks of the settings --- */

/* Returns NULL, or the reason why the linked library cannot listen there. */
static char *check_listen(const struct grc_listen *listen, size_t count)
{
    if (count == 0 || count > GRC_LISTEN_MAX)
        return grc_format("no address to listen on");
    for (size_t i = 0; i < count; i++) {
        if (listen[i].address[0] == '[' && !grc_http_has_ipv6())
            return grc_format("%s:%u: this build of libcivetweb has no IPv6; use an IPv4 address",
                              listen[i].address, listen[i].port);
    }
    return NULL;
}

/* Returns NULL and sets *ret_tls if a listener needs it, or returns the reason of a failure. */
static char *prepare_tls(const struct grc_listen *listen, size_t count,
                         const struct grc_settings *settings, struct grc_tls **ret_tls)
{
    char *reason = NULL;
    size_t first = 0;

    while (first < count && !listen[first].tls)
        first++;
    if (first == count)
        return NULL;
    *ret_tls = grc_tls_new(&settings->tls, &reason);
    if (*ret_tls)
        return NULL;
    char *whole = grc_format("%s:%u: %s", listen[first].address, listen[first].port,
                             reason ? reason : "out of memory");
    free(reason);
    return whole;
}

bool grc_http_check(const struct grc_settings *settings, char **ret_reason)
{
    struct grc_tls *tls = NULL;
    char *reason = check_listen(settings->listen, settings->listen_count);

    if (!reason)
        reason = prepare_tls(settings->listen, settings->listen_count, settings, &tls);
    if (!reason && !tls && settings->admin.address)
        reason = prepare_tls(&settings->admin, 1, settings, &tls);
    grc_tls_free(tls);
    *ret_reason = reason;
    return reason == NULL;
}

/* Returns false if the text is not an address. */
static bool address_of(const struct grc_listen *listen, struct sockaddr_storage *ret_address)
{
    struct sockaddr_in *in = (struct sockaddr_in *)ret_address;
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)ret_address;
    char text[INET6_ADDRSTRLEN];

    memset(ret_address, 0, sizeof(*ret_address));
    if (listen->address[0] != '[') {
        in->sin_family = AF_INET;
        in->sin_port = htons((uint16_t)listen->port);
        return inet_pton(AF_INET, listen->address, &in->sin_addr) == 1;
    }
    snprintf(text, sizeof(text), "%.*s", (int)strcspn(listen->address + 1, "]"),
             listen->address + 1);
    in6->sin6_family = AF_INET6;
    in6->sin6_port = htons((uint16_t)listen->port);
    return inet_pton(AF_INET6, text, &in6->sin6_addr) == 1;
}

/* Returns 0 if the address can be bound, else errno. */
static int try_to_bind(const struct sockaddr_storage *address)
{
    const int on = 1;
    int error = 0;
    int fd = socket(address->ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return errno;
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0 ||
        (address->ss_family == AF_INET6 &&
         setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) != 0) ||
        bind(fd, (const struct sockaddr *)address, sizeof(*address)) != 0)
        error = errno;
    close(fd);
    return error;
}

/* Returns the reason why the address cannot be bound, or NULL. */
static char *trouble_of(const struct grc_listen *listen)
{
    struct sockaddr_storage address;
    int error = address_of(listen, &address) ? try_to_bind(&address) : 0;
    char *owner = error == EADDRINUSE ? grc_port_owner(listen->port) : NULL;

    if (!error)
        return NULL;
    char *reason = grc_format("%s:%u: %s%s%s", listen->address, listen->port, strerror(error),
                              owner ? ", by " : "", owner ? owner : "");
    free(owner);
    return reason;
}

bool grc_http_try(const struct grc_listen *listen, char **ret_reason)
{
    *ret_reason = trouble_of(listen);
    return *ret_reason == NULL;
}

/* Finds out which address cannot be bound and why, since CivetWeb's message is long-winded. */
static char *explain(const struct grc_listen *listen, size_t count, const char *trouble)
{
    for (size_t i = 0; i < count; i++) {
        char *reason = trouble_of(&listen[i]);

        if (reason)
            return reason;
    }
    return grc_format("%s:%u: %s", listen[0].address, listen[0].port,
                      trouble[0] ? trouble : "the listener did not start");
}

/* --- life --- */

void grc_http_free(struct grc_http *http)
{
    if (!http)
        return;
    grc_conns_free(http);
    grc_transactions_free(http);
    grc_door_free(http);
    grc_loop_free(http->loop);
    grc_tls_free(http->tls);
    pthread_mutex_destroy(&http->lock);
    free(http);
}

/* How many of the workers are kept free. */
static unsigned spare_of(unsigned workers)
{
    unsigned tenth = workers < 320 ? workers / 10 : 32;

    return workers < 4 ? 0 : tenth > 0 ? tenth : 1;
}

static void apply(struct grc_http *http, bool admin, const struct grc_settings *settings,
                  const struct grc_descriptors *descriptors)
{
    unsigned workers = admin ? descriptors->admin_workers : descriptors->workers;

    http->admin = admin;
    http->batch = !admin;
    http->workers = workers;
    http->spare = spare_of(workers);
    http->connections_max =
        admin ? descriptors->admin_connections_max : descriptors->connections_max;
    http->requests_max = admin ? http->connections_max : (unsigned)settings->requests_max;
    http->waiting_bytes_max = settings->waiting_bytes_max;
    http->limits.uri_max = (size_t)settings->uri_max_bytes;
    http->limits.headers_max = (size_t)settings->header_max_bytes;
    http->head_max = grc_framing_head_max(&http->limits);
    http->header_timeout_ms = settings->header_timeout_ms;
    http->keep_alive_timeout_ms = settings->keep_alive_timeout_ms;
}

/* Processors + 1 workers run at a time, and half of all beside them with handlers that are known to
 * block. The workers of the admin listener are not limited, so that it answers under any load. */
static bool begin_turns(struct grc_http *http)
{
    long processors = sysconf(_SC_NPROCESSORS_ONLN);

    return http->admin || grc_turns_begin(http->loop, processors > 0 ? (unsigned)processors + 1 : 2,
                                          (unsigned)http->workers / 2, GRC_TURN_PATIENCE_MS);
}

static struct grc_http *http_new(bool admin, const struct grc_settings *settings,
                                 const struct grc_http_handler *handler)
{
    struct grc_descriptors descriptors;
    struct grc_http *http = calloc(1, sizeof(*http));

    if (!http)
        return NULL;
    pthread_mutex_init(&http->lock, NULL);
    http->handler = *handler;
    grc_descriptors_share(settings, &descriptors);
    apply(http, admin, settings, &descriptors);
    http->loop = grc_loop_new();
    size_t slots = http->connections_max + descriptors.connections_over;
    if (http->loop && begin_turns(http) && grc_conns_new(http, slots) && grc_door_new(http))
        return http;
    grc_http_free(http);
    return NULL;
}

/* Repeats act, since new requests may begin meanwhile, until no request is being served. Returns
 * false at the timeout. */
static bool until_none_is_served(struct grc_http *http, void (*act)(struct grc_http *http),
                                 int64_t timeout_ms)
{
    const struct timespec pause = {.tv_nsec = 5 * 1000000L};
    int64_t due_ms = grc_mono_ms() + timeout_ms;

    while (atomic_load(&http->active) > 0) {
        if (grc_mono_ms() >= due_ms)
            return false;
        act(http);
        nanosleep(&pause, NULL);
    }
    return true;
}

/* Cancels waiting requests, which then answer, and after that shuts down connections whose clients
 * do not read. Returns false if a handler blocks its thread. */
static bool give_up_requests(struct grc_http *http)
{
    atomic_store(&http->stage, GRC_HTTP_GIVING_UP);
    return until_none_is_served(http, grc_conns_cancel, LAST_ANSWERS_MS) ||
           until_none_is_served(http, grc_conns_break, LAST_WRITES_MS);
}

static void stop_threads(struct grc_http *http)
{
    atomic_store(&http->stopping, true);
    grc_loop_stop(http->loop);
    grc_door_stop(http);
    grc_civetweb_stop(http);
}

struct grc_http *grc_http_start(const struct grc_listen *listen, size_t count, bool admin,
                                const struct grc_settings *settings,
                                const struct grc_http_handler *handler, char **ret_reason)
{
    const char *trouble = NULL;

    *ret_reason = check_listen(listen, count);
    if (*ret_reason)
        return NULL;
    struct grc_http *http = http_new(admin, settings, handler);
    if (!http) {
        *ret_reason = grc_format("out of memory");
        return NULL;
    }
    *ret_reason = prepare_tls(listen, count, settings, &http->tls);
    if (*ret_reason) {
        grc_http_free(http);
        return NULL;
    }
    http->listener_count = count;
    for (size_t i = 0; i < count; i++) {
        http->listeners[i].tls = listen[i].tls;
        http->listeners[i].proxy_protocol = listen[i].proxy_protocol;
    }
    if (grc_civetweb_start(http, listen, count, &trouble))
        return http;
    *ret_reason = explain(listen, count, trouble);
    stop_threads(http);
    grc_http_free(http);
    return NULL;
}

void grc_http_leave(struct grc_http *http)
{
    atomic_store(&http->stage, GRC_HTTP_LEAVING);
}

void grc_http_drain(struct grc_http *http)
{
    atomic_store(&http->stage, GRC_HTTP_DRAINING);
    grc_door_drain(http);
    grc_conns_drain(http);
}

unsigned grc_http_unfinished(const struct grc_http *http)
{
    return atomic_load(&http->unfinished);
}

bool grc_http_stop(struct grc_http *http)
{
    if (!http)
        return true;
    grc_door_shut(http);
    if (!give_up_requests(http))
        return false;
    stop_threads(http);
    return true;
}

/* --- TLS --- */

bool grc_http_prepare(struct grc_http *http, const struct grc_settings *settings, char **ret_reason)
{
    return !http->tls || grc_tls_prepare(http->tls, &settings->tls, ret_reason);
}

void grc_http_settle(struct grc_http *http, bool take_over)
{
    if (http && http->tls)
        grc_tls_settle(http->tls, take_over);
}

bool grc_http_watch(struct grc_http *http)
{
    if (http->tls)
        grc_tls_watch(http->tls);
    return http->tls != NULL;
}

/* --- what is counted --- */

unsigned grc_http_active(const struct grc_http *http)
{
    return atomic_load(&http->active);
}

unsigned grc_http_workers(const struct grc_http *http)
{
    return http->workers;
}

unsigned grc_http_connections(const struct grc_http *http)
{
    return atomic_load(&http->open);
}

void grc_http_connections_by_state(const struct grc_http *http, struct grc_http_connections *ret)
{
    unsigned open = atomic_load(&http->open);

    ret->receiving = atomic_load(&http->receiving);
    ret->request = atomic_load(&http->active);
    ret->closing = atomic_load(&http->closing);
    unsigned busy = ret->receiving + ret->request + ret->closing;
    ret->idle = open > busy ? open - busy : 0; /* they change while they are read */
}

unsigned grc_http_running(const struct grc_http *http)
{
    return atomic_load(&http->running);
}

unsigned grc_http_queued(const struct grc_http *http)
{
    return atomic_load(&http->ready_count);
}

unsigned grc_http_port(const struct grc_http *http, size_t index)
{
    return index < http->listener_count ? http->listeners[index].port : 0;
}
