#include "redis/transport.h"

#include "base/clock.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

struct grc_redis_transport {
    int fd;
    SSL_CTX *context; /* NULL: no TLS */
    SSL *ssl;
};

static void say(char reason[GRC_REDIS_REASON], const char *text)
{
    snprintf(reason, GRC_REDIS_REASON, "%s", text);
}

/* Waits until the descriptor is ready for events. Returns false with a reason. */
static bool ready(int fd, short events, int64_t deadline_ms, char reason[GRC_REDIS_REASON])
{
    struct pollfd polled = {.fd = fd, .events = events};
    int64_t left_ms;
    int result;

    do {
        left_ms = deadline_ms - grc_mono_ms();
        result = left_ms > 0 ? poll(&polled, 1, left_ms < 60000 ? (int)left_ms : 60000) : 0;
    } while ((result < 0 && errno == EINTR) || (result == 0 && left_ms > 0));
    if (result > 0)
        return true;
    say(reason, result == 0 ? "it did not answer in time" : strerror(errno));
    return false;
}

/* --- sockets --- */

/* Connects a new socket. Returns -1 with a reason. */
static int connect_to(int family, const struct sockaddr *address, socklen_t size,
                      int64_t deadline_ms, char reason[GRC_REDIS_REASON])
{
    int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    socklen_t length = sizeof(int);
    int problem = fd < 0 ? errno : 0;

    if (fd >= 0 && connect(fd, address, size) != 0) {
        problem = errno;
        if (problem == EINPROGRESS) {
            if (!ready(fd, POLLOUT, deadline_ms, reason)) {
                close(fd);
                return -1;
            }
            if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &problem, &length) != 0)
                problem = errno;
        }
    }
    if (problem == 0)
        return fd;
    say(reason, strerror(problem));
    if (fd >= 0)
        close(fd);
    return -1;
}

static int connect_unix(const char *path, int64_t deadline_ms, char reason[GRC_REDIS_REASON])
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    if (strlen(path) >= sizeof(address.sun_path)) {
        say(reason, "the path of the socket is too long");
        return -1;
    }
    memcpy(address.sun_path, path, strlen(path));
    return connect_to(AF_UNIX, (const struct sockaddr *)&address, sizeof(address), deadline_ms,
                      reason);
}

/* Tries the addresses of the host, one after the other. */
static int connect_tcp(const struct grc_redis_url *url, int64_t deadline_ms,
                       char reason[GRC_REDIS_REASON])
{
    const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct addrinfo *list = NULL;
    char port[8];
    int on = 1;
    int fd = -1;

    snprintf(port, sizeof(port), "%u", url->port);
    int problem = getaddrinfo(url->host, port, &hints, &list);
    if (problem != 0) {
        say(reason, gai_strerror(problem));
        return -1;
    }
    for (const struct addrinfo *at = list; at && fd < 0; at = at->ai_next)
        fd = connect_to(at->ai_family, at->ai_addr, at->ai_addrlen, deadline_ms, reason);
    freeaddrinfo(list);
    if (fd >= 0) {
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
        (void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
    }
    return fd;
}

/* --- TLS --- */

static bool tls_failed(const SSL *ssl, char reason[GRC_REDIS_REASON])
{
    long verified = ssl ? SSL_get_verify_result(ssl) : X509_V_OK;
    unsigned long code = ERR_peek_last_error();
    char text[120] = "the connection was closed";

    if (code)
        ERR_error_string_n(code, text, sizeof(text));
    ERR_clear_error();
    if (verified != X509_V_OK)
        snprintf(reason, GRC_REDIS_REASON, "its certificate is refused: %.120s",
                 X509_verify_cert_error_string(verified));
    else
        snprintf(reason, GRC_REDIS_REASON, "TLS: %s", text);
    return false;
}

/* Waits for what the result of a TLS call wants. Returns false with a reason when the call failed.
 */
static bool tls_wait(struct grc_redis_transport *transport, int result, int64_t deadline_ms,
                     char reason[GRC_REDIS_REASON])
{
    switch (SSL_get_error(transport->ssl, result)) {
    case SSL_ERROR_WANT_READ:
        return ready(transport->fd, POLLIN, deadline_ms, reason);
    case SSL_ERROR_WANT_WRITE:
        return ready(transport->fd, POLLOUT, deadline_ms, reason);
    default:
        return tls_failed(transport->ssl, reason);
    }
}

/* Has the certificate checked for this host, a name or an address. */
static bool expect_host(SSL *ssl, const char *host)
{
    if (X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host) == 1)
        return true;
    return SSL_set1_host(ssl, host) == 1 && SSL_set_tlsext_host_name(ssl, host) == 1;
}

