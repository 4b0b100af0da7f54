#include "upstream/internal.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

static curl_socket_t on_open(void *arg, curlsocktype purpose, struct curl_sockaddr *address)
{
    struct grc_sockets *sockets = arg;
    int fd = socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);

    (void)purpose;
    if (fd < 0)
        return CURL_SOCKET_BAD;
    if (!sockets)
        return fd;
    if (sockets->count < GRC_SOCKETS_MAX)
        sockets->fds[sockets->count++] = fd;
    else
        sockets->overflown = true;
    return fd;
}

static int on_close(void *arg, curl_socket_t fd)
{
    struct grc_sockets *sockets = arg;

    for (size_t i = 0; sockets && i < sockets->count; i++) {
        if (sockets->fds[i] == fd) {
            sockets->fds[i] = sockets->fds[--sockets->count];
            break;
        }
    }
    return close(fd);
}

CURLcode grc_sockets_attach(CURL *easy, struct grc_sockets *sockets)
{
    CURLcode rc = grc_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, on_open);

    if (rc == CURLE_OK)
        rc = grc_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, sockets);
    if (rc == CURLE_OK)
        rc = grc_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, on_close);
    if (rc == CURLE_OK)
        rc = grc_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, sockets);
    return rc;
}

bool grc_sockets_stirred(const struct grc_sockets *sockets)
{
    struct pollfd fds[GRC_SOCKETS_MAX];

    if (sockets->overflown)
        return true;
    if (sockets->count == 0)
        return false;
    for (size_t i = 0; i < sockets->count; i++)
        fds[i] = (struct pollfd){.fd = sockets->fds[i], .events = POLLIN | POLLRDHUP};
    return poll(fds, (nfds_t)sockets->count, 0) != 0;
}
