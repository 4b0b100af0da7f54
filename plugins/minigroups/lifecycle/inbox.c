#include "inbox.h"

#include "base/json.h"
#include "base/state.h"
#include "messages.h"
#include "store/columns.h"

#define LEASE_MS 60000

/* Waits after the first, second … failure. They are short, since the class's later messages wait
 * as well; then the message is dropped with a line in the log. */
static const int64_t waits_ms[] = {1000, 5000, 30000};
#define ATTEMPTS_MAX (sizeof(waits_ms) / sizeof(waits_ms[0]) + 1)

struct inbox_row {
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
    struct mini_state *state = mini_state_of(call);
    int64_t now = gr_now_ms(call->host);
    int64_t last = atomic_load(&state->came_ms);

    while (!atomic_compare_exchange_weak(&state->came_ms, &last, now > last ? now : last + 1))
        ;
    return now > last ? now : last + 1;
}

enum gr_err mini_inbox_put(struct gr_call *call, const char *queue, const char *label,
                           const struct mini_delivery *delivery)
{
    const char *payload = mini_json_text(call, delivery->payload);
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
        gr_timer_wake(call->self, MINI_INBOX_TIMER);
    return err;
}

static enum gr_err read_row(void *arg, const struct gr_value *columns, size_t count)
{
    struct inbox_row *row = arg;
    struct mini_columns r = {row->call, columns, count, 0, false};

    row->id = mini_column_text(&r);
    row->audience = mini_column_text(&r);
    row->source = mini_column_text(&r);
    row->label = mini_column_text(&r);
    row->payload = mini_column_text(&r);
    row->attempts = mini_column_int(&r);
    row->next_try_ms = mini_column_int(&r);
    return r.failed ? GR_ERR_NO_MEMORY : GR_OK;
}

/* Several gateways may share the store: only the one whose claim changes the row handles it. While
 * the row is there, later ones of its queue wait. */
static bool claim(struct gr_call *call, const struct inbox_row *row)
{
    const struct gr_value params[] = {gr_v_text(row->id), gr_v_int(row->next_try_ms),
                                      gr_v_int(gr_now_ms(call->host) + LEASE_MS)};
    int64_t changed = 0;
    enum gr_err err = gr_store(call,
                               "UPDATE minigroups_inbox SET next_try_ms = ?3"
                               " WHERE id = ?1 AND next_try_ms = ?2",
                               params, 3, NULL, NULL, &changed);

    return err == GR_OK && changed == 1;
}

static enum gr_err forget(struct gr_call *call, const struct inbox_row *row)
{
    const struct gr_value params[] = {gr_v_text(row->id)};

    return gr_store(call, "DELETE FROM minigroups_inbox WHERE id = ?1", params, 1, NULL, NULL,
                    NULL);
}

static enum gr_err postpone(struct gr_call *call, const struct inbox_row *row)
{
    const struct gr_value params[] = {gr_v_text(row->id),
                                      gr_v_int(gr_now_ms(call->host) + waits_ms[row->attempts])};

    return gr_store(call,
                    "UPDATE minigroups_inbox SET next_try_ms = ?2, attempts = attempts + 1"
                    " WHERE id = ?1",
                    params, 2, NULL, NULL, NULL);
}

static enum gr_err handle(struct gr_call *call, const struct inbox_row *row)
{
    json_t *payload = mini_json_load(row->payload);
    struct mini_delivery delivery = {
        .audience = row->audience, .source = gr_str_of(row->source), .payload = payload};
    enum gr_err err = payload ? mini_message_handle(call, row->label, &delivery) : GR_OK;

    json_decref(payload);
    if (err == GR_OK)
        return forget(call, row);
    if (row->attempts + 1 < (int64_t)ATTEMPTS_MAX)
        return postpone(call, row);
    gr_log(call, GR_LOG_ERROR, "inbox: '%s' for '%s' dropped after %zu attempts", row->label,
           row->audience, (size_t)ATTEMPTS_MAX);
    return forget(call, row);
}

enum gr_err mini_inbox_run(struct gr_call *call)
{
    const struct gr_value params[] = {gr_v_int(gr_now_ms(call->host))};
    struct inbox_row row = {.call = call};
    enum gr_err err = gr_store(
        call,
        "SELECT id, audience, source, label, payload, attempts, next_try_ms"
        " FROM minigroups_inbox AS i WHERE next_try_ms <= ?1 AND NOT EXISTS"
        " (SELECT 1 FROM minigroups_inbox AS earlier WHERE earlier.queue = i.queue AND"
        "  (earlier.came_ms < i.came_ms OR (earlier.came_ms = i.came_ms AND earlier.id < i.id)))"
        " ORDER BY came_ms, id LIMIT 1",
        params, 1, read_row, &row, NULL);

    if (err != GR_OK || !row.id)
        return err;
    /* One per run: a message that fails has failed the call. */
    gr_timer_wake(call->self, MINI_INBOX_TIMER);
    return claim(call, &row) ? handle(call, &row) : GR_OK;
}
