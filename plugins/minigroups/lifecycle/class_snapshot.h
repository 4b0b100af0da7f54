/* One reading of a class: its row, its recordings, and the facts that a decision is made from. */
#pragma once

#include "status.h"
#include "store/recordings.h"

/* What it points to is memory of the call. */
struct mini_class_snapshot {
    struct mini_class row;
    struct mini_recordings recordings;
    struct mini_facts facts; /* same_rooms is left to the caller */
    int64_t now_ms;
};
/* In a transaction: locks the class until the transaction ends, and loads the snapshot. */
enum gr_err mini_class_snapshot_lock(struct gr_call *call, const char *class_id,
                                     struct mini_class_snapshot *snapshot);
/* The same without a lock, outside of a transaction. */
enum gr_err mini_class_snapshot_load(struct gr_call *call, const char *class_id,
                                     struct mini_class_snapshot *snapshot);

/* The status that a class and its recordings amount to at that time. */
enum mini_status mini_class_status(const struct mini_class *row,
                                   const struct mini_recordings *recordings, int64_t now_ms);
