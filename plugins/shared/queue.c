#include "queue_parts.h"

#include <stdlib.h>

/* A row that is due later than the longest wait plus this margin is the effect of a wrong clock. */
#define CLOCK_MARGIN_MS 60000
/* How often a claim looks again when other gateways have just claimed what it found. */
#define CLAIM_ATTEMPTS 3u
/* The rows that have been due for longest, of which a claim takes the first. */
#define CLAIM_WINDOW 32
/* The rows of a queue in order that a claim finds beside those it takes, for the case that some are
 * not the first of their lane after all. A planner without statistics believes that few rows are
 * not behind, and would sort all of them for a larger number. */
#define CLAIM_SPARE 3u

/* --- claiming --- */

static int64_t wait_ms(const struct queue *queue, int64_t failures)
{
    const int64_t *wait = queue->waits_ms;

    for (; failures > 0 && wait[1]; failures--)
        wait++;
    return *wait;
}

/* Returns the latest time at which a row can be due that was written now. */
static int64_t horizon_ms(const struct queue *queue, int64_t now)
{
    int64_t longest = wait_ms(queue, queue->attempts_max);

    return now + (queue->lease_ms > longest ? queue->lease_ms : longest) + CLOCK_MARGIN_MS;
}

/* Returns the conditions, beside the due time, under which a row q can be claimed. lane_number is
 * the number of the parameter with the lane. */
static const char *condition(struct gr_call *call, const struct queue *queue, const char *lane,
                             size_t lane_number)
{
    const char *of_lane = lane ? gr_format(call, " AND q.%s = ?%zu", queue->lane, lane_number) : "";
    const char *first = queue_series(queue) ? " AND q.behind = 0" : "";
    const char *unpaused = "";

    if (queue->pauses)
        unpaused = gr_format(call,
                             " AND NOT EXISTS (SELECT 1 FROM %s AS p WHERE p.name = ?%zu"
                             " AND p.paused_ms IS NOT NULL)",
                             queue->pauses, lane_number);
    return of_lane && unpaused ? gr_format(call, "%s%s%s", of_lane, first, unpaused) : NULL;
}

/* Returns the condition that keeps a lane in order although a release that does not know the column
 * has added a row that is not behind; "" when there is no order. found: the row is one of those
 * that the query for candidates has found, and the condition is its first. */
static const char *guard(struct gr_call *call, const struct queue *queue, bool found)
{
    if (!queue->in_order)
        return "";
    if (found) {
        const char *first = queue_first_of_lane(call, queue, "w.k", "w.l");

        return first ? gr_format(call, " WHERE %s", first) : NULL;
    }
    const char *key = gr_format(call, "q.%s", queue->key);
    const char *lane = gr_format(call, "q.%s", queue->lane);
    const char *first = key && lane ? queue_first_of_lane(call, queue, key, lane) : NULL;

    return first ? gr_format(call, " AND %s", first) : NULL;
}

struct claim {
    struct gr_call *call;
    struct queue_item *items;
    size_t max;
    size_t count;
    int64_t lease_ms;
};

static bool keep_value(struct gr_call *call, const struct gr_value *value,
                       struct gr_value *ret_copy)
{
    *ret_copy = *value;
    if (value->kind != GR_VALUE_TEXT && value->kind != GR_VALUE_BLOB)
        return true;
    ret_copy->s.ptr = gr_copy(call, value->s);
    return ret_copy->s.ptr != NULL;
}

static bool is_before(const struct queue_item *a, const struct queue_item *b)
{
    if (a->order != b->order || a->key.kind != GR_VALUE_TEXT)
        return a->order < b->order;
    return strcmp(a->key.s.ptr, b->key.s.ptr) < 0;
}

/* Columns of a claimed row that come before the owner's: key, order, attempts, lane, series. */
#define OWN_COLUMNS 5

static const char *returned(struct gr_call *call, const struct queue *queue)
{
    return gr_format(call, "%s, %s, attempts, %s, %s, %s", queue->key, queue->order,
                     queue->lane ? queue->lane : "''",
                     queue_series(queue) ? queue_series(queue) : "NULL", queue->columns);
}

/* Inserts a row into the sorted list of items, because the statement returns the rows in any
 * order. */
static enum gr_err take_row(void *arg, const struct gr_value *columns, size_t count)
{
    struct claim *claim = arg;
    struct gr_value *own;
    struct queue_item item = {
        .order = columns[1].i, .attempts = columns[2].i, .lease_ms = claim->lease_ms};
    size_t at = claim->count;

