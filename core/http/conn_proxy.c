/* The header that a proxy sends before all else on a connection. */
#include "http/internal.h"

#include "http/proxy_header.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>

/* The header is read from the socket itself, since TLS begins behind it. The bytes are only peeked
 * at until the header is whole, so that none of those behind it are taken. */
enum grc_came grc_conn_take_proxy_header(struct grc_conn *conn)
{
    char bytes[GRC_PROXY_HEADER_MAX];
    char text[GRC_IP_TEXT_SIZE];
    struct grc_proxy_header header;
    ssize_t got = recv(conn->fd, bytes, sizeof(bytes), MSG_PEEK);

    if (got < 0)
        return errno == EAGAIN || errno == EINTR ? GRC_CAME_NONE : GRC_CAME_TROUBLE;
    if (got == 0)
        return GRC_CAME_END;
    switch (grc_proxy_header_read(bytes, (size_t)got, &header)) {
    case GRC_PROXY_MORE:
        return GRC_CAME_NONE;
    case GRC_PROXY_WRONG:
        grc_conn_refuse(conn, 0,
                        "the connection does not begin with a header of the PROXY protocol");
        return GRC_CAME_END;
    case GRC_PROXY_WHOLE:
        break;
    }
    if (recv(conn->fd, bytes, header.len, 0) != (ssize_t)header.len)
        return GRC_CAME_TROUBLE;
    if (header.names_client) {
        gr_str address = grc_ip_text(&header.client, text);

        snprintf(conn->client, sizeof(conn->client), "%.*s", (int)address.len, address.ptr);
    }
    conn->proxied = false;
    return GRC_CAME_SOME;
}
