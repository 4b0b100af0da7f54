/*
 * A CivetWeb server that does as little as possible. Every request gets the same small JSON answer
 * from begin_request, in one write, and connections are kept. The difference to the gateway is what
 * the gateway costs. Usage: bare_civetweb PORT WORKERS
 */
#include <civetweb.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int begin_request(struct mg_connection *conn)
{
    static const char answer[] = "HTTP/1.1 201 Created\r\nContent-Type: application/json\r\n"
                                 "Content-Length: 16\r\nConnection: keep-alive\r\n\r\n"
                                 "{\"token\":\"none\"}";
    char body[4096];
    long long left = mg_get_request_info(conn)->content_length;

    while (left > 0) {
        int got = mg_read(conn, body, sizeof(body));

        if (got <= 0)
            break;
        left -= got;
    }
    mg_write(conn, answer, sizeof(answer) - 1);
    return 201;
}

int main(int argc, char **argv)
{
    const struct mg_callbacks callbacks = {.begin_request = begin_request};
    sigset_t signals;
    int signal_number;

    if (argc != 3)
        return 2;
    const char *options[] = {
        "listening_ports",       argv[1], "num_threads", argv[2], "enable_keep_alive", "yes",
        "keep_alive_timeout_ms", "60000", "tcp_nodelay", "1",     "decode_url",        "no",
        "connection_queue",      "512",   NULL};
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
    mg_init_library(0);
    struct mg_context *ctx = mg_start(&callbacks, NULL, options);
    if (!ctx)
        return 1;
    sigwait(&signals, &signal_number);
    mg_stop(ctx);
    return 0;
}
