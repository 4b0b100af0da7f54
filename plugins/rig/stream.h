/* What the handlers of streams and of destinations share. */
#pragma once

#include "rig.h"

struct rig_stream {
    char id[RIG_UUID_SIZE];
    const char *key;
    bool active;
    bool live;
};

/* Reads the stream of the path. GR_ERR_NOT_FOUND when the caller has no such stream. */
enum gr_err rig_stream_read(struct gr_call *call, struct rig_stream *stream);
/* Fails the call with the status for err: 404, 409, 401, or the one of rig_fail_store(). */
enum gr_err rig_stream_fail(struct gr_call *call, enum gr_err err, enum rig_code code,
                            const char *message);
/* Runs a statement with one parameter whose result is one number. */
enum gr_err rig_count(struct gr_call *call, const char *sql, gr_str key, int64_t *ret_count);
