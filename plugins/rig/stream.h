/* What streams and their destinations share. */
#pragma once

#include "rig.h"

struct rig_stream {
    char id[RIG_UUID_SIZE];
    const char *key;
    bool active;
    bool live;
};

/* Reads the caller's stream of the path. GR_ERR_NOT_FOUND when there is none. */
enum gr_err rig_stream_read(struct gr_call *call, struct rig_stream *stream);
/* Fails the call as err wants it: 404, 409, 401, or as rig_fail_store(). */
enum gr_err rig_stream_fail(struct gr_call *call, enum gr_err err, enum rig_code code,
                            const char *message);
/* The number that a statement with one parameter gives. */
enum gr_err rig_count(struct gr_call *call, const char *sql, gr_str key, int64_t *ret_count);