static bool start_tls(struct grc_redis_transport *transport, const char *host, const char *ca_file,
                      int64_t deadline_ms, char reason[GRC_REDIS_REASON])
{
    int result;

    ERR_clear_error();
    transport->context = SSL_CTX_new(TLS_client_method());
    if (!transport->context ||
        SSL_CTX_set_min_proto_version(transport->context, TLS1_2_VERSION) != 1 ||
        (ca_file ? SSL_CTX_load_verify_locations(transport->context, ca_file, NULL)
                 : SSL_CTX_set_default_verify_paths(transport->context)) != 1)
        return tls_failed(NULL, reason);
    SSL_CTX_set_verify(transport->context, SSL_VERIFY_PEER, NULL);
    transport->ssl = SSL_new(transport->context);
    if (!transport->ssl || !expect_host(transport->ssl, host) ||
        SSL_set_fd(transport->ssl, transport->fd) != 1)
        return tls_failed(NULL, reason);
    do {
        ERR_clear_error();
        result = SSL_connect(transport->ssl);
    } while (result != 1 && tls_wait(transport, result, deadline_ms, reason));
    return result == 1;
}

/* --- the interface --- */

struct grc_redis_transport *grc_redis_transport_open(const struct grc_redis_url *url,
                                                     const char *ca_file, int64_t deadline_ms,
                                                     char reason[GRC_REDIS_REASON])
{
    struct grc_redis_transport *transport = calloc(1, sizeof(*transport));

    if (!transport) {
        say(reason, "out of memory");
        return NULL;
    }
    transport->fd = url->path ? connect_unix(url->path, deadline_ms, reason)
                              : connect_tcp(url, deadline_ms, reason);
    if (transport->fd >= 0 &&
        (!url->tls || start_tls(transport, url->host, ca_file, deadline_ms, reason)))
        return transport;
    grc_redis_transport_close(transport);
    return NULL;
}

void grc_redis_transport_close(struct grc_redis_transport *transport)
{
    if (!transport)
        return;
    SSL_free(transport->ssl);
    SSL_CTX_free(transport->context);
    if (transport->fd >= 0)
        close(transport->fd);
    free(transport);
}

/* As send(): with TLS, or without. Returns -1 after it has waited, 0 with a reason. */
static ssize_t write_some(struct grc_redis_transport *transport, gr_str bytes, int64_t deadline_ms,
                          char reason[GRC_REDIS_REASON])
{
    if (transport->ssl) {
        ERR_clear_error();
        int result = SSL_write(transport->ssl, bytes.ptr,
                               bytes.len < INT32_MAX ? (int)bytes.len : INT32_MAX);

        if (result > 0)
            return result;
        return tls_wait(transport, result, deadline_ms, reason) ? -1 : 0;
    }
    ssize_t count = send(transport->fd, bytes.ptr, bytes.len, MSG_NOSIGNAL);
    if (count > 0)
        return count;
    if (errno == EAGAIN || errno == EINTR)
        return ready(transport->fd, POLLOUT, deadline_ms, reason) ? -1 : 0;
    say(reason, strerror(errno));
    return 0;
}

bool grc_redis_transport_write(struct grc_redis_transport *transport, gr_str bytes,
                               int64_t deadline_ms, char reason[GRC_REDIS_REASON])
{
    while (bytes.len > 0) {
        ssize_t count = write_some(transport, bytes, deadline_ms, reason);

        if (count == 0)
            return false;
        if (count > 0)
            bytes = (gr_str){bytes.ptr + count, bytes.len - (size_t)count};
    }
    return true;
}

/* As write_some(). */
static ssize_t read_some(struct grc_redis_transport *transport, char *ret, size_t size,
                         int64_t deadline_ms, char reason[GRC_REDIS_REASON])
{
    if (transport->ssl) {
        ERR_clear_error();
        int result = SSL_read(transport->ssl, ret, size < INT32_MAX ? (int)size : INT32_MAX);

        if (result > 0)
            return result;
        return tls_wait(transport, result, deadline_ms, reason) ? -1 : 0;
    }
    ssize_t count = recv(transport->fd, ret, size, 0);
    if (count > 0)
        return count;
    if (count < 0 && (errno == EAGAIN || errno == EINTR))
        return ready(transport->fd, POLLIN, deadline_ms, reason) ? -1 : 0;
    say(reason, count == 0 ? "it has closed the connection" : strerror(errno));
    return 0;
}

size_t grc_redis_transport_read(struct grc_redis_transport *transport, char *ret, size_t size,
                                int64_t deadline_ms, char reason[GRC_REDIS_REASON])
{
    ssize_t count;

    do {
        count =
            grc_mono_ms() < deadline_ms ? read_some(transport, ret, size, deadline_ms, reason) : 0;
        if (count == 0 && grc_mono_ms() >= deadline_ms)
            say(reason, "it did not answer in time");
    } while (count < 0);
    return (size_t)count;
}
