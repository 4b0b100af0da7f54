#include "upstream/http1.h"

#include "base/clock.h"
#include "upstream/connection.h"
#include "upstream/gone.h"
#include "upstream/http1_answer.h"
#include "upstream/http1_request.h"

#define REQUEST_HEAD_MAX 65536u
#define RECEIVE_MIN 4095u   /* a page, with the NUL behind it */
#define RECEIVE_MAX 262144u /* the most that is received at once */
#define KEEP_ALIVE_SLACK_MS 500

/* One request and its answer on one connection. */
struct talk {
    struct grc_transfer *transfer;
    struct grc_connection *connection;
    struct grc_gone gone;
    struct grc_buf out; /* the head of the request, and its body if that is small */
    gr_str rest[2];     /* what is still to be sent of the request */
    struct grc_buf in;
    struct grc_http1_answer answer;
    bool sent;     /* the upstream may have received a part of the request */
    bool received; /* a part of an answer has come */
    bool cut;      /* sending failed on the way; the answer may tell why */
};

/* --- outcomes --- */

static struct grc_outcome failed(const struct talk *talk, enum gr_err err, const char *detail)
{
    return (struct grc_outcome){
        .err = err,
        .sent = talk->sent,
        .received = talk->received,
        .detail = detail,
        .sends = 1,
    };
}

/* --- sending --- */

/* Sends as much as it can without waiting. Returns GRC_IO_DONE when all of the request was sent. */
static enum grc_io push(struct talk *talk)
{
    for (size_t i = 0; i < 2; i++) {
        while (talk->rest[i].len) {
            size_t sent;
            enum grc_io io = grc_connection_send(talk->connection, talk->rest[i], &sent);

            if (io != GRC_IO_DONE)
                return io;
            talk->sent = true;
            talk->rest[i].ptr += sent;
            talk->rest[i].len -= sent;
        }
    }
    grc_buf_done(&talk->out);
    return GRC_IO_DONE;
}

static bool is_sending(const struct talk *talk)
{
    return (talk->rest[0].len || talk->rest[1].len) && !talk->cut;
}

/* --- receiving --- */

static enum gr_err make_room(struct talk *talk)
{
    size_t want = grc_http1_answer_awaits(&talk->answer);

    if (want < RECEIVE_MIN)
        want = RECEIVE_MIN;
    return grc_buf_reserve(&talk->in, want < RECEIVE_MAX ? want : RECEIVE_MAX);
}

/* Reads what has come. Returns true when the attempt is over, with *ret. */
static bool pull(struct talk *talk, struct grc_outcome *ret)
{
    struct grc_buf *in = &talk->in;
    enum grc_http1_end end = GRC_HTTP1_MORE;

    while (end == GRC_HTTP1_MORE) {
        size_t count;
        enum gr_err err = make_room(talk);

        if (err != GR_OK) {
            *ret = failed(talk, err, "no memory for the answer");
            return true;
        }
        enum grc_io io = grc_connection_receive(talk->connection, in->ptr + in->len,
                                                in->cap - 1 - in->len, &count);
        if (io == GRC_IO_AGAIN)
            return false;
        if (io == GRC_IO_FAILED) {
            *ret = failed(talk, GR_ERR_UPSTREAM_BROKEN, "the connection broke");
            return true;
        }
        talk->received = talk->received || count > 0;
        in->len += count;
        in->ptr[in->len] = '\0';
        end = io == GRC_IO_CLOSED ? grc_http1_answer_closed(&talk->answer)
                                  : grc_http1_answer_read(&talk->answer);
    }
    *ret =
        failed(talk, end == GRC_HTTP1_WHOLE ? GR_OK : GR_ERR_UPSTREAM_BROKEN, talk->answer.reason);
    ret->status = talk->answer.status;
    /* When nothing has come, another attempt may succeed. */
    ret->lasting = end == GRC_HTTP1_BROKEN && talk->received;
    return true;
}

/* --- both --- */

/* Waits for the connection. Returns GR_OK when there may be something to send or receive. */
static enum gr_err wait(struct talk *talk)
{
    int64_t deadline_ms = talk->transfer->deadline_ms;
    enum grc_woken woken =
        grc_connection_wait(talk->connection, GRC_READ | (is_sending(talk) ? GRC_WRITE : 0),
                            grc_gone_step(&talk->gone, deadline_ms));

    if (woken == GRC_WOKEN_CANCELLED || grc_gone_look(&talk->gone))
        return GR_ERR_CANCELLED;
    if (woken == GRC_WOKEN_FAILED)
        return GR_ERR_NO_MEMORY;
    if (woken == GRC_WOKEN_LATE && grc_mono_ms() >= deadline_ms)
        return GR_ERR_UPSTREAM_TIMEOUT;
    return GR_OK;
}

/*
 * Sends and receives at the same time, since an upstream may answer before it has read all of a
 * large body. When everything could be sent at once, it waits before the first receive, because the
 * answer cannot be there yet.
 */
static struct grc_outcome drive(struct talk *talk)
{
    struct grc_outcome outcome;
    bool woken = false;

