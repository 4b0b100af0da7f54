/*
 * core/http: the states of connections, with a simulated clock. Random numbers decide which event
 * comes next: a client sends a part of a request, reads, ends its sending or closes its connection;
 * a handler that waits is released; time passes; the gateway stops accepting, drains, and gives up
 * what is left. The table below says which states a connection may have after each event. As in
 * reality, several events may happen before the gateway runs. Everything is done by one thread, so
 * that a seed repeats a run: GR_SEED=7 GR_STEPS=5000000 build/tests/unit/test_conns
 */
#include "base/clock.h"
#include "base/err.h"
#include "http/internal.h"
#include "loop/wait.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* cmocka.h needs these before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define CLIENTS 8u
#define STEPS 40000u
#define SETTLE_STEPS 40
#define BIG_BYTES ((size_t)400 * 1024) /* more than the buffers of a socket can hold */
#define BODY_BYTES 40
#define KEEP_ALIVE_MS 5000
#define HEADER_MS 3000
#define BODY_MS 2000
#define HELD_MS 20000

/* The states of a connection, and the events that happen to it. */
enum state { GONE, IDLE, PART, BODY, HELD, WRITING, CLOSING, STATES };
enum event { SEND, READ, RELEASE, HALF, LEAVE, TIME, STAGE, EVENTS };

#define ONE(state) (1u << (state))
/* The states that may follow when a head, or what a request has waited for, has arrived. */
#define NEXT (ONE(IDLE) | ONE(PART) | ONE(BODY) | ONE(HELD) | ONE(WRITING) | ONE(CLOSING))

static const char *const state_names[] = {"gone", "idle",    "part",   "body",
                                          "held", "writing", "closing"};
static const unsigned table[STATES][EVENTS] = {
    [GONE] = {ONE(GONE), ONE(GONE), ONE(GONE), ONE(GONE), ONE(GONE), ONE(GONE), ONE(GONE)},
    [IDLE] = {[SEND] = NEXT,
              [READ] = ONE(IDLE),
              [RELEASE] = ONE(IDLE),
              [HALF] = ONE(GONE),
              [LEAVE] = ONE(GONE),
              [TIME] = ONE(IDLE) | ONE(CLOSING) | ONE(GONE),
              [STAGE] = ONE(IDLE) | ONE(CLOSING) | ONE(GONE)},
    [PART] = {[SEND] = NEXT,
              [READ] = ONE(PART),
              [RELEASE] = ONE(PART),
              [HALF] = ONE(GONE) | ONE(CLOSING),
              [LEAVE] = ONE(GONE),
              [TIME] = ONE(PART) | ONE(CLOSING) | ONE(GONE),
              [STAGE] = ONE(PART) | ONE(GONE)},
    [BODY] = {[SEND] = NEXT,
              [READ] = ONE(BODY),
              [RELEASE] = ONE(BODY),
              [HALF] = ONE(GONE) | ONE(CLOSING),
              [LEAVE] = ONE(GONE),
              [TIME] = ONE(BODY) | ONE(CLOSING) | ONE(GONE),
              [STAGE] = ONE(BODY) | ONE(CLOSING) | ONE(GONE)},
    [HELD] = {[SEND] = ONE(HELD),
              [READ] = ONE(HELD),
              [RELEASE] = NEXT,
              [HALF] = ONE(GONE) | ONE(CLOSING),
              [LEAVE] = ONE(GONE),
              [TIME] = ONE(HELD) | ONE(CLOSING) | ONE(GONE),
              [STAGE] = ONE(HELD) | ONE(CLOSING) | ONE(GONE)},
    [WRITING] = {[SEND] = ONE(WRITING),
                 [READ] = NEXT,
                 [RELEASE] = ONE(WRITING),
                 [HALF] = ONE(WRITING),
                 [LEAVE] = ONE(GONE),
                 [TIME] = ONE(WRITING) | ONE(GONE),
                 [STAGE] = ONE(WRITING) | ONE(GONE)},
    [CLOSING] = {[SEND] = ONE(CLOSING),
                 [READ] = ONE(CLOSING),
                 [RELEASE] = ONE(CLOSING),
                 [HALF] = ONE(GONE),
                 [LEAVE] = ONE(GONE),
                 [TIME] = ONE(CLOSING) | ONE(GONE),
                 [STAGE] = ONE(CLOSING) | ONE(GONE)},
};