    if (at == claim->max || count < OWN_COLUMNS)
        return GR_ERR_STORE;
    own = gr_alloc(claim->call, count * sizeof(*own));
    item.lane = gr_copy(claim->call, columns[3].s);
    if (!own || !item.lane || !keep_value(claim->call, &columns[0], &item.key) ||
        !keep_value(claim->call, &columns[4], &item.series))
        return GR_ERR_NO_MEMORY;
    for (size_t i = OWN_COLUMNS; i < count; i++) {
        if (!keep_value(claim->call, &columns[i], &own[i - OWN_COLUMNS]))
            return GR_ERR_NO_MEMORY;
    }
    item.columns = own;
    for (; at > 0 && is_before(&item, &claim->items[at - 1]); at--)
        claim->items[at] = claim->items[at - 1];
    claim->items[at] = item;
    claim->count++;
    return GR_OK;
}

/* Keys of rows that can be claimed. */
struct candidates {
    struct gr_call *call;
    struct gr_value keys[QUEUE_CLAIM_MAX];
    size_t count;
};

static enum gr_err take_key(void *arg, const struct gr_value *columns, size_t count)
{
    struct candidates *candidates = arg;

    (void)count;
    if (candidates->count == QUEUE_CLAIM_MAX)
        return GR_ERR_STORE;
    if (!keep_value(candidates->call, &columns[0], &candidates->keys[candidates->count]))
        return GR_ERR_NO_MEMORY;
    candidates->count++;
    return GR_OK;
}

/* Returns one half of the query below: the rows whose due time compares so, and a part of the query
 * that orders and limits them. */
static const char *half(struct gr_call *call, const struct queue *queue, const char *which,
                        const char *compares, size_t max)
{
    const char *tie = queue->series ? gr_format(call, ", q.%s", queue->key) : "";

    return !tie ? NULL
                : gr_format(call,
                            "SELECT * FROM (SELECT q.%s AS k, q.%s AS o, %s%s AS l FROM %s AS q"
                            " WHERE q.due_ms %s%s ORDER BY q.due_ms%s LIMIT %zu)",
                            queue->key, queue->order, queue->lane ? "q." : "",
                            queue->lane ? queue->lane : "''", queue->table, compares, which, tie,
                            max);
}

/*
 * Returns the query for the keys of up to max rows: ?1 is now, ?2 the horizon, ?3 the lane. Each
 * half of it reads an index by the due time, and no further than it finds rows, so that it costs
 * the same however many rows wait. The limits are no parameters, because a planner that does not
 * know them may choose to sort all rows. What can be claimed of series is taken as it becomes due.
 * The rows of another queue are taken in their order, among the first that became due.
 */
static const char *candidates_query(struct gr_call *call, const struct queue *queue,
                                    const char *lane, size_t max)
{
    const char *which = condition(call, queue, lane, 3);
    size_t window = queue->series ? max : queue->in_order ? max + CLAIM_SPARE : CLAIM_WINDOW;
    const char *due = which ? half(call, queue, which, "<= ?1", window) : NULL;
    const char *odd = which ? half(call, queue, which, "> ?2", window) : NULL;
    const char *first = guard(call, queue, true);

    return !due || !odd || !first
               ? NULL
               : gr_format(call,
                           "SELECT w.k FROM (%s AS due UNION ALL %s AS odd) AS w%s%s LIMIT %zu",
                           due, odd, first, queue->series ? "" : " ORDER BY w.o, w.k", max);
}

static enum gr_err find_candidates(struct gr_call *call, const struct queue *queue,
                                   const char *lane, size_t max, int64_t now,
                                   struct candidates *candidates)
{
    const char *sql = candidates_query(call, queue, lane, max);
    const struct gr_value params[] = {gr_v_int(now), gr_v_int(horizon_ms(queue, now)),
                                      gr_v_text(lane)};

    candidates->count = 0;
    return sql ? gr_store_query(call, sql, params, lane ? 3 : 2, take_key, candidates)
               : GR_ERR_NO_MEMORY;
}

/* Claims those of the candidates that nothing has claimed meanwhile: when another gateway has just
 * changed a row, the database evaluates the condition again, and the row is not due any more. */
static enum gr_err claim_candidates(struct gr_call *call, const struct queue *queue,
                                    const char *lane, int64_t now,
                                    const struct candidates *candidates, struct claim *claim)
{
    struct gr_value params[4 + QUEUE_CLAIM_MAX] = {gr_v_int(now), gr_v_int(horizon_ms(queue, now)),
                                                   gr_v_int(claim->lease_ms)};
    size_t count = 3;
    const char *keys = queue_placeholders(call, 5, candidates->count - 1);
    const char *columns = returned(call, queue);

    for (size_t i = 0; i < candidates->count; i++)
        params[count++] = candidates->keys[i];
    const char *which = condition(call, queue, lane, count + 1);
    if (lane)
        params[count++] = gr_v_text(lane);
    const char *first = guard(call, queue, false);
    const char *sql =
        keys && columns && which && first
            ? gr_format(call,
                        "UPDATE %s AS q SET due_ms = ?3"
                        " WHERE (q.due_ms <= ?1 OR q.due_ms > ?2) AND q.%s IN (?4%s)%s%s"
                        " RETURNING %s",
                        queue->table, queue->key, keys, which, first, columns)
            : NULL;
    return sql ? gr_store_query(call, sql, params, count, take_row, claim) : GR_ERR_NO_MEMORY;
}

