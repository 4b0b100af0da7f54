/* Which rows of a series wait behind another one; see struct queue. */
#include "queue_parts.h"

/* Rows of a lane that a repair looks at. */
#define REPAIR_ROWS 1000

/* Returns the expression for what `behind` of a row q has to be: whether an earlier row of its
 * series waits or is leased. */
static const char *right_place(struct gr_call *call, const struct queue *queue)
{
    const char *series = queue_series(queue);
    const char *earlier = strcmp(queue->key, queue->order) == 0
                              ? gr_format(call, "e.%s < q.%s", queue->order, queue->order)
                              : gr_format(call, "(e.%s, e.%s) < (q.%s, q.%s)", queue->order,
                                          queue->key, queue->order, queue->key);

    if (queue->unordered)
        return "0";
    return !earlier ? NULL
                    : gr_format(call,
                                "CASE WHEN EXISTS (SELECT 1 FROM %s AS e WHERE e.%s = q.%s"
                                " AND e.%s = q.%s AND e.due_ms IS NOT NULL AND %s)"
                                " THEN 1 ELSE 0 END",
                                queue->table, queue->lane, queue->lane, series, series, earlier);
}

const char *queue_behind(struct gr_call *call, const struct queue *queue, const char *lane,
                         const char *series)
{
    if (queue->unordered)
        return "0";
    return gr_format(call,
                     "CASE WHEN EXISTS (SELECT 1 FROM %s AS e WHERE e.%s = %s AND e.%s = %s"
                     " AND e.due_ms IS NOT NULL) THEN 1 ELSE 0 END",
                     queue->table, queue->lane, lane, queue_series(queue), series);
}

/* Returns the condition that a row q waits and has the wrong value of `behind`, among those of
 * which `which` is true. */
static const char *misplaced(struct gr_call *call, const struct queue *queue, const char *which)
{
    const char *place = right_place(call, queue);

    return !place ? NULL
                  : gr_format(call, "q.due_ms IS NOT NULL AND %s AND q.behind <> %s", which, place);
}

static enum gr_err set_places(struct gr_call *call, const struct queue *queue, const char *which,
                              const struct gr_value *params, size_t count, int64_t *ret_count)
{
    const char *wrong = misplaced(call, queue, which);
    const char *sql = !wrong ? NULL
                             : gr_format(call, "UPDATE %s AS q SET behind = 1 - behind WHERE %s",
                                         queue->table, wrong);

    return sql ? gr_store(call, sql, params, count, NULL, NULL, ret_count) : GR_ERR_NO_MEMORY;
}

enum gr_err queue_line_up(struct gr_call *call, const struct queue *queue, const char *lane,
                          int64_t due_ms)
{
    const struct gr_value params[] = {gr_v_text(lane), gr_v_int(due_ms)};
    int64_t count;
    const char *which =
        gr_format(call,
                  "q.%s = ?1 AND q.%s IN (SELECT r.%s FROM %s AS r WHERE r.%s = ?1"
                  " AND r.behind = 0 AND r.due_ms = ?2)",
                  queue->lane, queue->series, queue->series, queue->table, queue->lane);

    return which ? set_places(call, queue, which, params, 2, &count) : GR_ERR_NO_MEMORY;
}

struct repair {
    const struct queue *queue;
    const char *which;
    struct gr_value lane;
    size_t lanes; /* 0: of all lanes */
    int64_t count;
};

static enum gr_err repair(struct gr_call *call, void *arg)
{
    struct repair *r = arg;

    return set_places(call, r->queue, r->which, &r->lane, r->lanes, &r->count);
}

static enum gr_err note_row(void *arg, const struct gr_value *columns, size_t count)
{
    (void)columns;
    (void)count;
    *(bool *)arg = true;
    return GR_OK;
}

enum gr_err queue_repair(struct gr_call *call, const struct queue *queue, const char *lane,
                         int64_t *ret_count)
{
    struct repair arg = {.queue = queue, .lane = gr_v_text(lane), .lanes = lane ? 1 : 0};
    bool any = false;

    *ret_count = 0;
    const char *ours = lane ? gr_format(call, "q.%s = ?1 AND ", queue->lane) : "";
    const char *theirs = lane ? gr_format(call, "r.%s = ?1 AND ", queue->lane) : "";
    if (ours && theirs)
        arg.which = gr_format(call,
                              "%sq.%s IN (SELECT r.%s FROM %s AS r WHERE %sr.due_ms IS NOT NULL"
                              " ORDER BY r.%s LIMIT %d)",
                              ours, queue->key, queue->key, queue->table, theirs, queue->order,
                              REPAIR_ROWS);
    const char *wrong = arg.which ? misplaced(call, queue, arg.which) : NULL;
    const char *sql =
        wrong ? gr_format(call, "SELECT 1 FROM %s AS q WHERE %s LIMIT 1", queue->table, wrong)
              : NULL;
    if (!sql)
        return GR_ERR_NO_MEMORY;
    enum gr_err err = gr_store_query(call, sql, &arg.lane, arg.lanes, note_row, &any);
    if (err == GR_OK && any)
        err = gr_store_tx(call, repair, &arg);
    *ret_count = err == GR_OK ? arg.count : 0;
    return err;
}