struct client {
    struct model *model;
    struct grc_conn *conn; /* NULL: the connection has ended */
    int end;               /* the client's end; -1: the client has closed it */
    int fd;                /* the gateway's end */
    unsigned states;       /* the states that the table allows now */
    unsigned events;       /* those that happened since the gateway ran */
    /* what it sends */
    char out[256];
    size_t out_len;
    size_t out_at; /* the number of bytes of it that were sent */
    unsigned begun;
    unsigned whole; /* requests that are sent to their last byte */
    bool half;
    /* what the gateway made of it */
    unsigned served;
    unsigned refused;    /* heads that were refused */
    bool excused;        /* requests that are sent may go unanswered */
    enum state waits_at; /* the state of the connection while its handler runs */
    bool released;
    bool writes;
    struct grc_queue held;
    char number[32];
    /* what it reads */
    char in[512]; /* a head, or a part of one */
    size_t in_len;
    size_t body_left;
    unsigned answers;
    bool told_to_close;
};

struct model {
    struct grc_http *http;
    uint64_t seed;
    uint64_t random;
    uint64_t step;
    pthread_mutex_t lock;
    uint64_t statuses[600];
    uint64_t seen[STATES];
    struct client clients[CLIENTS];
    char big[BIG_BYTES];
};

/* --- the clock: the gateway calls these functions (see CMakeLists.txt) --- */

static int64_t clock_ms = 1000000;

int64_t __wrap_grc_mono_ms(void);
int64_t __wrap_grc_mono_us(void);

int64_t __wrap_grc_mono_ms(void)
{
    return clock_ms;
}

int64_t __wrap_grc_mono_us(void)
{
    return clock_ms * 1000;
}

/* splitmix64 */
static uint64_t draw(struct model *model, uint64_t below)
{
    uint64_t value = model->random += 0x9e3779b97f4a7c15u;

    value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9u;
    value = (value ^ (value >> 27)) * 0x94d049bb133111ebu;
    return (value ^ (value >> 31)) % below;
}

static void expect(const struct model *model, const struct client *client, bool holds,
                   const char *what)
{
    if (!holds)
        fail_msg("GR_SEED=%" PRIu64 " step %" PRIu64 " client %d: %s", model->seed, model->step,
                 client ? (int)(client - model->clients) : -1, what);
}

/* --- the handler --- */

static int status_of(const struct grc_request *request, enum gr_err err)
{
    if (err == GR_ERR_CANCELLED && grc_request_given_up(request))
        return 503;
    return err == GR_OK ? 200 : grc_err_status(err);
}

static enum gr_err serve_body(struct client *client, struct grc_request *request)
{
    struct grc_buf body;

    grc_buf_init(&body, 1024);
    client->waits_at = BODY;
    enum gr_err err = grc_conn_read_body(request, &body, clock_ms + BODY_MS);
    if (err == GR_OK && body.len != BODY_BYTES)
        err = GR_ERR_INTERNAL;
    grc_buf_done(&body);
    return err;
}

static enum gr_err serve_held(struct client *client)
{
    static const enum gr_err errors[] = {
        [GRC_WOKEN_READY] = GR_OK,
        [GRC_WOKEN_LATE] = GR_ERR_UPSTREAM_TIMEOUT,
        [GRC_WOKEN_CANCELLED] = GR_ERR_CANCELLED,
        [GRC_WOKEN_FAILED] = GR_ERR_NO_MEMORY,
    };
    struct model *model = client->model;
    int64_t due_ms = clock_ms + HELD_MS;
    enum grc_woken woken = GRC_WOKEN_READY;

    client->waits_at = HELD;
    client->released = false;
    pthread_mutex_lock(&model->lock);
    while (!client->released && woken == GRC_WOKEN_READY)
        woken = grc_queue_wait(&client->held, &model->lock, due_ms, GRC_WAITS_SHARED);
    pthread_mutex_unlock(&model->lock);
    return client->released ? GR_OK : errors[woken];
}

