#include "queue.h"

#define ID_SIZE 37
/* A row that is due later than the longest wait plus this margin is the effect of a wrong clock. */
#define CLOCK_MARGIN_MS 60000
/* How often a claim looks again when other gateways have just claimed what it found. */
#define CLAIM_ATTEMPTS 3u

/* --- adding --- */

/* Returns ", ?5, ?6 …" for the values of count columns. */
static const char *placeholders(struct gr_call *call, size_t first, size_t count)
{
    const char *list = gr_copy(call, GR_STR(""));

    for (size_t i = 0; i < count && list; i++)
        list = gr_format(call, "%s, ?%zu", list, first + i);
    return list;
}

static const char *insert_statement(struct gr_call *call, const struct queue *queue, size_t count)
{
    const char *values = placeholders(call, queue->lane ? 5 : 4, count);

    return !values ? NULL
                   : gr_format(call,
                               "INSERT INTO %s (%s, %s, due_ms%s%s, %s)"
                               " SELECT ?1, CASE WHEN last >= ?2 THEN last + 1 ELSE ?2 END, ?3%s%s"
                               " FROM (SELECT MAX(%s) AS last FROM %s) AS newest",
                               queue->table, queue->key, queue->order, queue->lane ? ", " : "",
                               queue->lane ? queue->lane : "", queue->columns,
                               queue->lane ? ", ?4" : "", values, queue->order, queue->table);
}

enum gr_err queue_put(struct gr_call *call, const struct queue *queue, const char *lane,
                      const struct gr_value *values, size_t count, int64_t delay_ms,
                      struct queue_item *ret_item)
{
    struct gr_value params[4 + QUEUE_COLUMNS_MAX];
    const char *sql = count <= QUEUE_COLUMNS_MAX ? insert_statement(call, queue, count) : NULL;
    int64_t now = gr_store_now_ms(call);
    char id[ID_SIZE];

    gr_uuid(call->host, id);
    const char *key = gr_copy(call, gr_str_of(id));
    if (!sql || !key)
        return GR_ERR_NO_MEMORY;
    params[0] = gr_v_text(key);
    params[1] = gr_v_int(now);
    params[2] = gr_v_int(now + delay_ms);
    size_t own = 3;
    if (queue->lane)
        params[own++] = gr_v_text(lane);
    for (size_t i = 0; i < count; i++)
        params[own + i] = values[i];
    if (ret_item)
        *ret_item = (struct queue_item){
            .key = params[0], .lane = lane ? lane : "", .order = now, .lease_ms = now + delay_ms};
    return gr_store_exec(call, sql, params, own + count);
}

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
    const char *first = queue->series ? " AND q.behind = 0" : "";
    const char *unpaused = "";

    if (queue->in_order)
        first = gr_format(call,
                          " AND NOT EXISTS (SELECT 1 FROM %s AS e WHERE e.%s = q.%s AND"
                          " (e.%s < q.%s OR (e.%s = q.%s AND e.%s < q.%s)))",
                          queue->table, queue->lane, queue->lane, queue->order, queue->order,
                          queue->order, queue->order, queue->key, queue->key);
    if (queue->pauses)
        unpaused = gr_format(call,
                             " AND NOT EXISTS (SELECT 1 FROM %s AS p WHERE p.name = ?%zu"
                             " AND p.paused_ms IS NOT NULL)",
                             queue->pauses, lane_number);
    return of_lane && first && unpaused ? gr_format(call, "%s%s%s", of_lane, first, unpaused)
                                        : NULL;
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
                     queue->lane ? queue->lane : "''", queue->series ? queue->series : "NULL",
                     queue->columns);
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

/*
 * Returns the query for the keys of up to max rows: ?1 is now, ?2 the horizon, ?3 the lane. With
 * series, each half of it reads an index by the due time, and no further than it finds rows, so
 * that it costs the same however many rows wait. The limit is no parameter, because a planner that
 * does not know it may choose to sort all rows.
 */
