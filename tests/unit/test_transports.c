/* Sends the same bytes to both transports, the gateway's HTTP/1.1 and libcurl. These are first the
 * examples of http1_examples.c, which say where the two transports differ, and then mutations of
 * them. */
#include "base/clock.h"
#include "base/log.h"
#include "unit/http1_examples.h"
#include "upstream/upstream.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define MUTATIONS 600u
#define ANSWER_BYTES_MAX 4096u

/* --- a server that reads a head, sends what it was told, and closes --- */

static struct {
    int fd;
    unsigned port;
    pthread_t thread;
    pthread_mutex_t lock;
    char bytes[ANSWER_BYTES_MAX];
    size_t len;
} server;

static void serve_one(int fd)
{
    char text[ANSWER_BYTES_MAX];
    size_t have = 0;

    while (have < sizeof(text) && !memmem(text, have, "\r\n\r\n", 4)) {
        ssize_t got = recv(fd, text + have, sizeof(text) - have, 0);
        if (got <= 0)
            return;
        have += (size_t)got;
    }
    pthread_mutex_lock(&server.lock);
    (void)!send(fd, server.bytes, server.len, MSG_NOSIGNAL);
    pthread_mutex_unlock(&server.lock);
}

static void *serve(void *arg)
{
    for (;;) {
        int fd = accept(server.fd, NULL, NULL);

        if (fd < 0)
            return arg;
        serve_one(fd);
        close(fd);
    }
}

/* --- both transports --- */

enum { OURS, CURLS, TRANSPORTS };

static struct {
    char url[64];
    struct grc_upstream_settings list[TRANSPORTS];
    struct grc_settings settings;
    struct grc_arena arena;
} bed;

/* The result of one transport. */
struct reading {
    bool taken;
    int status;
    gr_str body;
    gr_str type;
};

static int begin(void **state)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);

    (void)state;
    grc_log_level_set(GR_LOG_ERROR);
    server.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (pthread_mutex_init(&server.lock, NULL) != 0 ||
        bind(server.fd, (struct sockaddr *)&address, len) != 0 || listen(server.fd, 16) != 0 ||
        getsockname(server.fd, (struct sockaddr *)&address, &len) != 0 ||
        pthread_create(&server.thread, NULL, serve, NULL) != 0)
        return -1;
    snprintf(bed.url, sizeof(bed.url), "http://127.0.0.1:%u", ntohs(address.sin_port));
    for (int i = 0; i < TRANSPORTS; i++)
        bed.list[i] = (struct grc_upstream_settings){.name = i == OURS ? "ours" : "curls",
                                                     .url = bed.url,
                                                     .curl_transport = i == CURLS,
                                                     .connect_timeout_ms = 5000,
                                                     .timeout_ms = 5000,
                                                     .connections_max = 4,
                                                     .idle_timeout_ms = 30000,
                                                     .answer_max_bytes = HTTP1_BODY_MAX};
    bed.settings = (struct grc_settings){.upstreams = bed.list, .upstream_count = TRANSPORTS};
    grc_arena_init(&bed.arena, 1u << 20);
    return 0;
}

static int end(void **state)
{
    (void)state;
    grc_arena_done(&bed.arena);
    shutdown(server.fd, SHUT_RDWR); /* this ends accept() */
    pthread_join(server.thread, NULL);
    close(server.fd);
    return 0;
}

/* With handles of its own: libcurl 7.88 reads freed memory when the first header of an answer is
 * folded and the handle has had an answer before. */
static struct reading read_by(int transport)
{
    char *reason = NULL;
    struct grc_upstreams *all = grc_upstreams_new(&bed.settings, &reason);
    struct grc_exchange exchange = {
        .upstream = bed.list[transport].name,
        .method = GR_METHOD_GET,
        .target = GR_STR("/x"),
        .arena = &bed.arena,
    };

    if (!all)
        fail_msg("%s", reason);
    grc_upstreams_run(all, &exchange, 1);
    grc_upstreams_free(all);
    if (exchange.err != GR_OK && exchange.err != GR_ERR_UPSTREAM_BROKEN)
        fail_msg("%s ended with %d", exchange.upstream, (int)exchange.err);
    return (struct reading){exchange.err == GR_OK, exchange.status, exchange.answer,
                            exchange.answer_type};
}

