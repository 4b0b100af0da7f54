/* Creates events and whiteboards in the event room of a class, with the gateway's token. */
#include "access.h"
#include "base/problem.h"
#include "handlers.h"
#include "service/calls.h"

#define EVENTS_PATH "/api/v1/rooms/{room}/events"

enum gr_err mini_post_event(struct gr_call *call)
{
    const json_t *body = gr_json(call);
    struct mini_class row;

    if (!json_object_get(body, "data"))
        return gr_invalid(call, "data", GR_PROBLEM_MISSING, "any value");
    enum gr_err err = mini_load_class(call, "update", &row);
    if (err != GR_OK)
        return err;
    json_t *event = json_deep_copy(body);
    json_object_del(event, "room_id"); /* the path determines the room, not the caller */
    const struct mini_answer answer = mini_service_room_call(call, MINI_EVENT, GR_METHOD_POST,
                                                             EVENTS_PATH, row.event_room, event);
    if (answer.good)
        return mini_reply_empty(call, 201);
    if (!answer.reachable)
        return mini_fail(call, MINI_EVENT_UNREACHABLE, "the event service cannot be reached");
    return mini_fail(call, MINI_BAD_PAYLOAD, "Failed to create event");
}

static bool post(struct gr_call *call, const struct mini_class *row, json_t *stolen_event)
{
    return mini_service_room_call(call, MINI_EVENT, GR_METHOD_POST, EVENTS_PATH, row->event_room,
                                  stolen_event)
        .good;
}

enum gr_err mini_whiteboard(struct gr_call *call)
{
    struct mini_class row;
    char id[37];
    enum gr_err err = mini_load_class(call, "update", &row);

    if (err != GR_OK)
        return err;
    gr_uuid(call->host, id);
    const char *set = gr_format(call, "document_page_%s", id);
    const char *label = gr_format(call, "document_page_%s_1", id);
    if (!set || !label)
        return gr_fail(call, GR_ERR_NO_MEMORY, "no memory for a whiteboard");
    bool good = post(call, &row,
                     json_pack("{s:s, s:s, s:s, s:{s:s, s:i, s:b, s:s}}", "type", "document", "set",
                               "document", "label", id, "data", "title", "whiteboard", "page", 1,
                               "published", 1, "url", "about:whiteboard"));
    good = good && post(call, &row,
                        json_pack("{s:s, s:s, s:s, s:{s:i, s:s}}", "type", "document_page", "set",
                                  set, "label", label, "data", "page", 1, "title", ""));
    if (!good)
        return mini_fail(call, MINI_NO_WHITEBOARD, "Failed to create whiteboard");
    return mini_reply_empty(call, 201);
}
