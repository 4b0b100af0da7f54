/* Makes, closes and locks the event room and the conference room of a class. */
#pragma once

#include "calls.h"
#include "store/classes.h"

/* The input for both rooms of a class. */
struct mini_room_spec {
    const char *audience;
    const char *class_id;
    struct mini_num start_ms; /* of the conference room; unset: now */
    struct mini_num reserve;
    const char *tags; /* JSON text */
};

struct mini_rooms {
    const char *event;
    const char *conference;
};

/* Makes both rooms at the same time. When one of them fails, the other is closed again and the call
 * fails with mqtt_request_failed. */
enum gr_err mini_rooms_make(struct gr_call *call, const struct mini_room_spec *spec,
                            struct mini_rooms *ret_rooms);
/* Closes rooms without a class through the outbox, and logs it. NULL members are skipped. */
void mini_rooms_drop(struct gr_call *call, const struct mini_rooms *rooms, const char *audience);
/* Locks chat and questions in a new event room. A failure is logged and tried again later. */
void mini_room_lock(struct gr_call *call, const char *audience, const char *event_room, bool chat,
                    bool questions);
/* Returns [start, end] in seconds, null where unset. New reference. */
json_t *mini_time_pair(struct mini_num start_ms, struct mini_num end_ms);
