/* HTTPS listeners on CivetWeb: handshakes that fail or do not end, and where its context comes
 * from. */
#include "http/civetweb.h"

#include "base/log.h"
#include "http/tls_library.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

/* Whoever speaks HTTP here most likely only mistook the port: nobody else can tell him. */
static void answer_plainly(int fd)
{
    static const char body[] = "{\"code\":400,\"message\":\"Bad Request\",\"details\":"
                               "[\"this port speaks HTTPS\"]}";
    char waste[4096];
    char answer[512];

    while (recv(fd, waste, sizeof(waste), MSG_DONTWAIT) > 0)
        continue;
    int len = snprintf(answer, sizeof(answer),
                       "HTTP/1.1 400 Bad Request\r\nServer: greenroom\r\nContent-Type: "
                       "application/json\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n%s",
                       sizeof(body) - 1, body);
    ssize_t sent = send(fd, answer, (size_t)len, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent != len)
        grc_debug("an answer to HTTP on an HTTPS port did not leave");
}

/* CivetWeb says nothing about a connection before its handshake is done. */
static void refuse_handshake(struct grc_conn *conn, int fd, int status, const char *reason)
{
    struct sockaddr_storage address = {.ss_family = AF_UNSPEC};
    socklen_t size = sizeof(address);
    char peer[INET6_ADDRSTRLEN] = "";
    const void *in = &((const struct sockaddr_in *)&address)->sin_addr;

    conn->shaking = false;
    if (getpeername(fd, (struct sockaddr *)&address, &size) != 0)
        return;
    if (address.ss_family == AF_INET6)
        in = &((const struct sockaddr_in6 *)&address)->sin6_addr;
    if (inet_ntop(address.ss_family, in, peer, sizeof(peer)))
        grc_http_refuse(conn->http, peer, status, reason);
}

static void handshake_failed(void *connection, int fd, bool spoke_http, const char *reason)
{
    struct grc_conn *conn = mg_get_thread_pointer(connection);

    if (spoke_http)
        answer_plainly(fd);
    refuse_handshake(conn, fd, spoke_http ? 400 : 0, spoke_http ? "HTTP on an HTTPS port" : reason);
}

void grc_http_connection_closes(const struct mg_connection *mg)
{
    struct grc_conn *conn = mg_get_thread_pointer(mg);

    if (conn->shaking)
        refuse_handshake(conn, conn->wait.fd, 0, "the TLS handshake did not end");
}

/* CivetWeb tells of a TLS connection only after its handshake, which holds a worker as well. */
void grc_http_handshake_begins(void *arg)
{
    struct grc_conn *conn = arg;

    if (conn->counted)
        return;
    conn->counted = true;
    conn->shaking = true;
    conn->wait.tls = true;
    atomic_fetch_add(&conn->http->occupied, 1);
}

/* Called when CivetWeb starts, for a context, and when it stops, to know that it is not its own. */
int grc_http_give_context(void **ret_ctx, void *data)
{
    struct grc_http *http = data;

    if (http->tls)
        *ret_ctx = grc_tls_context(http->tls);
    return http->tls ? 1 : 0;
}

char *grc_http_prepare_tls(struct grc_http *http, const struct grc_listen *listen, size_t count,
                           const struct grc_settings *settings)
{
    const char *trouble = NULL;
    char *reason = NULL;
    size_t first = 0;

    while (first < count && !listen[first].tls)
        first++;
    if (first == count)
        return NULL;
    unsigned (*function)(unsigned) = mg_check_feature;
    uintptr_t inside = 0;

    memcpy(&inside, &function, sizeof(inside));
    if (!mg_check_feature(MG_FEATURES_TLS))
        return grc_http_reason("%s:%u: the linked libcivetweb was built without TLS",
                               listen[first].address, listen[first].port);
    if (!grc_tls_library_open(inside, &trouble))
        return grc_http_reason("%s:%u: %s", listen[first].address, listen[first].port, trouble);
    http->tls = grc_tls_new(&settings->tls, handshake_failed, &reason);
    if (http->tls)
        return NULL;
    char *whole = grc_http_reason("%s:%u: %s", listen[first].address, listen[first].port,
                                  reason ? reason : "out of memory");
    free(reason);
    return whole;
}
