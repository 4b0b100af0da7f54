/* What the files of the queue share. */
#pragma once

#include "queue.h"

/* Of a random id with its NUL. */
#define QUEUE_ID_SIZE 37

/* The column that tells which rows wait for each other; NULL: none does. */
static inline const char *queue_series(const struct queue *queue)
{
    return queue->in_order ? queue->lane : queue->series;
}

/* Returns ", ?5, ?6 …" for the values of count columns; NULL without memory. */
const char *queue_placeholders(struct gr_call *call, size_t first, size_t count);

/* Returns the condition that a row is the first of its lane, by the expressions for its key and its
 * lane; NULL without memory. A planner cannot make a join of it that reads whole lanes. */
const char *queue_first_of_lane(struct gr_call *call, const struct queue *queue, const char *key,
                                const char *lane);
