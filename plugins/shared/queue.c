#include "queue.h"

#define ID_SIZE 37
/* A row that is due later than the longest wait plus this margin is the effect of a wrong clock. */
#define CLOCK_MARGIN_MS 60000

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
    int64_t now = gr_now_ms(call->host);
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
    size_t last = queue->wait_count - 1;

    return queue->waits_ms[failures < (int64_t)last ? (size_t)failures : last];
}

/* Returns the latest time at which a row can be due that was written now. */
static int64_t horizon_ms(const struct queue *queue, int64_t now)
{
    int64_t longest = wait_ms(queue, queue->attempts_max);

    return now + (queue->lease_ms > longest ? queue->lease_ms : longest) + CLOCK_MARGIN_MS;
}

/*
 * Returns the condition that no earlier row of q's series waits or is leased. Those rows are few,
 * since the later ones of their series wait for them, so they are read once and not for each q.
 */
static const char *after_blocked(struct gr_call *call, const struct queue *queue,
                                 const char *of_lane)
{
    return gr_format(call,
                     " AND q.due_ms IS NOT NULL AND (q.%s IS NULL OR NOT EXISTS (SELECT 1 FROM"
                     " (SELECT q.%s AS series, MIN(q.%s) AS first FROM %s AS q"
                     " WHERE q.due_ms > ?1 AND q.due_ms <= ?2%s GROUP BY q.%s) AS e"
                     " WHERE e.series = q.%s AND e.first < q.%s))",
                     queue->series, queue->series, queue->order, queue->table, of_lane,
                     queue->series, queue->series, queue->order);
}

