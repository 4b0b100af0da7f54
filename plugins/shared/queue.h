/*
 * A durable queue: rows of a table in the store. Each row is handled at least once, by one gateway
 * at a time.
 *
 * A gateway claims due rows with an update that moves their due time into the future, so that only
 * one of several gateways on one store gets a row. The claim is a lease: when the gateway dies, the
 * row is due again after the lease has expired. A gateway that takes longer than its lease cannot
 * settle the row, because another gateway may have claimed it.
 *
 * The table has the columns attempts (BIGINT, default 0) and due_ms (BIGINT), the columns that
 * struct queue names, and those of the owner. The functions may be called on the thread of the
 * call, inside or outside of a transaction. They return errors of the store without failing the
 * call.
 */
#pragma once

#include <greenroom/plugin.h>

#define QUEUE_COLUMNS_MAX 8
#define QUEUE_CLAIM_MAX 8

struct queue {
    const char *table;
    const char *key;     /* TEXT or integer column, unique within a lane */
    const char *order;   /* BIGINT column, a time in milliseconds in tables of queue_put(): rows are
                          * handled in the order of this column, then key; see queue_claim() */
    const char *lane;    /* TEXT column with the lane of a row; NULL: the queue has one lane */
    const char *columns; /* columns of the owner, read with each row: "audience, label" */
    /* A row waits until all earlier rows of its lane are settled, and those are deleted. The table
     * has a column `behind` then, as with series: the lane is a series. Rows are added with
     * queue_put(), and neither this nor their settling is part of a transaction: two gateways see
     * what the other one did only after its end. */
    bool in_order;
    /* Of a queue with keeps_rows: TEXT column with the series of a row; NULL: no series. The table
     * has a column `behind` then: 1 while an earlier row of the same series and lane waits or is
     * leased, and then the row cannot be claimed. So the rows that can be claimed are found by an
     * index, however many wait behind them. Rows without a series are never behind. The owner adds
     * rows with queue_behind(). Claims have to name their lane, and take the rows that have been
     * due for longest. */
    const char *series;
    bool unordered;     /* rows of a series do not wait for each other: none is behind */
    const char *pauses; /* table with `name` and `paused_ms`: lanes that are paused; NULL: none */
    bool keeps_rows;    /* settled rows are kept with due_ms NULL, and done_ms set on success */
    int64_t lease_ms;   /* must exceed the time for handling all rows of one claim */
    const int64_t *waits_ms; /* after the first, second … failure; the last one repeats; then 0 */
    int64_t attempts_max;    /* attempts after which a row is given up */
};

/* A claimed row, in call memory. */
struct queue_item {
    struct gr_value key;
    const char *lane; /* "" for a queue without lanes */
    int64_t order;
    int64_t attempts;               /* failed attempts before this one */
    int64_t lease_ms;               /* end of the lease, which identifies the claim */
    struct gr_value series;         /* NULL: of none */
    const struct gr_value *columns; /* columns of the owner */
};

/*
 * Adds a row with a random key; the key column must be TEXT. values are those of queue->columns.
 * The row comes after all existing rows, even when the clock was set back. delay_ms: time until the
 * row is due. ret_item may be NULL; otherwise it gets the row as if it were claimed for delay_ms,
 * for a caller that handles it at once.
 */
enum gr_err queue_put(struct gr_call *call, const struct queue *queue, const char *lane,
                      const struct gr_value *values, size_t count, int64_t delay_ms,
                      struct queue_item *ret_item);

/* Returns an expression for the column `behind` of a row that is added at the end of its series.
 * lane and series are placeholders such as "?2". The row has to be added in a transaction, so that
 * the end of the row before it is not missed. NULL without memory. */
const char *queue_behind(struct gr_call *call, const struct queue *queue, const char *lane,
                         const char *series);

/*
 * Claims up to max due rows of one lane, or of all lanes (lane NULL), at most QUEUE_CLAIM_MAX.
 * ret_items are in order. What a claim costs does not depend on how many rows wait, so it looks at
 * those that have been due for longest, and takes the first of these. *ret_count may be 0; usually
 * nothing is due, and then one query is made that takes no lock. A row with a due time beyond every
 * wait of the queue also counts as due, because it was written before the clock was set back.
 */
enum gr_err queue_claim(struct gr_call *call, const struct queue *queue, const char *lane,
                        struct queue_item *ret_items, size_t max, size_t *ret_count);

/*
 * Settles a row as done. This function and the next five have no effect when the lease has expired
 * and the row was claimed again. The next row of its series can be claimed then, so a row of a
 * series is settled in a transaction.
 */
enum gr_err queue_done(struct gr_call *call, const struct queue *queue,
                       const struct queue_item *item);
/* The same, and claims the next row of the series, when it is due, for what is left of the lease.
 * *ret_taken: whether ret_next is set. */
enum gr_err queue_done_next(struct gr_call *call, const struct queue *queue,
                            const struct queue_item *item, struct queue_item *ret_next,
                            bool *ret_taken);
/* Counts a failure. The row is due again after a wait, or is given up after the last attempt.
 * *ret_given_up is false, too, when the lease has expired and the row was claimed again. */
enum gr_err queue_fail(struct gr_call *call, const struct queue *queue,
                       const struct queue_item *item, bool *ret_given_up);
/* Begins the lease again, in the item too. *ret_held is false when the lease has expired and the
 * row was claimed again: the caller does no more for it. */
enum gr_err queue_renew(struct gr_call *call, const struct queue *queue, struct queue_item *item,
                        bool *ret_held);
/* Gives up a row, regardless of its attempts. */
enum gr_err queue_give_up(struct gr_call *call, const struct queue *queue,
                          const struct queue_item *item);
/* Releases a row that was not tried: it is due at once, in its place, and no attempt is counted. */
enum gr_err queue_release(struct gr_call *call, const struct queue *queue,
                          const struct queue_item *item);

/*
 * Recomputes which rows of a lane are behind, for the series that have a row with exactly this due
 * time. In a transaction, after rows were made due again.
 */
enum gr_err queue_line_up(struct gr_call *call, const struct queue *queue, const char *lane,
                          int64_t due_ms);
/*
 * The same for the earliest rows of a lane, or of all lanes together (lane NULL), if any of them is
 * wrong: when rows were deleted while others waited behind them, were added by a release that does
 * not know series, or a gateway died after it had settled the row before them. Outside of a
 * transaction, and rarely. *ret_count: rows that changed.
 */
enum gr_err queue_repair(struct gr_call *call, const struct queue *queue, const char *lane,
                         int64_t *ret_count);

/* Returns the text of a column of the owner; "" for SQL NULL. */
static inline const char *queue_text(const struct queue_item *item, size_t column)
{
    return item->columns[column].s.ptr ? item->columns[column].s.ptr : "";
}
