/* A snapshot of a class: its row, its recordings, and the facts for a decision. */
#pragma once

#include "status.h"
#include "store/recordings.h"

/* The pointers are to call memory. */
struct mini_class_snapshot {
    struct mini_class row;
    struct mini_recordings recordings;
    struct mini_facts facts; /* the caller sets same_rooms */
    int64_t now_ms;
};
/* Locks the class until the transaction ends and loads the snapshot. Needs a transaction. */
enum gr_err mini_class_snapshot_lock(struct gr_call *call, const char *class_id,
                                     struct mini_class_snapshot *snapshot);
/* Loads the snapshot without a lock. */
enum gr_err mini_class_snapshot_load(struct gr_call *call, const char *class_id,
                                     struct mini_class_snapshot *snapshot);

/* Computes the status of a class with these recordings at that time. */
enum mini_status mini_class_status(const struct mini_class *row,
                                   const struct mini_recordings *recordings, int64_t now_ms);
