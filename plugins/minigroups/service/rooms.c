#include "rooms.h"

#include "base/ids.h"
#include "base/json.h"
#include "base/problem.h"
#include "base/state.h"
#include "outbox.h"

json_t *mini_time_pair(struct mini_num start_ms, struct mini_num end_ms)
{
    json_t *pair = json_array();

    json_array_append_new(pair, start_ms.set ? json_integer(start_ms.value / 1000) : json_null());
    json_array_append_new(pair, end_ms.set ? json_integer(end_ms.value / 1000) : json_null());
    return pair;
}

/* Returns the id of the new room (call memory); NULL when the answer has none. */
static const char *room_id(struct gr_call *call, const struct mini_answer *answer)
{
    const char *text = json_string_value(json_object_get(answer->json, "id"));
    char id[MINI_UUID_SIZE];

    if (!answer->good || !text || !mini_uuid_parse(gr_str_of(text), id))
        return NULL;
    return gr_copy(call, gr_str_of(id));
}

static json_t *event_room_body(const struct mini_room_spec *spec, const char *kind, int64_t now_ms)
{
    const struct mini_num now = {true, now_ms};
    const struct mini_num open = {false, 0};

    return json_pack("{s:s, s:o, s:b, s:o*, s:s, s:s}", "audience", spec->audience, "time",
                     mini_time_pair(now, open), "preserve_history", 1, "tags",
                     mini_json_load(spec->tags), "classroom_id", spec->class_id, "kind", kind);
}

static json_t *conference_room_body(const struct mini_room_spec *spec, int64_t now_ms)
{
    const struct mini_num start =
        spec->start_ms.set ? spec->start_ms : (struct mini_num){true, now_ms};
    const struct mini_num open = {false, 0};

    return json_pack("{s:s, s:o, s:s, s:o*, s:o*, s:s}", "audience", spec->audience, "time",
                     mini_time_pair(start, open), "rtc_sharing_policy", "owned", "reserve",
                     spec->reserve.set ? json_integer(spec->reserve.value) : NULL, "tags",
                     mini_json_load(spec->tags), "classroom_id", spec->class_id);
}

enum gr_err mini_rooms_make(struct gr_call *call, const struct mini_room_spec *spec,
                            struct mini_rooms *ret_rooms)
{
    int64_t now = gr_now_ms(call->host);
    const struct mini_request requests[] = {
        {.service = MINI_EVENT,
         .method = GR_METHOD_POST,
         .path = "/api/v1/rooms",
         .body = event_room_body(spec, mini_state_of(call)->options->kind, now)},
        {.service = MINI_CONFERENCE,
         .method = GR_METHOD_POST,
         .path = "/api/v1/rooms",
         .body = conference_room_body(spec, now)}};
    struct mini_answer answers[2];

    (void)mini_service_calls(call, requests, answers, 2);
    const struct mini_rooms rooms = {room_id(call, &answers[0]), room_id(call, &answers[1])};
    if (rooms.event && rooms.conference) {
        *ret_rooms = rooms;
        return GR_OK;
    }
    mini_rooms_drop(call, &rooms, spec->audience);
    return mini_fail(call, MINI_UPSTREAM_FAILED,
                     rooms.event ? "Request to conference" : "Request to event");
}

/* A time that has ended closes a room. The services require that the end is after the start. */
static json_t *closed_time(int64_t end_ms)
{
    const struct mini_num start = {true, end_ms - 1000};
    const struct mini_num end = {true, end_ms};

    return json_pack("{s:o}", "time", mini_time_pair(start, end));
}

void mini_rooms_drop(struct gr_call *call, const struct mini_rooms *rooms, const char *audience)
{
    int64_t now = gr_now_ms(call->host);

    if (rooms->event) {
        gr_log(call, GR_LOG_WARN, "closing event room %s, which has no class", rooms->event);
        /* The event service does not change the start, which is the second of the creation. */
        mini_outbox_room(call, MINI_EVENT, audience,
                         gr_format(call, "PATCH /api/v1/rooms/%s", rooms->event),
                         closed_time(now + 1000));
    }
    if (rooms->conference) {
        gr_log(call, GR_LOG_WARN, "closing conference room %s, which has no class",
               rooms->conference);
        mini_outbox_room(call, MINI_CONFERENCE, audience,
                         gr_format(call, "PATCH /api/v1/rooms/%s", rooms->conference),
                         closed_time(now));
    }
}

void mini_room_lock(struct gr_call *call, const char *audience, const char *event_room, bool chat,
                    bool questions)
{
    json_t *body =
        json_pack("{s:{s:b, s:b, s:b, s:b}}", "locked_types", "message", chat, "reaction", chat,
                  "question", questions, "question_reaction", questions);

    if (!chat && !questions) {
        json_decref(body);
        return;
    }
    const struct mini_answer answer =
        mini_service_room_call(call, MINI_EVENT, GR_METHOD_POST,
                               "/api/v1/rooms/{room}/locked_types", event_room, json_incref(body));
    if (answer.good) {
        json_decref(body);
        return;
    }
    gr_log(call, GR_LOG_WARN, "event room %s is not locked yet", event_room);
    mini_outbox_room(call, MINI_EVENT, audience,
                     gr_format(call, "POST /api/v1/rooms/%s/locked_types", event_room), body);
}