static const char *candidates_query(struct gr_call *call, const struct queue *queue,
                                    const char *lane, size_t max)
{
    const char *which = condition(call, queue, lane, 3);

    if (which && !queue->series)
        return gr_format(call,
                         "SELECT q.%s FROM %s AS q WHERE (q.due_ms <= ?1 OR q.due_ms > ?2)%s"
                         " ORDER BY q.%s, q.%s LIMIT %zu",
                         queue->key, queue->table, which, queue->order, queue->key, max);
    return !which ? NULL
                  : gr_format(call,
                              "SELECT * FROM (SELECT q.%s FROM %s AS q WHERE q.due_ms <= ?1%s"
                              " ORDER BY q.due_ms, q.%s LIMIT %zu) AS due UNION ALL"
                              " SELECT * FROM (SELECT q.%s FROM %s AS q WHERE q.due_ms > ?2%s"
                              " ORDER BY q.due_ms, q.%s LIMIT %zu) AS odd LIMIT %zu",
                              queue->key, queue->table, which, queue->key, max, queue->key,
                              queue->table, which, queue->key, max, max);
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
    const char *keys = placeholders(call, 5, candidates->count - 1);
    const char *columns = returned(call, queue);

    for (size_t i = 0; i < candidates->count; i++)
        params[count++] = candidates->keys[i];
    const char *which = condition(call, queue, lane, count + 1);
    if (lane)
        params[count++] = gr_v_text(lane);
    const char *sql =
        keys && columns && which
            ? gr_format(call,
                        "UPDATE %s AS q SET due_ms = ?3"
                        " WHERE (q.due_ms <= ?1 OR q.due_ms > ?2) AND q.%s IN (?4%s)%s"
                        " RETURNING %s",
                        queue->table, queue->key, keys, which, columns)
            : NULL;
    return sql ? gr_store_query(call, sql, params, count, take_row, claim) : GR_ERR_NO_MEMORY;
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

        err = find_candidates(call, queue, lane, max, now, &candidates);
        if (err == GR_OK && candidates.count == 0)
            return GR_OK;
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
    const char *first = gr_format(call,
                                  "%s = ?1 AND %s = (SELECT e.%s FROM %s AS e WHERE e.%s = ?1"
                                  " AND e.%s = ?2 AND e.due_ms IS NOT NULL ORDER BY e.%s LIMIT 1)",
                                  queue->lane, queue->order, queue->order, queue->table,
                                  queue->lane, queue->series, queue->order);
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
                                    struct claim *claim)
{
    bool settled;
    enum gr_err err = finish(call, queue, item, done_ms, &settled);

    return err == GR_OK && settled && item->series.kind != GR_VALUE_NULL
               ? advance(call, queue, item, claim)
               : err;
}

enum gr_err queue_done(struct gr_call *call, const struct queue *queue,
                       const struct queue_item *item)
{
    return finish_in_series(call, queue, item, gr_v_int(gr_store_now_ms(call)), NULL);
}

enum gr_err queue_done_next(struct gr_call *call, const struct queue *queue,
                            const struct queue_item *item, struct queue_item *ret_next,
                            bool *ret_taken)
{
    struct claim claim = {call, ret_next, 1, 0, item->lease_ms};
    enum gr_err err = finish_in_series(call, queue, item, gr_v_int(gr_store_now_ms(call)), &claim);

    *ret_taken = err == GR_OK && claim.count == 1;
    return err;
}

enum gr_err queue_give_up(struct gr_call *call, const struct queue *queue,
                          const struct queue_item *item)
{
    return finish_in_series(call, queue, item, gr_v_null(), NULL);
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

    *ret_given_up = item->attempts + 1 >= queue->attempts_max;
    return *ret_given_up ? queue_give_up(call, queue, item)
                         : set_due(call, queue, item, item->attempts + 1, due);
}

enum gr_err queue_release(struct gr_call *call, const struct queue *queue,
                          const struct queue_item *item)
{
    return set_due(call, queue, item, item->attempts, gr_store_now_ms(call));
}