/* Returns the condition for a due row q: ?1 is now, ?2 the horizon, ?lane_number the lane. */
static const char *condition(struct gr_call *call, const struct queue *queue, const char *lane,
                             unsigned lane_number)
{
    const char *of_lane = lane ? gr_format(call, " AND q.%s = ?%u", queue->lane, lane_number) : "";
    const char *first = "";

    if (queue->in_order)
        first = gr_format(call,
                          " AND NOT EXISTS (SELECT 1 FROM %s AS e WHERE e.%s = q.%s AND"
                          " (e.%s < q.%s OR (e.%s = q.%s AND e.%s < q.%s)))",
                          queue->table, queue->lane, queue->lane, queue->order, queue->order,
                          queue->order, queue->order, queue->key, queue->key);
    if (queue->series && of_lane)
        first = after_blocked(call, queue, of_lane);
    return of_lane && first
               ? gr_format(call, "(q.due_ms <= ?1 OR q.due_ms > ?2)%s%s", of_lane, first)
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

/* Inserts a row (key, order, attempts, lane, the owner's columns) into the sorted list of items,
 * because the statement returns the rows in any order. */
static enum gr_err take_row(void *arg, const struct gr_value *columns, size_t count)
{
    struct claim *claim = arg;
    struct gr_value *own;
    struct queue_item item = {
        .order = columns[1].i, .attempts = columns[2].i, .lease_ms = claim->lease_ms};
    size_t at = claim->count;

    if (at == claim->max || count < 4)
        return GR_ERR_STORE;
    own = gr_alloc(claim->call, count * sizeof(*own));
    item.lane = gr_copy(claim->call, columns[3].s);
    if (!own || !item.lane || !keep_value(claim->call, &columns[0], &item.key))
        return GR_ERR_NO_MEMORY;
    for (size_t i = 4; i < count; i++) {
        if (!keep_value(claim->call, &columns[i], &own[i - 4]))
            return GR_ERR_NO_MEMORY;
    }
    item.columns = own;
    for (; at > 0 && is_before(&item, &claim->items[at - 1]); at--)
        claim->items[at] = claim->items[at - 1];
    claim->items[at] = item;
    claim->count++;
    return GR_OK;
}

static enum gr_err note_row(void *arg, const struct gr_value *columns, size_t count)
{
    (void)columns;
    (void)count;
    *(bool *)arg = true;
    return GR_OK;
}

static enum gr_err is_any_due(struct gr_call *call, const struct queue *queue, const char *lane,
                              int64_t now, bool *ret_due)
{
    const char *due = condition(call, queue, lane, 3);
    const char *sql =
        due ? gr_format(call, "SELECT 1 FROM %s AS q WHERE %s LIMIT 1", queue->table, due) : NULL;
    const struct gr_value params[] = {gr_v_int(now), gr_v_int(horizon_ms(queue, now)),
                                      gr_v_text(lane)};

    return sql ? gr_store_query(call, sql, params, lane ? 3 : 2, note_row, ret_due)
               : GR_ERR_NO_MEMORY;
}

enum gr_err queue_any_due(struct gr_call *call, const struct queue *queue, const char *lane,
                          bool *ret_due)
{
    *ret_due = false;
    return is_any_due(call, queue, lane, gr_now_ms(call->host), ret_due);
}

/* One statement chooses the rows and claims them. When another gateway has just changed a row, the
 * database evaluates the outer condition again, and the row is not due any more. */
static const char *claim_statement(struct gr_call *call, const struct queue *queue,
                                   const char *lane)
{
    const char *due = condition(call, queue, lane, 5);
    const char *of_lane = lane ? gr_format(call, " AND %s = ?5", queue->lane) : "";

    return !due || !of_lane
               ? NULL
               : gr_format(call,
                           "UPDATE %s SET due_ms = ?3 WHERE (due_ms <= ?1 OR due_ms > ?2)%s"
                           " AND %s IN (SELECT q.%s FROM %s AS q WHERE %s"
                           " ORDER BY q.%s, q.%s LIMIT ?4)"
                           " RETURNING %s, %s, attempts, %s, %s",
                           queue->table, of_lane, queue->key, queue->key, queue->table, due,
                           queue->order, queue->key, queue->key, queue->order,
                           queue->lane ? queue->lane : "''", queue->columns);
}

enum gr_err queue_claim(struct gr_call *call, const struct queue *queue, const char *lane,
                        struct queue_item *ret_items, size_t max, size_t *ret_count)
{
    int64_t now = gr_now_ms(call->host);
    struct claim claim = {call, ret_items, max, 0, now + queue->lease_ms};
    const char *sql = claim_statement(call, queue, lane);
    const struct gr_value params[] = {gr_v_int(now), gr_v_int(horizon_ms(queue, now)),
                                      gr_v_int(claim.lease_ms), gr_v_int((int64_t)max),
                                      gr_v_text(lane)};
    bool due = false;

    *ret_count = 0;
    if (!sql)
        return GR_ERR_NO_MEMORY;
    enum gr_err err = is_any_due(call, queue, lane, now, &due);
    if (err == GR_OK && due)
        err = gr_store_query(call, sql, params, lane ? 5 : 4, take_row, &claim);
    if (err == GR_OK)
        *ret_count = claim.count;
    return err;
}

/* --- settling --- */

/* Runs an action on the row if it still has the due time that the claim set. ?4 and ?5 are
 * parameters of the action. */
static enum gr_err settle(struct gr_call *call, const struct queue *queue,
                          const struct queue_item *item, const char *action,
                          const struct gr_value *own, size_t own_count)
{
    struct gr_value params[5] = {item->key, gr_v_int(item->lease_ms), gr_v_text(item->lane)};
    const char *sql = gr_format(call, "%s WHERE %s = ?1 AND due_ms = ?2 AND %s = ?3", action,
                                queue->key, queue->lane ? queue->lane : "''");

    for (size_t i = 0; i < own_count; i++)
        params[3 + i] = own[i];
    return sql ? gr_store_exec(call, sql, params, 3 + own_count) : GR_ERR_NO_MEMORY;
}

static enum gr_err finish(struct gr_call *call, const struct queue *queue,
                          const struct queue_item *item, struct gr_value done_ms)
{
    const struct gr_value own[] = {gr_v_int(item->attempts + 1), done_ms};
    const char *action =
        queue->keeps_rows
            ? gr_format(call, "UPDATE %s SET attempts = ?4, done_ms = ?5, due_ms = NULL",
                        queue->table)
            : gr_format(call, "DELETE FROM %s", queue->table);

    if (!action)
        return GR_ERR_NO_MEMORY;
    return settle(call, queue, item, action, own, queue->keeps_rows ? 2 : 0);
}

enum gr_err queue_done(struct gr_call *call, const struct queue *queue,
                       const struct queue_item *item)
{
    return finish(call, queue, item, gr_v_int(gr_now_ms(call->host)));
}

enum gr_err queue_give_up(struct gr_call *call, const struct queue *queue,
                          const struct queue_item *item)
{
    return finish(call, queue, item, gr_v_null());
}

static enum gr_err set_due(struct gr_call *call, const struct queue *queue,
                           const struct queue_item *item, int64_t attempts, int64_t due_ms)
{
    const struct gr_value own[] = {gr_v_int(attempts), gr_v_int(due_ms)};
    const char *action = gr_format(call, "UPDATE %s SET attempts = ?4, due_ms = ?5", queue->table);

    return action ? settle(call, queue, item, action, own, 2) : GR_ERR_NO_MEMORY;
}

enum gr_err queue_fail(struct gr_call *call, const struct queue *queue,
                       const struct queue_item *item, bool *ret_given_up)
{
    int64_t due = gr_now_ms(call->host) + wait_ms(queue, item->attempts);

    *ret_given_up = item->attempts + 1 >= queue->attempts_max;
    return *ret_given_up ? queue_give_up(call, queue, item)
                         : set_due(call, queue, item, item->attempts + 1, due);
}

enum gr_err queue_release(struct gr_call *call, const struct queue *queue,
                          const struct queue_item *item)
{
    return set_due(call, queue, item, item->attempts, gr_now_ms(call->host));
}
