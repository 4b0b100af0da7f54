/* Calls of the event service, the conference service and the transcoding queue. */
#pragma once

#include "classes.h"

#include <jansson.h>

enum mg_service { MG_EVENT = 0, MG_CONFERENCE, MG_TQ };

/* One call. path may hold {name} segments, taken from params. */
struct mg_request {
    enum mg_service service;
    enum gr_method method;
    const char *path;
    const struct gr_pair *params; /* end with a NULL name */
    const struct gr_pair *query;
    json_t *body; /* stolen; NULL: none */
};

struct mg_answer {
    bool good;      /* a 2xx arrived */
    bool reachable; /* some answer arrived */
    int status;
    const json_t *json; /* NULL when the body is not JSON */
};

#define MG_SIDE_BY_SIDE_MAX 2

/* Makes the calls side by side, with our service token. True when all are good; what is not has
 * been logged. */
bool mg_services(struct gr_call *call, const struct mg_request *requests, struct mg_answer *answers,
                 size_t count);
/* One call about one room: {room} in path. */
struct mg_answer mg_room_call(struct gr_call *call, enum mg_service service, enum gr_method method,
                              const char *path, const char *room, json_t *stolen_body);

/* What both rooms of a class are made from. */
struct mg_wish {
    const char *audience;
    const char *class_id;
    struct mg_num start_ms; /* of the conference room; unset: now */
    struct mg_num reserve;
    const char *tags; /* JSON text */
};

struct mg_rooms {
    const char *event;
    const char *conference;
};

/* Makes both rooms, side by side. When one of them fails, the other is closed again and the call
 * fails with mqtt_request_failed. */
enum gr_err mg_rooms_make(struct gr_call *call, const struct mg_wish *wish,
                          struct mg_rooms *ret_rooms);
/* Closes rooms that no class will have: logged, and tried until it works. NULL members are left
 * out. */
void mg_rooms_drop(struct gr_call *call, const struct mg_rooms *rooms, const char *audience);
/* Locks chat and questions in a new event room. A failure is logged and tried again later. */
void mg_room_lock(struct gr_call *call, const char *audience, const char *event_room, bool chat,
                  bool questions);
/* [start, end] in seconds, null where unset. New reference. */
json_t *mg_time_pair(struct mg_num start_ms, struct mg_num end_ms);
