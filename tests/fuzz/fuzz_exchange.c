/* Answers a call of the gateway with the bytes of an input, and reads what the client gets. There
 * is a route that passes the answer on, one that filters it, and one whose handler makes the call
 * itself. The first byte of an input selects the route. */
#include "fuzz/live.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define ANSWER_MAX 65536u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int listener;

/* The bytes of the current run. A connection of an earlier one may still be served, so they are
 * copied. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char answer[ANSWER_MAX];
static size_t answer_len;

/* Reads until the end of the head. A body that follows is not needed. */
static void read_head(int fd)
{
    char head[8192];
    size_t len = 0;
    ssize_t got;

    do {
        got = recv(fd, head + len, sizeof(head) - len, 0);
        len += got > 0 ? (size_t)got : 0;
    } while ((got > 0 || (got < 0 && errno == EINTR)) && len < sizeof(head) &&
             !memmem(head, len, "\r\n\r\n", 4));
}

static void *upstream(void *arg)
{
    static char bytes[ANSWER_MAX];

    (void)arg;
    for (;;) {
        int fd = accept(listener, NULL, NULL);

        if (fd < 0)
            continue;
        read_head(fd);
        pthread_mutex_lock(&lock);
        size_t len = answer_len;
        memcpy(bytes, answer, len);
        pthread_mutex_unlock(&lock);
        for (size_t at = 0; at < len;) {
            ssize_t sent = send(fd, bytes + at, len - at, MSG_NOSIGNAL);

            if (sent < 0)
                break;
            at += (size_t)sent;
        }
        (void)shutdown(fd, SHUT_WR);
        while (recv(fd, (char[512]){0}, 512, 0) > 0)
            continue;
        close(fd);
    }
    return NULL;
}

static void start(void)
{
    static const struct live_group groups[] = {{"rooms", "{}"}, {NULL, NULL}};
    char config[512];
    unsigned port = 0;
    pthread_t thread;

    listener = live_listen(&port);
    if (pthread_create(&thread, NULL, upstream, NULL) != 0 || pthread_detach(thread) != 0)
        abort();
    snprintf(config, sizeof(config),
             "{\"auth\": {\"none\": {\"scopes\": [\"*\"]}},"
             " \"upstreams\": {\"api\": {\"url\": \"http://127.0.0.1:%u/v2\", \"retries\": 0,"
             " \"answer_max\": \"128k\", \"breaker\": {\"enabled\": false}}}}",
             port);
    (void)live_start(config, groups);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const requests[] = {
        "GET /rooms/r1 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
        "GET /rooms HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
        "POST /rooms HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
        "Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}",
        "HEAD /rooms/r1 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
    };

    if (size == 0 || size > ANSWER_MAX)
        return 0;
    if (!listener)
        start();
    pthread_mutex_lock(&lock);
    answer_len = size - 1;
    memcpy(answer, data + 1, answer_len);
    pthread_mutex_unlock(&lock);
    bool fails = memmem(data, size, " 500", 4) != NULL;
    if (live_status(live_send(gr_str_of(requests[data[0] & 3]), fails)) == 0)
        abort();
    return 0;
}