static struct client *client_of(struct model *model, const struct grc_conn *conn)
{
    for (size_t i = 0; i < CLIENTS; i++) {
        if (model->clients[i].conn == conn)
            return &model->clients[i];
    }
    fail_msg("a request of no client");
    return NULL;
}

/* A path such as /held/3 names what the handler does, and the number of the request on its
 * connection. */
static void serve(void *arg, struct grc_request *request, struct grc_reply *reply)
{
    struct client *client = client_of(arg, request->conn);
    enum gr_err err = request->broken;

    request->served_by = client;
    reply->content_type = "text/plain";
    snprintf(client->number, sizeof(client->number), "%u", client->served + 1);
    if (err == GR_OK && request->late) {
        err = GR_ERR_OVERLOAD;
    } else if (err == GR_OK) {
        const char *slash = memrchr(request->path.ptr, '/', request->path.len);

        reply->headers[reply->header_count++] =
            (struct gr_pair){GR_STR("X-Number"), gr_str_of(client->number)};
        expect(client->model, client, strtoul(slash + 1, NULL, 10) == client->served + 1,
               "requests are served out of their order");
        if (request->path.ptr[1] == 'b')
            err = serve_body(client, request);
        else if (request->path.ptr[1] == 'h')
            err = serve_held(client);
    }
    reply->status = status_of(request, err);
    reply->close = err != GR_OK;
    reply->body = GR_STR("x");
    if (err == GR_OK && request->path.ptr[1] == 'l')
        reply->body = (gr_str){client->model->big, BIG_BYTES};
    client->waits_at = WRITING;
}

static void done(void *arg, struct grc_request *request, struct grc_reply *reply, size_t sent_bytes,
                 bool ok)
{
    struct client *client = request->served_by;

    (void)arg;
    (void)sent_bytes;
    client->model->statuses[reply->status]++;
    client->served++;
    client->refused += request->broken != GR_OK;
    client->waits_at = GONE;
    if (!ok || reply->close || !grc_framing_keep_alive(request))
        client->excused = true; /* of what it has sent behind this one */
}

/* --- the gateway's side, without CivetWeb --- */

static struct grc_http *http_new(struct model *model)
{
    struct grc_http *http = calloc(1, sizeof(*http));

    assert_non_null(http);
    pthread_mutex_init(&http->lock, NULL);
    http->handler = (struct grc_http_handler){.serve = serve, .done = done, .arg = model};
    http->workers = 4;
    http->requests_max = 1000;
    http->connections_max = 1000;
    http->waiting_bytes_max = 1 << 20;
    http->limits = (struct grc_framing_limits){.uri_max = 1024, .headers_max = 4096};
    http->head_max = grc_framing_head_max(&http->limits);
    http->header_timeout_ms = HEADER_MS;
    http->keep_alive_timeout_ms = KEEP_ALIVE_MS;
    http->loop = grc_loop_new();
    assert_non_null(http->loop);
    assert_true(grc_conns_new(http, CLIENTS * 2));
    assert_true(grc_door_new(http));
    return http;
}

static void run_ready(struct grc_http *http)
{
    struct grc_conn *conn;

    while ((conn = grc_ready_take(http))) {
        if (!conn->transaction) {
            grc_conn_go_on(conn);
            continue;
        }
        grc_framing_terminate(conn->transaction->head.ptr, &conn->transaction->request);
        grc_transaction_run(conn);
    }
}

static void run(struct grc_http *http)
{
    for (int i = 0; i < SETTLE_STEPS; i++) {
        grc_loop_step(http->loop, 0);
        run_ready(http);
    }
}

/* --- what clients do --- */

static void open_anew(struct model *model, struct client *client)
{
    struct grc_http *http = model->http;
    bool late = atomic_load(&http->stage) >= GRC_HTTP_DRAINING;
    int ends[2];

    if (client->end >= 0)
        close(client->end);
    memset(client, 0, sizeof(*client));
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
    client->model = model;
    client->end = ends[1];
    client->fd = ends[0];
    client->states = ONE(IDLE);
    assert_true(grc_conn_open(http, 0, ends[0], "192.0.2.1", late));
    for (size_t i = 0; i < http->conns_used && !client->conn; i++) {
        if (http->conns[i].fd == ends[0])
            client->conn = &http->conns[i];
    }
    assert_non_null(client->conn);
}

