#include "inbox.h"

#define LEASE_MS 60000

/* Waits after the first, second … failure. They are short, since the class's later messages wait
 * as well; then the message is dropped with a line in the log. */
static const int64_t waits_ms[] = {1000, 5000, 30000};
#define ATTEMPTS_MAX (sizeof(waits_ms) / sizeof(waits_ms[0]) + 1)

struct letter {
    struct gr_call *call;
    const char *id;
    const char *audience;
    const char *source;
    const char *label;
    const char *payload;
    int64_t attempts;
    int64_t next_try_ms;
};

/* The time of arrival, later than any this process gave before: the order within a queue. */
static int64_t arrival(struct gr_call *call)
{
    struct mg_state *state = mg_state_of(call);
    int64_t now = gr_now_ms(call->host);
    int64_t last = atomic_load(&state->came_ms);

    while (!atomic_compare_exchange_weak(&state->came_ms, &last, now > last ? now : last + 1))
        ;
    return now > last ? now : last + 1;
}

enum gr_err mg_inbox_put(struct gr_call *call, const char *queue, const char *label,
                         const struct mg_delivery *delivery)
{
    const char *payload = mg_json_text(call, delivery->payload);
    const char *source = gr_copy(call, delivery->source);
    char id[37];

    if (!payload || !source)
        return GR_ERR_NO_MEMORY;
    gr_uuid(call->host, id);
    const struct gr_value params[] = {gr_v_text(id),      gr_v_int(arrival(call)),
                                      gr_v_text(queue),   gr_v_text(delivery->audience),
                                      gr_v_text(source),  gr_v_text(label),
                                      gr_v_text(payload), gr_v_int(gr_now_ms(call->host))};
    enum gr_err err =
        gr_store(call,
                 "INSERT INTO minigroups_inbox"
                 " (id, came_ms, queue, audience, source, label, payload, next_try_ms)"
                 " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
                 params, 8, NULL, NULL, NULL);

    if (err == GR_OK)
        gr_timer_wake(call->self, MG_INBOX_TIMER);
    return err;
}

static enum gr_err read_letter(void *arg, const struct gr_value *columns, size_t count)
{
    struct letter *letter = arg;
    struct mg_row r = {letter->call, columns, count, 0, false};

    letter->id = mg_row_text(&r);
    letter->audience = mg_row_text(&r);
    letter->source = mg_row_text(&r);
    letter->label = mg_row_text(&r);
    letter->payload = mg_row_text(&r);
    letter->attempts = mg_row_int(&r);
    letter->next_try_ms = mg_row_int(&r);
    return r.failed ? GR_ERR_NO_MEMORY : GR_OK;
}

/* Several gateways may share the store: only the one whose claim changes the row handles it. While
 * the row is there, later ones of its queue wait. */
static bool claim(struct gr_call *call, const struct letter *letter)
{
    const struct gr_value params[] = {gr_v_text(letter->id), gr_v_int(letter->next_try_ms),
                                      gr_v_int(gr_now_ms(call->host) + LEASE_MS)};
    int64_t changed = 0;
    enum gr_err err = gr_store(call,
                               "UPDATE minigroups_inbox SET next_try_ms = ?3"
                               " WHERE id = ?1 AND next_try_ms = ?2",
                               params, 3, NULL, NULL, &changed);

    return err == GR_OK && changed == 1;
}

static enum gr_err forget(struct gr_call *call, const struct letter *letter)
{
    const struct gr_value params[] = {gr_v_text(letter->id)};

    return gr_store(call, "DELETE FROM minigroups_inbox WHERE id = ?1", params, 1, NULL, NULL,
                    NULL);
}

static enum gr_err postpone(struct gr_call *call, const struct letter *letter)
{
    const struct gr_value params[] = {gr_v_text(letter->id),
                                      gr_v_int(gr_now_ms(call->host) + waits_ms[letter->attempts])};

    return gr_store(call,
                    "UPDATE minigroups_inbox SET next_try_ms = ?2, attempts = attempts + 1"
                    " WHERE id = ?1",
                    params, 2, NULL, NULL, NULL);
}

static enum gr_err handle(struct gr_call *call, const struct letter *letter)
{
    json_t *payload = mg_json_load(letter->payload);
    struct mg_delivery delivery = {
        .audience = letter->audience, .source = gr_str_of(letter->source), .payload = payload};
    enum gr_err err = payload ? mg_deliver(call, letter->label, &delivery) : GR_OK;

    json_decref(payload);
    if (err == GR_OK)
        return forget(call, letter);
    if (letter->attempts + 1 < (int64_t)ATTEMPTS_MAX)
        return postpone(call, letter);
    gr_log(call, GR_LOG_ERROR, "inbox: '%s' for '%s' dropped after %zu attempts", letter->label,
           letter->audience, (size_t)ATTEMPTS_MAX);
    return forget(call, letter);
}

enum gr_err mg_inbox_run(struct gr_call *call)
{
    const struct gr_value params[] = {gr_v_int(gr_now_ms(call->host))};
    struct letter letter = {.call = call};
    enum gr_err err = gr_store(
        call,
        "SELECT id, audience, source, label, payload, attempts, next_try_ms"
        " FROM minigroups_inbox AS i WHERE next_try_ms <= ?1 AND NOT EXISTS"
        " (SELECT 1 FROM minigroups_inbox AS earlier WHERE earlier.queue = i.queue AND"
        "  (earlier.came_ms < i.came_ms OR (earlier.came_ms = i.came_ms AND earlier.id < i.id)))"
        " ORDER BY came_ms, id LIMIT 1",
        params, 1, read_letter, &letter, NULL);

    if (err != GR_OK || !letter.id)
        return err;
    /* One per run: a message that fails has failed the call. */
    gr_timer_wake(call->self, MG_INBOX_TIMER);
    return claim(call, &letter) ? handle(call, &letter) : GR_OK;
}
