#include "fuzz/live.h"

#include "base/buf.h"
#include "base/file.h"
#include "base/log.h"
#include "http/http.h"
#include "server/gateway.h"
#include "upstream/upstream.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define ANSWERS_MAX (8u << 20)
#define PATIENCE_S 10

static struct grc_gateway *gateway;
static struct grc_http *http;
static struct grc_buf answers;
static struct grc_buf request;
static char dir[] = "/tmp/greenroom-fuzz.XXXXXX";

static void give_up(const char *what)
{
    fprintf(stderr, "the gateway cannot be started: %s\n", what);
    exit(EXIT_FAILURE);
}

static void report(void *arg, const char *line)
{
    (void)arg;
    fprintf(stderr, "%s\n", line);
}

/* --- start and end --- */

static void stop(void)
{
    char command[64];

    (void)grc_http_stop(http);
    grc_gateway_free(gateway);
    grc_http_free(http);
    grc_buf_done(&answers);
    grc_buf_done(&request);
    snprintf(command, sizeof(command), "rm -rf %s", dir);
    if (system(command) != 0)
        fprintf(stderr, "%s stays\n", dir);
}

static void write_file(const char *name, const char *text)
{
    char *path = grc_path_join(dir, name);

    if (!path || !grc_file_write(path, gr_str_of(text), 0600))
        give_up(path ? path : "out of memory");
    free(path);
}

static void write_config(const char *config, const struct live_group *groups)
{
    const char *plugins = getenv("GR_PLUGIN_DIR");
    json_t *root = json_loads(config, 0, NULL);
    char name[128];

    if (!plugins || !root || !mkdtemp(dir))
        give_up("GR_PLUGIN_DIR has to name the plugins, and /tmp has to be there");
    json_t *server = json_object_get(root, "server");
    if (!server) {
        server = json_object();
        json_object_set_new(root, "server", server);
    }
    json_object_set_new(server, "listen", json_string("127.0.0.1:0"));
    json_object_set_new(root, "state_directory", json_sprintf("%s/state", dir));
    json_object_set_new(root, "plugins", json_pack("{s:s}", "directory", plugins));
    json_object_set_new(root, "log", json_pack("{s:s}", "level", "error"));
    char *text = json_dumps(root, 0);
    write_file("greenroom.json", text);
    free(text);
    json_decref(root);
    snprintf(name, sizeof(name), "%s/plugins.d", dir);
    if (mkdir(name, 0700) != 0)
        give_up(name);
    for (; groups->name; groups++) {
        snprintf(name, sizeof(name), "plugins.d/%s.json", groups->name);
        write_file(name, groups->text);
    }
}

unsigned live_start(const char *config, const struct live_group *groups)
{
    char *reason = NULL;

    signal(SIGPIPE, SIG_IGN);
    write_config(config, groups);
    grc_buf_init(&answers, ANSWERS_MAX);
    grc_buf_init(&request, ANSWERS_MAX);
    json_object_seed(0);
    grc_log_level_set(GR_LOG_ERROR);
    grc_http_global_init();
    struct grc_runtime *runtime = grc_runtime_new(dir, GRC_RUNTIME_CHECK, report, NULL);
    if (!runtime || !grc_runtime_serve(runtime, report, NULL))
        give_up(dir);
    gateway = grc_gateway_new(runtime);
    if (!gateway)
        give_up("out of memory");
    struct grc_http_handler handler = grc_gateway_handler(gateway);
    http =
        grc_http_start(runtime->settings->listen, 1, false, runtime->settings, &handler, &reason);
    if (!http)
        give_up(reason ? reason : "it cannot listen");
    atexit(stop);
    return grc_http_port(http, 0);
}

/* --- requests --- */

/* The timer of a fuzzer interrupts functions that wait. An interrupted connect() goes on in the
 * background. */
static bool connect_to(int fd, const struct sockaddr_in *peer)
{
    struct pollfd ready = {.fd = fd, .events = POLLOUT};
    socklen_t len = sizeof(int);
    int err = 0;

    if (connect(fd, (const struct sockaddr *)peer, sizeof(*peer)) == 0)
        return true;
    if (errno != EINTR)
        return false;
    while (poll(&ready, 1, -1) < 0 && errno == EINTR)
        continue;
    return getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &len) == 0 && err == 0;
}

/* The address of the client changes, because a fast run would use up the ports of a single
 * address. */
static int connect_from_anywhere(void)
{
    static uint32_t count;
    const struct timeval patience = {.tv_sec = PATIENCE_S};
    struct sockaddr_in own = {.sin_family = AF_INET};
    struct sockaddr_in peer = {.sin_family = AF_INET,
                               .sin_port = htons((uint16_t)grc_http_port(http, 0))};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    own.sin_addr.s_addr = htonl(0x7f010001u + count++ % 0x10000u);
    peer.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0 || bind(fd, (struct sockaddr *)&own, sizeof(own)) != 0 || !connect_to(fd, &peer) ||
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) != 0)
        give_up(strerror(errno));
    return fd;
}

int live_listen(unsigned *ret_port)
{
    struct sockaddr_in own = {.sin_family = AF_INET};
    socklen_t len = sizeof(own);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    own.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0 || bind(fd, (struct sockaddr *)&own, sizeof(own)) != 0 || listen(fd, 64) != 0 ||
        getsockname(fd, (struct sockaddr *)&own, &len) != 0)
        give_up(strerror(errno));
    *ret_port = ntohs(own.sin_port);
    return fd;
}

int live_status(gr_str bytes)
{
    static const char version[] = "HTTP/1.1 ";

    if (bytes.len == 0)
        return 0;
    if (bytes.len < 12 || memcmp(bytes.ptr, version, sizeof(version) - 1) != 0)
        abort();
    return (int)strtol(bytes.ptr + sizeof(version) - 1, NULL, 10);
}

static void judge(gr_str bytes, bool may_be_500)
{
    int status = live_status(bytes);

    if (status && (status < 200 || status > 599 || (status == 500 && !may_be_500))) {
        fprintf(stderr, "%.*s\n", (int)(bytes.len < 1000 ? bytes.len : 1000), bytes.ptr);
        abort();
    }
}

gr_str live_send(gr_str bytes, bool may_be_500)
{
    static char block[65536];
    int fd = connect_from_anywhere();
    ssize_t got = 0;

    grc_buf_clear(&answers);
    /* The gateway may close the connection before it has read everything, so sending may fail. */
    for (size_t at = 0; at < bytes.len && (got >= 0 || errno == EINTR);
         at += got > 0 ? (size_t)got : 0)
        got = send(fd, bytes.ptr + at, bytes.len - at, MSG_NOSIGNAL);
    (void)shutdown(fd, SHUT_WR);
    do {
        got = recv(fd, block, sizeof(block), 0);
        if (got > 0 && grc_buf_add(&answers, block, (size_t)got) != GR_OK)
            abort();
    } while (got > 0 || (got < 0 && errno == EINTR));
    if (got < 0 && errno != ECONNRESET) /* nothing came for ten seconds */
        abort();
    close(fd);
    judge(grc_buf_view(&answers), may_be_500);
    return grc_buf_view(&answers);
}

gr_str live_post(const char *path, const char *headers, gr_str body)
{
    grc_buf_clear(&request);
    if (grc_buf_format(&request,
                       "POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Length: %zu\r\n"
                       "Connection: close\r\n%s\r\n",
                       path, body.len, headers) != GR_OK ||
        grc_buf_add(&request, body.ptr, body.len) != GR_OK)
        give_up("out of memory");
    return live_send(grc_buf_view(&request), false);
}