static void next_request(struct model *model, struct client *client)
{
    static const char *const kinds[] = {"now", "now", "held", "body", "large"};
    const char *kind = kinds[draw(model, 5)];
    bool body = kind[0] == 'b';
    bool close_it = draw(model, 16) == 0;
    int len =
        snprintf(client->out, sizeof(client->out), "%s /%s/%u HTTP/1.1\r\nHost: h\r\n%s%s\r\n",
                 body ? "POST" : "GET", kind, client->begun + 1,
                 close_it ? "Connection: close\r\n" : "", body ? "Content-Length: 40\r\n" : "");

    if (draw(model, 64) == 0)
        len = snprintf(client->out, sizeof(client->out), "no request\r\n\r\n");
    if (body && client->out[0] == 'P') {
        memset(client->out + len, 'b', BODY_BYTES);
        len += BODY_BYTES;
    }
    client->out_len = (size_t)len;
    client->out_at = 0;
    client->begun++;
}

/* At most four requests are unanswered at a time. */
static void send_piece(struct model *model, struct client *client)
{
    size_t piece = 1 + draw(model, 30);

    if (client->out_at == client->out_len) {
        if (client->begun >= client->served + 4)
            return;
        next_request(model, client);
    }
    size_t left = client->out_len - client->out_at;
    if (piece > left || draw(model, 2))
        piece = left;
    if (send(client->end, client->out + client->out_at, piece, MSG_NOSIGNAL) < 0)
        return; /* it was closed */
    /* The head of the answer that says so may have been sent already. */
    if (client->waits_at == WRITING && atomic_load(&model->http->stage) >= GRC_HTTP_LEAVING)
        client->excused = true;
    client->out_at += piece;
    client->whole += client->out_at == client->out_len;
}

static void take_head(struct client *client)
{
    const char *length = strstr(client->in, "Content-Length: ");
    const char *number = strstr(client->in, "X-Number: ");

    client->answers++;
    expect(client->model, client, client->answers <= client->begun, "an answer to no request");
    expect(client->model, client, !client->told_to_close, "an answer after the last one");
    if (number)
        expect(client->model, client, strtoul(number + 10, NULL, 10) == client->answers,
               "answers are out of their order");
    client->body_left = length ? strtoul(length + 16, NULL, 10) : 0;
    client->told_to_close = strstr(client->in, "Connection: close") != NULL;
}

static void take_bytes(struct client *client, const char *bytes, size_t count)
{
    while (count > 0) {
        size_t skip = client->body_left < count ? client->body_left : count;

        client->body_left -= skip;
        bytes += skip;
        count -= skip;
        if (count == 0)
            return;
        assert_true(client->in_len + 1 < sizeof(client->in));
        client->in[client->in_len++] = *bytes++;
        client->in[client->in_len] = '\0';
        count--;
        if (client->in_len >= 4 && memcmp(client->in + client->in_len - 4, "\r\n\r\n", 4) == 0) {
            take_head(client);
            client->in_len = 0;
        }
    }
}

static void read_some(struct model *model, struct client *client)
{
    static char bytes[64 * 1024];
    size_t rounds = draw(model, 2) ? 1 : 16;
    ssize_t got = 1;

    for (size_t i = 0; i < rounds && got > 0; i++) {
        got = recv(client->end, bytes, sizeof(bytes), 0);
        if (got > 0)
            take_bytes(client, bytes, (size_t)got);
    }
}

static void leave(struct client *client)
{
    close(client->end);
    client->end = -1;
    client->excused = true;
}

/* --- what the scheduler does --- */

static void note(struct client *client, enum event event)
{
    unsigned next = 0;

    for (unsigned state = 0; state < STATES; state++) {
        if (client->states & ONE(state))
            next |= table[state][event];
    }
    /* The gateway does not wait for a client that has ended its sending, or has left, once that
     * client has its answers. If the client did so before its request was served, the wait of the
     * handler is not cancelled. */
    if (client->half || client->end < 0) {
        next |= ONE(GONE);
        next |= client->states & ONE(HELD);
    }
    /* The gateway may see the events that happen before it runs in any order. */
    client->states = client->events == 0 ? next : client->states | next;
    client->events++;
}