    for (;;) {
        enum grc_io io = is_sending(talk) ? push(talk) : GRC_IO_DONE;

        if (io == GRC_IO_FAILED && !talk->sent)
            return failed(talk, GR_ERR_UPSTREAM_BROKEN, "the connection broke");
        talk->cut = talk->cut || io == GRC_IO_FAILED;
        if ((woken || io != GRC_IO_DONE) && pull(talk, &outcome))
            return outcome;
        enum gr_err err = wait(talk);
        if (err != GR_OK)
            return failed(talk, err, NULL);
        woken = true;
    }
}

/* --- the answer --- */

static void on_field(void *arg, const struct gr_pair *pair)
{
    grc_answer_head_take(arg, pair);
}

static void begin_answer(struct talk *talk)
{
    const struct grc_exchange *exchange = talk->transfer->exchange;
    size_t body_max = (size_t)talk->transfer->upstream->settings->answer_max_bytes;

    grc_answer_head_begin(&talk->transfer->head, exchange->arena, exchange->cache.ttl_ms > 0);
    grc_buf_init(&talk->in, body_max + 2 * GRC_HTTP1_HEAD_MAX + RECEIVE_MAX);
    talk->answer = (struct grc_http1_answer){
        .in = &talk->in, .body_max = body_max, .fields = {on_field, &talk->transfer->head}};
    grc_http1_answer_begin(&talk->answer);
}

/* Copies the body, so that a small answer does not hold the memory of a large buffer. */
static void take_answer(struct talk *talk, struct grc_outcome *outcome)
{
    struct grc_exchange *exchange = talk->transfer->exchange;
    gr_str body = grc_http1_answer_body(&talk->answer);

    if (talk->transfer->head.encoded) {
        *outcome = failed(talk, GR_ERR_UPSTREAM_BROKEN, GRC_DETAIL_ENCODED);
        outcome->lasting = true;
        return;
    }
    char *copy = grc_arena_copy(exchange->arena, body);
    if (copy)
        exchange->answer = (gr_str){copy, body.len};
    else
        *outcome = failed(talk, GR_ERR_NO_MEMORY, "no memory for the answer");
}

static void part(struct talk *talk)
{
    struct grc_connection *connection = talk->connection;
    int64_t said_s = talk->answer.kept_max_s;

    if (!talk->answer.kept || is_sending(talk) || talk->cut || said_s == 0) {
        grc_connection_free(connection);
        return;
    }
    connection->idle_max_ms = talk->transfer->upstream->settings->idle_timeout_ms;
    if (said_s > 0 && said_s < connection->idle_max_ms / 1000)
        connection->idle_max_ms = said_s * 1000 - KEEP_ALIVE_SLACK_MS;
    grc_connection_give(talk->transfer->upstream, connection);
}

/* Sends the request on the connection and reads the answer. Steals the connection. */
static struct grc_outcome talk_over(struct grc_transfer *transfer,
                                    struct grc_connection *connection)
{
    const struct grc_upstream *upstream = transfer->upstream;
    const struct grc_http1_target target = {upstream->url.authority, upstream->url.prefix};
    struct talk talk = {.transfer = transfer, .connection = connection};
    struct grc_outcome outcome;

    talk.gone = grc_gone_begin(transfer->exchange, transfer->launched_us / 1000);
    grc_buf_init(&talk.out, REQUEST_HEAD_MAX + GRC_HTTP1_BODY_INLINE);
    begin_answer(&talk);
    enum gr_err err =
        grc_http1_request_write(&talk.out, &target, transfer->exchange,
                                transfer->token ? transfer->token->header : NULL, &talk.rest[1]);
    if (err == GR_OK) {
        talk.rest[0] = grc_buf_view(&talk.out);
        outcome = drive(&talk);
        if (outcome.err == GR_OK)
            take_answer(&talk, &outcome);
    } else {
        outcome = failed(&talk, err, "the request cannot be sent");
    }
    part(&talk);
    grc_buf_done(&talk.out);
    grc_buf_done(&talk.in);
    return outcome;
}

/* --- which connection --- */

/* True when a kept connection was dead, so that the request may go out on a new one. */
static bool was_dead(const struct grc_transfer *transfer, const struct grc_outcome *outcome)
{
    return outcome->err == GR_ERR_UPSTREAM_BROKEN && !outcome->received &&
           (!outcome->sent || grc_exchange_is_safe(transfer->exchange));
}

struct grc_outcome grc_http1_attempt(struct grc_transfer *transfer)
{
    struct grc_upstream *upstream = transfer->upstream;
    struct grc_connection *connection =
        grc_connection_take(upstream, grc_exchange_is_safe(transfer->exchange));
    struct grc_outcome outcome = {.sends = 0};

    if (connection) {
        outcome = talk_over(transfer, connection);
        if (!was_dead(transfer, &outcome))
            return outcome;
    }
    unsigned sends = outcome.sent ? outcome.sends : 0;
    connection = grc_connect(upstream, transfer->exchange, transfer->deadline_ms, &outcome);
    if (connection)
        outcome = talk_over(transfer, connection);
    outcome.sends += sends;
    return outcome;
}
