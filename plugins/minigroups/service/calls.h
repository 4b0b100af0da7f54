/* Calls of the event service, the conference service and the transcoding queue. */
#pragma once

#include <greenroom/plugin.h>

#include <jansson.h>

enum mini_service { MINI_EVENT = 0, MINI_CONFERENCE, MINI_TQ };

/* One request. Segments {name} of path are replaced by params. */
struct mini_request {
    enum mini_service service;
    enum gr_method method;
    const char *path;
    const struct gr_pair *params; /* end with a NULL name */
    const struct gr_pair *query;
    json_t *body; /* the call takes over the reference; NULL: none */
};

struct mini_answer {
    bool good;      /* the answer was 2xx */
    bool reachable; /* there was an answer */
    int status;
    const json_t *json; /* NULL when the body is not JSON */
};

#define MINI_SIDE_BY_SIDE_MAX 2

/* Sends up to MINI_SIDE_BY_SIDE_MAX requests in parallel, with the gateway's token. True when all
 * answers are good; the others have been logged. */
bool mini_service_calls(struct gr_call *call, const struct mini_request *requests,
                        struct mini_answer *answers, size_t count);
/* Sends one request about a room; path contains {room}. */
struct mini_answer mini_service_room_call(struct gr_call *call, enum mini_service service,
                                          enum gr_method method, const char *path, const char *room,
                                          json_t *stolen_body);
