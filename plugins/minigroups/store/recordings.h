/* Recordings, saved positions and account properties in the store. */
#pragma once

#include "classes.h"

enum gr_err mini_recordings_load(struct gr_call *call, const char *class_id,
                                 struct mini_recordings *ret_recordings);
/* Stores an uploaded stream, which replaces an earlier live recording of the same author. When that
 * recording has the same stream, nothing changes and *ret_fresh is false. */
enum gr_err mini_recording_put(struct gr_call *call, const char *class_id,
                               const struct mini_recording *stream, bool *ret_fresh);
/* Stores the result of a convert task. */
enum gr_err mini_recording_converted(struct gr_call *call, const char *id, const char *stream_uri,
                                     const char *segments, int64_t started_ms);
enum gr_err mini_recording_delete(struct gr_call *call, const char *id);
/* Marks a recording as adjusted. modified has the modified segments as JSON text, or is NULL when
 * they are those of the recording. */
enum gr_err mini_recording_adjusted(struct gr_call *call, const char *id, int64_t now_ms,
                                    const char *modified);
/* Marks all live recordings of the class as transcoded. */
enum gr_err mini_recordings_transcoded(struct gr_call *call, const char *class_id, int64_t now_ms);
/* Returns the recording of the host; NULL when there is none. */
const struct mini_recording *mini_recording_of_host(const struct mini_recordings *recordings,
                                                    const char *host);
/* True when there is at least one recording and all are converted. */
bool mini_recordings_ready(const struct mini_recordings *recordings);

enum gr_err mini_position_save(struct gr_call *call, const char *class_id, gr_str account,
                               int64_t position_s);
enum gr_err mini_position_load(struct gr_call *call, const char *class_id, gr_str account,
                               struct mini_num *ret_position);

/* Gets the properties of an account as JSON text; GR_ERR_NOT_FOUND when it has none. */
enum gr_err mini_account_load(struct gr_call *call, gr_str account, const char **ret_properties);
/* Sets one property and returns all of them. GR_ERR_TOO_LARGE, without a change, when their JSON
 * text would be longer than MINI_ACCOUNT_PROPERTIES_MAX. */
#define MINI_ACCOUNT_PROPERTIES_MAX 65536u
enum gr_err mini_account_set(struct gr_call *call, gr_str account, gr_str name, const json_t *value,
                             const char **ret_properties);
