/*
 * Rows of the store. What is read lives as long as the call; absent text is NULL.
 *
 * Functions return store errors as they are, without failing the call: mg_fail_store() does that.
 */
#pragma once

#include "status.h"

/* A nullable integer. */
struct mg_num {
    bool set;
    int64_t value;
};

struct mg_class {
    const char *id;
    const char *audience;
    const char *scope;
    struct mg_num start_ms; /* half-open: start included, end excluded; unset: unbounded */
    struct mg_num end_ms;
    const char *tags; /* JSON text */
    const char *properties;
    bool preserve_history;
    struct mg_num reserve;
    const char *host;
    const char *conference_room;
    const char *event_room;
    const char *original_room;
    const char *modified_room;
    const char *room_events_uri;
    bool timed_out;
    const char *original_class;
    const char *content_id;
    struct mg_num stopped_ms;
    struct mg_num adjusting_ms;
    struct mg_num transcoding_ms;
    int64_t created_ms;
};

struct mg_recording {
    const char *id;
    const char *rtc_id;
    const char *created_by;
    const char *stream_uri;
    const char *segments; /* JSON text */
    const char *modified_segments;
    struct mg_num started_ms;
    int64_t created_ms;
    struct mg_num adjusted_ms;
    struct mg_num transcoded_ms;
};

/* The live recordings of a class, the first one first. */
struct mg_recordings {
    struct mg_recording *list;
    size_t count;
};

enum mg_class_by {
    MG_BY_ID = 0,
    MG_BY_SCOPE, /* key: audience, second: scope */
    MG_BY_CONFERENCE_ROOM,
    MG_BY_EVENT_ROOM,
    MG_BY_ORIGINAL_ROOM,
    MG_BY_MODIFIED_ROOM,
};

/* Finds an established minigroup. GR_ERR_NOT_FOUND when there is none. */
enum gr_err mg_class_find(struct gr_call *call, enum mg_class_by by, gr_str key, gr_str second,
                          struct mg_class *ret_class);
/* In a transaction: makes other writers of the class wait, and reads it anew. */
enum gr_err mg_class_lock(struct gr_call *call, const char *id, struct mg_class *ret_class);

/* What create asks for (audience, scope): a new id, or the one of a row that was never established.
 * GR_ERR_CONFLICT when the pair is taken. */
enum gr_err mg_class_reserve_id(struct gr_call *call, const char *audience, const char *scope,
                                char ret_id[37]);
/* Stores a new, established class; GR_ERR_CONFLICT when somebody else was faster. */
enum gr_err mg_class_insert(struct gr_call *call, const struct mg_class *row);

/* Writes the members that are given (time: both bounds at once). */
struct mg_class_change {
    bool has_time;
    struct mg_num start_ms;
    struct mg_num end_ms;
    struct mg_num reserve;
    const char *host;
};
enum gr_err mg_class_update(struct gr_call *call, const char *id,
                            const struct mg_class_change *change);
/* Starts a new life, with new rooms: one transaction. GR_ERR_CONFLICT when the class has other
 * rooms than row says, because another recreate was faster. */
enum gr_err mg_class_recreate(struct gr_call *call, const struct mg_class *row,
                              const char *event_room, const char *conference_room,
                              const struct mg_class_change *change);
/* Sets one property and returns all of them, in one transaction; *ret_properties is JSON text. */
enum gr_err mg_class_set_property(struct gr_call *call, const char *id, gr_str name,
                                  const json_t *value, const char **ret_properties);

/* Writers of single facts. */
enum gr_err mg_class_stop(struct gr_call *call, const struct mg_class *row, int64_t now_ms,
                          bool timed_out);
enum gr_err mg_class_set_rooms(struct gr_call *call, const char *id, const char *original_room,
                               const char *modified_room);
enum gr_err mg_class_set_dump(struct gr_call *call, const char *id, const char *uri);
/* When the event service was asked to adjust; now_ms 0: it was not. */
enum gr_err mg_class_set_adjusting(struct gr_call *call, const char *id, int64_t now_ms);
/* When the queue was asked to transcode; now_ms 0: the task has come back. */
enum gr_err mg_class_set_transcoding(struct gr_call *call, const char *id, int64_t now_ms);

/* Status from a class and its recordings. */
enum mg_status mg_class_status(const struct mg_class *row, const struct mg_recordings *recordings,
                               int64_t now_ms);
