/* Adds rows to a queue. */
#include "queue_parts.h"

const char *queue_placeholders(struct gr_call *call, size_t first, size_t count)
{
    const char *list = gr_copy(call, GR_STR(""));

    for (size_t i = 0; i < count && list; i++)
        list = gr_format(call, "%s, ?%zu", list, first + i);
    return list;
}

const char *queue_first_of_lane(struct gr_call *call, const struct queue *queue, const char *key,
                                const char *lane)
{
    return gr_format(call,
                     "%s = (SELECT e.%s FROM %s AS e WHERE e.%s = %s ORDER BY e.%s, e.%s LIMIT 1)",
                     key, queue->key, queue->table, queue->lane, lane, queue->order, queue->key);
}

static const char *insert_statement(struct gr_call *call, const struct queue *queue, size_t count)
{
    const char *values = queue_placeholders(call, queue->lane ? 5 : 4, count);
    const char *behind = queue->in_order ? queue_behind(call, queue, "?4", "?4") : "";

    return !values || !behind
               ? NULL
               : gr_format(call,
                           "INSERT INTO %s (%s, %s, due_ms%s%s, %s%s)"
                           " SELECT ?1, CASE WHEN last >= ?2 THEN last + 1 ELSE ?2 END, ?3%s%s%s%s"
                           " FROM (SELECT MAX(%s) AS last FROM %s) AS newest%s",
                           queue->table, queue->key, queue->order, queue->lane ? ", " : "",
                           queue->lane ? queue->lane : "", queue->columns,
                           queue->in_order ? ", behind" : "", queue->lane ? ", ?4" : "", values,
                           queue->in_order ? ", " : "", behind, queue->order, queue->table,
                           queue->in_order ? " RETURNING behind" : "");
}

static enum gr_err take_behind(void *arg, const struct gr_value *columns, size_t count)
{
    (void)count;
    *(bool *)arg = columns[0].i != 0;
    return GR_OK;
}

/* Adds a row that may have to wait for earlier ones of its lane. The last of these may be settled
 * meanwhile by a gateway that does not see this row yet. So it is looked at again once it can be
 * seen, and one of the two gateways lets it go on. If that fails, the next repair does. */
static enum gr_err put_in_order(struct gr_call *call, const struct queue *queue, const char *sql,
                                const struct gr_value *params, size_t count)
{
    bool behind = false;
    enum gr_err err = gr_store_query(call, sql, params, count, take_behind, &behind);

    if (err != GR_OK || !behind)
        return err;
    const struct gr_value own[] = {params[0], params[3]};
    const char *first = queue_first_of_lane(call, queue, "?1", "?2");
    const char *again =
        !first ? NULL
               : gr_format(call, "UPDATE %s SET behind = 0 WHERE %s = ?1 AND behind <> 0 AND %s",
                           queue->table, queue->key, first);
    if (again)
        (void)gr_store_exec(call, again, own, 2); /* the store has logged it; the row is there */
    return GR_OK;
}

enum gr_err queue_put(struct gr_call *call, const struct queue *queue, const char *lane,
                      const struct gr_value *values, size_t count, int64_t delay_ms,
                      struct queue_item *ret_item)
{
    struct gr_value params[4 + QUEUE_COLUMNS_MAX];
    const char *sql = count <= QUEUE_COLUMNS_MAX ? insert_statement(call, queue, count) : NULL;
    int64_t now = gr_store_now_ms(call);
    char id[QUEUE_ID_SIZE];

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
    return queue->in_order ? put_in_order(call, queue, sql, params, own + count)
                           : gr_store_exec(call, sql, params, own + count);
}