static void note_all(struct model *model, enum event event)
{
    for (size_t i = 0; i < CLIENTS; i++)
        note(&model->clients[i], event);
}

static void pass_time(struct model *model)
{
    static const int64_t most_ms[] = {50, 50, 50, 50, 1500, 1500, 4000, 30000};

    clock_ms += 1 + (int64_t)draw(model, (uint64_t)most_ms[draw(model, 8)]);
    note_all(model, TIME);
}

static void next_stage(struct model *model)
{
    struct grc_http *http = model->http;
    int stage = atomic_load(&http->stage);

    if (stage >= GRC_HTTP_GIVING_UP)
        return;
    atomic_store(&http->stage, stage + 1);
    if (stage + 1 == GRC_HTTP_DRAINING)
        grc_conns_drain(http);
    if (stage + 1 == GRC_HTTP_GIVING_UP) {
        grc_conns_cancel(http);
        for (size_t i = 0; i < CLIENTS; i++)
            model->clients[i].excused = true;
    }
    note_all(model, STAGE);
}

static void release(struct client *client)
{
    struct model *model = client->model;

    pthread_mutex_lock(&model->lock);
    client->released = true;
    grc_queue_wake(&client->held);
    pthread_mutex_unlock(&model->lock);
}

static void act(struct model *model)
{
    struct client *client = &model->clients[draw(model, CLIENTS)];
    unsigned what = (unsigned)draw(model, 100);

    if (what < 50 && client->end >= 0 && !client->half) {
        send_piece(model, client);
        note(client, SEND);
    } else if (what < 68 && client->end >= 0) {
        read_some(model, client);
        note(client, READ);
    } else if (what < 80) {
        release(client);
        note(client, RELEASE);
    } else if (what < 83 && client->end >= 0 && !client->half) {
        client->half = client->excused = true;
        (void)shutdown(client->end, SHUT_WR);
        note(client, HALF);
    } else if (what < 87 && client->end >= 0) {
        leave(client);
        note(client, LEAVE);
    } else if (what < 99) {
        pass_time(model);
    } else if (draw(model, 8) == 0) {
        next_stage(model);
    }
}

/* --- what must hold after each step --- */

static enum state observe(const struct client *client)
{
    const struct grc_conn *conn = client->conn;

    if (!conn || conn->fd != client->fd)
        return GONE;
    if (conn->phase == GRC_CONN_LINGER)
        return CLOSING;
    if (conn->phase == GRC_CONN_CALL)
        return client->waits_at;
    return conn->in_len > 0 ? PART : IDLE;
}

/* Returns the earliest deadline of a connection to which nothing happens. */
static int64_t limit_ms(const struct client *client, enum state state)
{
    const struct grc_conn *conn = client->conn;

    switch (state) {
    case IDLE:
        return conn->since_ms + (conn->kept ? KEEP_ALIVE_MS : HEADER_MS);
    case PART:
        return conn->begun_ms + HEADER_MS;
    case CLOSING:
        return conn->since_ms + 1000;
    default:
        return INT64_MAX;
    }
}

static void check(struct model *model, struct client *client)
{
    enum state state = observe(client);
    char text[128];

    model->seen[state]++;
    snprintf(text, sizeof(text), "it is %s, which the table does not allow (%#x)",
             state_names[state], client->states);
    expect(model, client, (client->states & ONE(state)) != 0, text);
    if (state != GONE)
        expect(model, client, clock_ms < limit_ms(client, state), "its time is over");
    if (state == IDLE || state == CLOSING || state == GONE)
        expect(model, client, client->excused || client->served >= client->whole,
               "what was sent is not answered");
    if (state == IDLE)
        expect(model, client, client->end >= 0 && !client->half, "it waits for a client who left");
    client->states = ONE(state);
    client->events = 0;
    if (state == CLOSING)
        client->excused = true; /* of what it sends from here on */
    if (state == GONE)
        client->conn = NULL;
}