/* Leaves max of the candidates, from a random one on, so that gateways which have lost against each
 * other do not meet again. */
static void scatter(const struct gr_call *call, struct candidates *candidates, size_t max)
{
    char id[QUEUE_ID_SIZE];

    if (candidates->count <= max)
        return;
    gr_uuid(call->host, id);
    size_t from = strtoul(id + QUEUE_ID_SIZE - 7, NULL, 16) % (candidates->count - max + 1);
    memmove(candidates->keys, candidates->keys + from, max * sizeof(candidates->keys[0]));
    candidates->count = max;
}

enum gr_err queue_claim(struct gr_call *call, const struct queue *queue, const char *lane,
                        struct queue_item *ret_items, size_t max, size_t *ret_count)
{
    int64_t now = gr_store_now_ms(call);
    struct claim claim = {call, ret_items, max, 0, now + queue->lease_ms};
    enum gr_err err = GR_OK;

    *ret_count = 0;
    /* Where other gateways were faster, there may be more that is due. */
    for (unsigned attempt = 0; attempt < CLAIM_ATTEMPTS && claim.count == 0; attempt++) {
        struct candidates candidates = {.call = call};

        err = find_candidates(call, queue, lane, attempt ? QUEUE_CLAIM_MAX : max, now, &candidates);
        if (err == GR_OK && candidates.count == 0)
            return GR_OK;
        scatter(call, &candidates, max);
        if (err == GR_OK)
            err = claim_candidates(call, queue, lane, now, &candidates, &claim);
        if (err != GR_OK)
            return err;
    }
    *ret_count = claim.count;
    return GR_OK;
}

/* --- settling --- */

/* Runs an action on the row if it still has the due time that the claim set. ?4 and ?5 are
 * parameters of the action. *ret_settled: whether the action ran. */
static enum gr_err settle(struct gr_call *call, const struct queue *queue,
                          const struct queue_item *item, const char *action,
                          const struct gr_value *own, size_t own_count, bool *ret_settled)
{
    struct gr_value params[5] = {item->key, gr_v_int(item->lease_ms), gr_v_text(item->lane)};
    const char *sql = gr_format(call, "%s WHERE %s = ?1 AND due_ms = ?2 AND %s = ?3", action,
                                queue->key, queue->lane ? queue->lane : "''");
    int64_t changed = 0;

    for (size_t i = 0; i < own_count; i++)
        params[3 + i] = own[i];
    enum gr_err err =
        sql ? gr_store(call, sql, params, 3 + own_count, NULL, NULL, &changed) : GR_ERR_NO_MEMORY;
    *ret_settled = changed > 0;
    return err;
}

static enum gr_err finish(struct gr_call *call, const struct queue *queue,
                          const struct queue_item *item, struct gr_value done_ms, bool *ret_settled)
{
    const struct gr_value own[] = {gr_v_int(item->attempts + 1), done_ms};
    const char *action =
        queue->keeps_rows
            ? gr_format(call, "UPDATE %s SET attempts = ?4, done_ms = ?5, due_ms = NULL",
                        queue->table)
            : gr_format(call, "DELETE FROM %s", queue->table);

    *ret_settled = false;
    if (!action)
        return GR_ERR_NO_MEMORY;
    return settle(call, queue, item, action, own, queue->keeps_rows ? 2 : 0, ret_settled);
}

/* Takes a row as take_row() does, unless its last column says that it was not due. */
static enum gr_err take_if_due(void *arg, const struct gr_value *columns, size_t count)
{
    return columns[count - 1].i ? take_row(arg, columns, count) : GR_OK;
}

/*
 * Lets the first row of a series that waits be claimed: all rows before it are settled. With claim,
 * it is claimed at once if it is due. ?1 is the lane, ?2 the series, ?3 now, ?4 the lease.
 */
