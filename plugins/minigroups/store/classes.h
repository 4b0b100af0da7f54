/*
 * The classes in the store. Texts that are read are valid until the call ends; SQL NULL is NULL.
 *
 * The functions return errors of the store without failing the call; mini_fail_store() fails it.
 */
#pragma once

#include <greenroom/plugin.h>

#include <jansson.h>

/* A nullable integer. */
struct mini_num {
    bool set;
    int64_t value;
};

struct mini_class {
    const char *id;
    const char *audience;
    const char *scope;
    struct mini_num start_ms; /* the start is included, the end excluded; unset: open */
    struct mini_num end_ms;
    const char *tags; /* JSON text */
    const char *properties;
    bool preserve_history;
    struct mini_num reserve;
    const char *host;
    const char *conference_room;
    const char *event_room;
    const char *original_room;
    const char *modified_room;
    const char *room_events_uri;
    bool timed_out;
    const char *original_class;
    const char *content_id;
    struct mini_num stopped_ms;
    struct mini_num adjusting_ms;
    struct mini_num transcoding_ms;
    int64_t created_ms;
};

struct mini_recording {
    const char *id;
    const char *rtc_id;
    const char *created_by;
    const char *stream_uri;
    const char *segments; /* JSON text */
    const char *modified_segments;
    struct mini_num started_ms;
    int64_t created_ms;
    struct mini_num adjusted_ms;
    struct mini_num transcoded_ms;
};

/* The live recordings of a class, the first one first. */
struct mini_recordings {
    struct mini_recording *list;
    size_t count;
};

enum mini_class_by {
    MINI_BY_ID = 0,
    MINI_BY_SCOPE, /* key: audience, second: scope */
    MINI_BY_CONFERENCE_ROOM,
    MINI_BY_EVENT_ROOM,
    MINI_BY_ORIGINAL_ROOM,
    MINI_BY_MODIFIED_ROOM,
};

/* Finds an established minigroup. GR_ERR_NOT_FOUND when there is none. */
enum gr_err mini_class_find(struct gr_call *call, enum mini_class_by by, gr_str key, gr_str second,
                            struct mini_class *ret_class);
/* Reads the class and locks its row until the transaction ends. Needs a transaction. */
enum gr_err mini_class_find_for_update(struct gr_call *call, const char *id,
                                       struct mini_class *ret_class);

/* Gets the id for a new class: a random one, or the id of an existing row of the same audience and
 * scope that never got its rooms. GR_ERR_CONFLICT when the class exists already. */
enum gr_err mini_class_reserve_id(struct gr_call *call, const char *audience, const char *scope,
                                  char ret_id[37]);
/* Stores a new, established class; GR_ERR_CONFLICT when another request was faster. */
enum gr_err mini_class_insert(struct gr_call *call, const struct mini_class *row);

/* The members to change; has_time covers both bounds. */
struct mini_class_change {
    bool has_time;
    struct mini_num start_ms;
    struct mini_num end_ms;
    struct mini_num reserve;
    const char *host;
};
enum gr_err mini_class_update(struct gr_call *call, const char *id,
                              const struct mini_class_change *change);
/* Gives a class new rooms and marks its recordings as deleted, in one transaction. GR_ERR_CONFLICT
 * when another recreate was faster and the class has other rooms than in row. */
enum gr_err mini_class_recreate(struct gr_call *call, const struct mini_class *row,
                                const char *event_room, const char *conference_room,
                                const struct mini_class_change *change);
/* Sets one property and returns all of them, in one transaction; *ret_properties is JSON text. */
enum gr_err mini_class_set_property(struct gr_call *call, const char *id, gr_str name,
                                    const json_t *value, const char **ret_properties);

/* Ends the class now, unless it has ended already. */
enum gr_err mini_class_stop(struct gr_call *call, const struct mini_class *row, int64_t now_ms,
                            bool timed_out);
enum gr_err mini_class_set_rooms(struct gr_call *call, const char *id, const char *original_room,
                                 const char *modified_room);
enum gr_err mini_class_set_dump(struct gr_call *call, const char *id, const char *uri);
/* Stores when the event service was asked to adjust; now_ms 0: it was not asked. */
enum gr_err mini_class_set_adjusting(struct gr_call *call, const char *id, int64_t now_ms);
/* Stores when the queue was asked to transcode; now_ms 0: the task has completed. */
enum gr_err mini_class_set_transcoding(struct gr_call *call, const char *id, int64_t now_ms);