static void serve_bytes(const char *bytes, size_t len)
{
    assert_true(len <= sizeof(server.bytes));
    pthread_mutex_lock(&server.lock);
    memcpy(server.bytes, bytes, len);
    server.len = len;
    pthread_mutex_unlock(&server.lock);
}

static bool same(const struct reading *a, const struct reading *b)
{
    return a->taken == b->taken &&
           (!a->taken ||
            (a->status == b->status && gr_str_eq(a->body, b->body) && gr_str_eq(a->type, b->type)));
}

/* --- examples --- */

static void both_read_the_examples_as_they_say(void **state)
{
    (void)state;
    for (size_t i = 0; i < http1_example_count; i++) {
        const struct http1_example *example = &http1_examples[i];

        if (example->to_head)
            continue; /* the gateway sends no HEAD */
        serve_bytes(example->bytes.ptr, example->bytes.len);
        struct reading ours = read_by(OURS);
        struct reading curls = read_by(CURLS);
        if (ours.taken != (example->body != NULL) ||
            (ours.taken &&
             (ours.status != example->status || !gr_str_eq(ours.body, gr_str_of(example->body)))))
            fail_msg("'%s': read as %d '%.*s'", example->name, ours.status, (int)ours.body.len,
                     ours.body.ptr);
        if (!same(&ours, &curls) && !example->curl_takes_it)
            fail_msg("'%s': libcurl reads it as %d '%.*s', we as %d", example->name, curls.status,
                     (int)curls.body.len, curls.body.ptr, ours.status);
        grc_arena_reset(&bed.arena);
    }
}

/* --- mutations --- */

static uint64_t next_random(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}

/* Changes, removes or duplicates some bytes of an example. */
static size_t mutate(const struct http1_example *example, uint64_t *seed, char *ret)
{
    static const char tasty[] = "\r\n\0 \t:;,0123456789afx\x80";
    size_t len = example->bytes.len;

    memcpy(ret, example->bytes.ptr, len);
    for (uint64_t rounds = 1 + next_random(seed) % 3; rounds && len > 1; rounds--) {
        size_t at = next_random(seed) % len;
        size_t count = 1 + next_random(seed) % 8;

        if (count > len - at)
            count = len - at;
        switch (next_random(seed) % 3) {
        case 0:
            ret[at] = tasty[next_random(seed) % (sizeof(tasty) - 1)];
            break;
        case 1:
            memmove(ret + at, ret + at + count, len - at - count);
            len -= count;
            break;
        default:
            memmove(ret + at + count, ret + at, len - at);
            len += count;
        }
    }
    return len;
}

static void print_bytes(const char *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)bytes[i];
        fprintf(stderr, c >= ' ' && c <= '~' ? "%c" : "\\x%02x", c);
    }
    fputc('\n', stderr);
}

/* libcurl, the more lenient one, reads what the gateway accepts in the same way. */
static void both_read_mutations_the_same_or_we_refuse(void **state)
{
    const char *given = getenv("GR_SEED");
    uint64_t seed = given ? strtoull(given, NULL, 10) : 20261126;
    char bytes[ANSWER_BYTES_MAX];

    (void)state;
    for (unsigned i = 0; i < MUTATIONS; i++) {
        uint64_t replay = seed;
        const struct http1_example *example =
            &http1_examples[next_random(&seed) % http1_example_count];

        if (example->to_head || example->bytes.len == 0)
            continue;
        size_t len = mutate(example, &seed, bytes);
        serve_bytes(bytes, len);
        struct reading ours = read_by(OURS);
        struct reading curls = read_by(CURLS);
        if (ours.taken && !same(&ours, &curls)) {
            print_bytes(bytes, len);
            fail_msg("a mutation of '%s': libcurl reads it as %d '%.*s', we as %d '%.*s'; "
                     "GR_SEED=%llu tries it again",
                     example->name, curls.status, (int)curls.body.len, curls.body.ptr, ours.status,
                     (int)ours.body.len, ours.body.ptr, (unsigned long long)replay);
        }
        grc_arena_reset(&bed.arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_read_the_examples_as_they_say),
        cmocka_unit_test(both_read_mutations_the_same_or_we_refuse),
    };

    return cmocka_run_group_tests(tests, begin, end);
}