static void check_counts(struct model *model)
{
    struct grc_http *http = model->http;
    unsigned open = 0, request = 0, closing = 0, receiving = 0, unfinished = 0;

    for (size_t i = 0; i < http->conns_used; i++) {
        const struct grc_conn *conn = &http->conns[i];

        open += conn->phase != GRC_CONN_FREE;
        request += conn->phase == GRC_CONN_CALL;
        closing += conn->phase == GRC_CONN_LINGER;
        receiving += conn->phase == GRC_CONN_HEAD && conn->in_len > 0;
        unfinished += (conn->phase == GRC_CONN_HEAD || conn->phase == GRC_CONN_CALL) && !conn->late;
    }
    expect(model, NULL, open == atomic_load(&http->open), "open is miscounted");
    expect(model, NULL, request == atomic_load(&http->active), "active is miscounted");
    expect(model, NULL, closing == atomic_load(&http->closing), "closing is miscounted");
    expect(model, NULL, receiving == atomic_load(&http->receiving), "receiving is miscounted");
    expect(model, NULL, unfinished == grc_http_unfinished(http), "unfinished is miscounted");
    expect(model, NULL, atomic_load(&http->waiting_bytes) == 0 || request > 0,
           "bytes of bodies are miscounted");
}

static void settle(struct model *model)
{
    run(model->http);
    for (size_t i = 0; i < CLIENTS; i++)
        check(model, &model->clients[i]);
    check_counts(model);
    for (size_t i = 0; i < CLIENTS; i++) {
        struct client *client = &model->clients[i];

        if (!client->conn && draw(model, 4) == 0 &&
            atomic_load(&model->http->stage) < GRC_HTTP_GIVING_UP)
            open_anew(model, client);
    }
}

/* Nothing is left, whatever the states of the connections were. */
static void end_gateway(struct model *model)
{
    struct grc_http *http = model->http;

    while (atomic_load(&http->stage) < GRC_HTTP_GIVING_UP)
        next_stage(model);
    grc_conns_cancel(http);
    run(http);
    grc_conns_break(http);
    run(http);
    expect(model, NULL, atomic_load(&http->active) == 0, "a request cannot be ended");
    for (size_t i = 0; i < CLIENTS; i++) {
        if (model->clients[i].end >= 0)
            close(model->clients[i].end);
        model->clients[i].end = -1;
    }
    grc_conns_free(http);
    expect(model, NULL, atomic_load(&http->open) == 0, "a connection is left");
    grc_transactions_free(http);
    grc_door_free(http);
    grc_loop_free(http->loop);
    pthread_mutex_destroy(&http->lock);
    free(http);
}

static void begin_gateway(struct model *model)
{
    model->http = http_new(model);
    for (size_t i = 0; i < CLIENTS; i++)
        open_anew(model, &model->clients[i]);
}

static uint64_t number_from(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);

    return text ? strtoull(text, NULL, 10) : otherwise;
}

static void test_connections_keep_to_the_table(void **state)
{
    struct model *model = calloc(1, sizeof(*model));
    uint64_t steps = number_from("GR_STEPS", STEPS);

    (void)state;
    assert_non_null(model);
    memset(model->big, 'y', sizeof(model->big));
    model->seed = model->random = number_from("GR_SEED", (uint64_t)time(NULL));
    pthread_mutex_init(&model->lock, NULL);
    for (size_t i = 0; i < CLIENTS; i++)
        model->clients[i].end = -1;
    begin_gateway(model);
    for (model->step = 0; model->step < steps; model->step++) {
        act(model);
        if (draw(model, 3) != 0)
            settle(model);
        if (atomic_load(&model->http->stage) == GRC_HTTP_GIVING_UP && draw(model, 8) == 0) {
            end_gateway(model);
            begin_gateway(model);
        }
    }
    end_gateway(model);
    for (unsigned i = 0; i < STATES; i++)
        assert_true(model->seen[i] > 0);
    assert_true(model->statuses[200] > steps / 100);
    assert_true(model->statuses[400] > 0 && model->statuses[408] > 0 && model->statuses[499] > 0 &&
                model->statuses[503] > 0 && model->statuses[504] > 0);
    pthread_mutex_destroy(&model->lock);
    free(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_connections_keep_to_the_table)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