static enum gr_err advance(struct gr_call *call, const struct queue *queue,
                           const struct queue_item *item, struct claim *claim)
{
    const struct gr_value params[] = {gr_v_text(item->lane), item->series,
                                      gr_v_int(gr_store_now_ms(call)), gr_v_int(item->lease_ms)};
    /* SQLite would sort by a column that is named twice. */
    const char *tie =
        strcmp(queue->key, queue->order) == 0 ? "" : gr_format(call, ", e.%s", queue->key);
    const char *first =
        !tie ? NULL
             : gr_format(call,
                         "%s = ?1 AND %s = (SELECT e.%s FROM %s AS e WHERE e.%s = ?1"
                         " AND e.%s = ?2 AND e.due_ms IS NOT NULL ORDER BY e.%s%s LIMIT 1)",
                         queue->lane, queue->key, queue->key, queue->table, queue->lane,
                         queue_series(queue), queue->order, tie);
    const char *row = returned(call, queue);
    const char *sql = NULL;

    if (first && !claim)
        sql = gr_format(call, "UPDATE %s SET behind = 0 WHERE %s AND behind <> 0", queue->table,
                        first);
    else if (first && row)
        sql = gr_format(call,
                        "UPDATE %s SET behind = 0, due_ms = CASE WHEN due_ms <= ?3 THEN ?4"
                        " ELSE due_ms END WHERE %s RETURNING %s, due_ms = ?4",
                        queue->table, first, row);
    if (!sql)
        return GR_ERR_NO_MEMORY;
    return gr_store_query(call, sql, params, claim ? 4 : 2, claim ? take_if_due : NULL, claim);
}

/* Settles a row for good, and lets the next one of its series be claimed. */
static enum gr_err finish_in_series(struct gr_call *call, const struct queue *queue,
                                    const struct queue_item *item, struct gr_value done_ms,
                                    struct claim *claim, bool *ret_settled)
{
    enum gr_err err = finish(call, queue, item, done_ms, ret_settled);

    return err == GR_OK && *ret_settled && item->series.kind != GR_VALUE_NULL
               ? advance(call, queue, item, claim)
               : err;
}

enum gr_err queue_done(struct gr_call *call, const struct queue *queue,
                       const struct queue_item *item)
{
    bool settled;

    return finish_in_series(call, queue, item, gr_v_int(gr_store_now_ms(call)), NULL, &settled);
}

enum gr_err queue_done_next(struct gr_call *call, const struct queue *queue,
                            const struct queue_item *item, struct queue_item *ret_next,
                            bool *ret_taken)
{
    struct claim claim = {call, ret_next, 1, 0, item->lease_ms};
    bool settled;
    enum gr_err err =
        finish_in_series(call, queue, item, gr_v_int(gr_store_now_ms(call)), &claim, &settled);

    *ret_taken = err == GR_OK && claim.count == 1;
    return err;
}

enum gr_err queue_give_up(struct gr_call *call, const struct queue *queue,
                          const struct queue_item *item)
{
    bool settled;

    return finish_in_series(call, queue, item, gr_v_null(), NULL, &settled);
}

static enum gr_err set_due(struct gr_call *call, const struct queue *queue,
                           const struct queue_item *item, int64_t attempts, int64_t due_ms)
{
    const struct gr_value own[] = {gr_v_int(attempts), gr_v_int(due_ms)};
    const char *action = gr_format(call, "UPDATE %s SET attempts = ?4, due_ms = ?5", queue->table);
    bool settled;

    return action ? settle(call, queue, item, action, own, 2, &settled) : GR_ERR_NO_MEMORY;
}

enum gr_err queue_fail(struct gr_call *call, const struct queue *queue,
                       const struct queue_item *item, bool *ret_given_up)
{
    int64_t due = gr_store_now_ms(call) + wait_ms(queue, item->attempts);

    *ret_given_up = false;
    return item->attempts + 1 >= queue->attempts_max
               ? finish_in_series(call, queue, item, gr_v_null(), NULL, ret_given_up)
               : set_due(call, queue, item, item->attempts + 1, due);
}

enum gr_err queue_renew(struct gr_call *call, const struct queue *queue, struct queue_item *item,
                        bool *ret_held)
{
    const struct gr_value own[] = {gr_v_int(gr_store_now_ms(call) + queue->lease_ms)};
    const char *action = gr_format(call, "UPDATE %s SET due_ms = ?4", queue->table);

    *ret_held = false;
    enum gr_err err =
        action ? settle(call, queue, item, action, own, 1, ret_held) : GR_ERR_NO_MEMORY;
    if (err == GR_OK && *ret_held)
        item->lease_ms = own[0].i;
    return err;
}

enum gr_err queue_release(struct gr_call *call, const struct queue *queue,
                          const struct queue_item *item)
{
    int64_t now = gr_store_now_ms(call);
    /* Among rows that are claimed in the order in which they became due, this keeps its place. */
    bool first = !queue_series(queue) && item->order < now;

    return set_due(call, queue, item, item->attempts, first ? item->order : now);
}
