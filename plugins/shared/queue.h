/*
 * A durable queue: rows of a table in the store, each handled at least once and by one gateway at a
 * time.
 *
 * A gateway claims rows by moving the moment at which they are due into the future, under the
 * conditions that made them due, so that of several gateways on one store one gets each row. The
 * claim is a lease: when the gateway dies, the row is due again once the lease has ended. A gateway
 * that was slower than its lease settles nothing, because another may have the row by then.
 *
 * The table has the columns attempts (BIGINT, 0) and due_ms (BIGINT), those that struct queue
 * names, and the owner's own. Functions are for any thread that has the call, inside or outside of
 * a transaction, and return store errors as they are, without failing the call.
 */
#pragma once

#include <greenroom/plugin.h>

#define QUEUE_COLUMNS_MAX 8

struct queue {
    const char *table;
    const char *key;     /* column that tells the rows of a lane apart, text or integer */
    const char *order;   /* BIGINT column: rows are handled in its order, then in that of key */
    const char *lane;    /* TEXT column: what a row belongs to; NULL: the queue has one lane */
    const char *columns; /* the owner's, read with each row: "audience, label" */
    bool in_order;       /* a row waits until all earlier ones of its lane are gone */
    bool keeps_rows;     /* a settled row stays, with due_ms NULL, and done_ms set if it was done */
    int64_t lease_ms;    /* longer than handling all rows of one claim takes */
    const int64_t *waits_ms; /* after the first, second … failure; the last one repeats */
    size_t wait_count;
    int64_t attempts_max; /* a row that failed so often is given up */
};

/* A claimed row. All memory is the call's. */
struct queue_item {
    struct gr_value key;
    const char *lane; /* "" without lanes */
    int64_t order;
    int64_t attempts;               /* that failed before */
    int64_t lease_ms;               /* when the claim ends: what shows that the row is still ours */
    const struct gr_value *columns; /* the owner's */
};

/*
 * Adds a row with a new id, for a queue whose key is "id" and whose order is "came_ms": values are
 * those of queue->columns. It comes after all rows that are there, even if the clock was set back
 * meanwhile. delay_ms: how long it is left alone. *ret_item (may be NULL) is the row as if it had
 * just been claimed, for a caller that handles it at once and gave a delay for that.
 */
enum gr_err queue_put(struct gr_call *call, const struct queue *queue, const char *lane,
                      const struct gr_value *values, size_t count, int64_t delay_ms,
                      struct queue_item *ret_item);

/*
 * Claims up to max due rows, of one lane or (lane NULL) of all, in order. *ret_count may be 0. Rows
 * that are due later than any wait of the queue allows are due as well: the clock was set back.
 */
enum gr_err queue_claim(struct gr_call *call, const struct queue *queue, const char *lane,
                        struct queue_item *ret_items, size_t max, size_t *ret_count);

/* Settles a claimed row. Without effect when its lease has ended and another gateway has it. */
enum gr_err queue_done(struct gr_call *call, const struct queue *queue,
                       const struct queue_item *item);
/* Counts a failure: the row is due again after a wait, or *ret_given_up. */
enum gr_err queue_fail(struct gr_call *call, const struct queue *queue,
                       const struct queue_item *item, bool *ret_given_up);
/* Gives a row up whatever its attempts. */
enum gr_err queue_give_up(struct gr_call *call, const struct queue *queue,
                          const struct queue_item *item);
/* Gives a row back that was not tried: it is due at once, and nothing is counted. */
enum gr_err queue_release(struct gr_call *call, const struct queue *queue,
                          const struct queue_item *item);

/* The text of one of the owner's columns, "" for NULL. */
static inline const char *queue_text(const struct queue_item *item, size_t column)
{
    return item->columns[column].s.ptr ? item->columns[column].s.ptr : "";
}
