/*
 * A fast upstream for measurements: one thread, one epoll, kept connections.
 * usage: upstream PORT
 * Every request is answered with JSON. The path says how:
 *   /…/delay/50     after 50 ms
 *   /…/size/200000  with a body of that many bytes (default: a room of some 300 bytes)
 * The last path segment decides, so "/v2/rooms/x" is a plain, immediate answer.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define FDS_MAX 65536
#define IN_BYTES 16384
#define DELAY_MAX_MS 1000

struct client {
    int fd;
    size_t in_len;
    char in[IN_BYTES];
    const char *out; /* the bytes that are being sent */
    size_t out_len;
    size_t out_done;
    char *owned;         /* equal to out if that was allocated for this client */
    struct client *next; /* the next one in the same list of `due` */
    bool waiting;
};

static struct client *clients[FDS_MAX];
static struct client *due[DELAY_MAX_MS + 1]; /* one list of waiting clients for each millisecond */
static int64_t wheel_ms;
static int poller;

static int64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void drop(struct client *client)
{
    clients[client->fd] = NULL;
    close(client->fd);
    free(client->owned);
    free(client);
}

static void watch(struct client *client, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.fd = client->fd};

    epoll_ctl(poller, EPOLL_CTL_MOD, client->fd, &event);
}

static bool send_more(struct client *client)
{
    while (client->out_done < client->out_len) {
        ssize_t put = send(client->fd, client->out + client->out_done,
                           client->out_len - client->out_done, MSG_NOSIGNAL);

        if (put < 0 && errno == EAGAIN) {
            watch(client, EPOLLOUT);
            return true;
        }
        if (put <= 0)
            return false;
        client->out_done += (size_t)put;
    }
    if (client->out_len)
        watch(client, EPOLLIN);
    free(client->owned);
    client->owned = NULL;
    client->out = NULL;
    client->out_len = 0;
    return true;
}

static const char small[] =
    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 310\r\n\r\n"
    "{\"id\":\"66f1c0a2b4d93e5a7c118e01\",\"name\":\"algebra-tue.07\",\"enabled\":true,"
    "\"description\":\"Tuesday evening algebra\",\"customer_id\":\"65aa10c4d7e2f90b3c4d5e6f\","
    "\"recording_info\":{\"enabled\":false},\"template_id\":\"66f1bfe7b4d93e5a7c118d9a\","
    "\"region\":\"eu\",\"created_at\":\"2025-03-04T17:02:11.48Z\",\"key\":\"0123456789012345678\"}";

static char *make_large(size_t body, size_t *ret_len)
{
    char head[128];
    int len = snprintf(head, sizeof(head),
                       "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                       "Content-Length: %zu\r\n\r\n",
                       body);
    char *text = malloc((size_t)len + body);

    if (!text)
        return NULL;
    memcpy(text, head, (size_t)len);
    memset(text + len, 'x', body);
    if (body > 11) {
        memcpy(text + len, "{\"data\":\"", 9);
        memcpy(text + (size_t)len + body - 2, "\"}", 2);
    }
    *ret_len = (size_t)len + body;
    return text;
}

static unsigned long number_after(const char *path, const char *word)
{
    const char *at = strstr(path, word);

    return at ? strtoul(at + strlen(word), NULL, 10) : 0;
}

static bool answer(struct client *client, const char *path)
{
    unsigned long delay = number_after(path, "/delay/");
    unsigned long size = number_after(path, "/size/");

    client->out = small;
    client->out_len = sizeof(small) - 1;
    client->out_done = 0;
    if (size) {
        client->owned = make_large(size, &client->out_len);
        client->out = client->owned;
        if (!client->owned)
            return false;
    }
    if (delay == 0)
        return send_more(client);
    if (delay > DELAY_MAX_MS)
        delay = DELAY_MAX_MS;
    int64_t at = (now_ms() + (int64_t)delay) % (DELAY_MAX_MS + 1);
    client->next = due[at];
    due[at] = client;
    client->waiting = true;
    watch(client, 0);
    return true;
}

/* Returns the length of the request at the start of the buffer, or 0 when not all of it is
 * there. */
static size_t request_len(struct client *client)
{
    char *end = memmem(client->in, client->in_len, "\r\n\r\n", 4);

    if (!end)
        return 0;
    *end = '\0';
    size_t head = (size_t)(end - client->in) + 4;
    const char *length = strcasestr(client->in, "\r\nContent-Length:");
    size_t body = length ? strtoul(length + 17, NULL, 10) : 0;
    if (head + body <= client->in_len)
        return head + body;
    *end = '\r';
    return 0;
}

static bool take_requests(struct client *client)
{
    size_t len;

    while (!client->waiting && client->out_len == 0 && (len = request_len(client)) > 0) {
        char *path = strchr(client->in, ' ');
        char *space = path ? strchr(path + 1, ' ') : NULL;

        if (!space)
            return false;
        *space = '\0';
        bool ok = answer(client, path + 1);
        client->in_len -= len;
        memmove(client->in, client->in + len, client->in_len);
        if (!ok)
            return false;
    }
    return true;
}

static bool receive(struct client *client)
{
    if (client->in_len == IN_BYTES - 1)
        return false;
    ssize_t got = recv(client->fd, client->in + client->in_len, IN_BYTES - 1 - client->in_len, 0);
    if (got < 0)
        return errno == EAGAIN;
    if (got == 0)
        return false;
    client->in_len += (size_t)got;
    client->in[client->in_len] = '\0';
    return take_requests(client);
}

static void accept_all(int listener)
{
    for (;;) {
        int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        int on = 1;

        if (fd < 0)
            return;
        struct client *client = fd < FDS_MAX ? calloc(1, sizeof(*client)) : NULL;
        struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
        if (!client || epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event) != 0) {
            free(client);
            close(fd);
            continue;
        }
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
        client->fd = fd;
        clients[fd] = client;
    }
}

static void turn_wheel(void)
{
    int64_t now = now_ms();

    for (; wheel_ms <= now; wheel_ms++) {
        struct client *client = due[wheel_ms % (DELAY_MAX_MS + 1)];

        due[wheel_ms % (DELAY_MAX_MS + 1)] = NULL;
        while (client) {
            struct client *next = client->next;

            client->waiting = false;
            if (!send_more(client) || !take_requests(client))
                drop(client);
            client = next;
        }
    }
}

int main(int argc, char **argv)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct epoll_event events[256];
    int on = 1;

    if (argc != 2)
        return 2;
    address.sin_port = htons((uint16_t)strtoul(argv[1], NULL, 10));
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (bind(listener, (const struct sockaddr *)&address, sizeof(address)) != 0 ||
        listen(listener, 4096) != 0) {
        perror("upstream");
        return 1;
    }
    poller = epoll_create1(EPOLL_CLOEXEC);
    events[0] = (struct epoll_event){.events = EPOLLIN, .data.fd = listener};
    epoll_ctl(poller, EPOLL_CTL_ADD, listener, &events[0]);
    wheel_ms = now_ms();
    for (;;) {
        int count = epoll_wait(poller, events, 256, 1);

        turn_wheel();
        for (int i = 0; i < count; i++) {
            struct client *client = clients[events[i].data.fd];

            if (events[i].data.fd == listener)
                accept_all(listener);
            else if (client && !((events[i].events & EPOLLOUT) ? send_more(client) : true))
                drop(client);
            else if (client && (events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) &&
                     !client->waiting && !receive(client))
                drop(client);
        }
    }
}
