#include "services.h"

#include "config.h"
#include "ids.h"
#include "outbox.h"
#include "problem.h"
#include "rows.h"
#include "signer.h"

static const char *const upstreams[] = {
    [MG_EVENT] = "minigroups_event",
    [MG_CONFERENCE] = "minigroups_conference",
    [MG_TQ] = "minigroups_tq",
};
static const char *const names[] = {
    [MG_EVENT] = "event", [MG_CONFERENCE] = "conference", [MG_TQ] = "tq"};

json_t *mg_time_pair(struct mg_num start_ms, struct mg_num end_ms)
{
    json_t *pair = json_array();

    json_array_append_new(pair, start_ms.set ? json_integer(start_ms.value / 1000) : json_null());
    json_array_append_new(pair, end_ms.set ? json_integer(end_ms.value / 1000) : json_null());
    return pair;
}

static void read_reply(struct gr_call *call, const struct mg_request *request,
                       const struct gr_upstream_reply *reply, struct mg_answer *answer)
{
    *answer = (struct mg_answer){.reachable = reply->err == GR_OK, .status = reply->status};
    answer->good = answer->reachable && reply->status >= 200 && reply->status < 300;
    if (answer->reachable && reply->body.len)
        answer->json = gr_parse_json(call, reply->body);
    if (!answer->reachable)
        gr_log(call, GR_LOG_WARN, "%s service not reached: error %d", names[request->service],
               (int)reply->err);
    else if (!answer->good)
        gr_log(call, GR_LOG_WARN, "%s service answered %d", names[request->service], reply->status);
}

bool mg_services(struct gr_call *call, const struct mg_request *requests, struct mg_answer *answers,
                 size_t count)
{
    struct gr_upstream_request out[MG_SIDE_BY_SIDE_MAX] = {0};
    struct gr_upstream_reply replies[MG_SIDE_BY_SIDE_MAX] = {0};
    const char *token = mg_service_token(call);
    const struct gr_pair headers[] = {
        {GR_STR("X-Agent-Label"), gr_str_of(mg_state_of(call)->options->agent_label)},
        {{NULL, 0}, {NULL, 0}}};
    bool good = token != NULL;

    for (size_t i = 0; i < count; i++) {
        const char *body = requests[i].body ? mg_json_text(call, requests[i].body) : NULL;

        good = good && (body || !requests[i].body);
        json_decref(requests[i].body);
        answers[i] = (struct mg_answer){.good = false};
        out[i] = (struct gr_upstream_request){.upstream = upstreams[requests[i].service],
                                              .method = requests[i].method,
                                              .path = requests[i].path,
                                              .params = requests[i].params,
                                              .query = requests[i].query,
                                              .headers = headers,
                                              .body = gr_str_of(body),
                                              .bearer = token};
    }
    if (!good)
        return false;
    (void)gr_upstream(call, out, replies, count); /* each reply tells its own outcome */
    for (size_t i = 0; i < count; i++) {
        read_reply(call, &requests[i], &replies[i], &answers[i]);
        good = good && answers[i].good;
    }
    return good;
}

struct mg_answer mg_room_call(struct gr_call *call, enum mg_service service, enum gr_method method,
                              const char *path, const char *room, json_t *stolen_body)
{
    const struct gr_pair params[] = {{GR_STR("room"), gr_str_of(room)}, {{NULL, 0}, {NULL, 0}}};
    const struct mg_request request = {service, method, path, params, NULL, stolen_body};
    struct mg_answer answer;

    (void)mg_services(call, &request, &answer, 1);
    return answer;
}

/* --- rooms --- */

/* The id of a made room; NULL when the answer has none. */
static const char *room_id(struct gr_call *call, const struct mg_answer *answer)
{
    const char *text = json_string_value(json_object_get(answer->json, "id"));
    char id[MG_UUID_SIZE];

    if (!answer->good || !text || !mg_uuid_parse(gr_str_of(text), id))
        return NULL;
    return gr_copy(call, gr_str_of(id));
}

static json_t *event_room_body(const struct mg_wish *wish, const char *kind, int64_t now_ms)
{
    const struct mg_num now = {true, now_ms};
    const struct mg_num open = {false, 0};

    return json_pack("{s:s, s:o, s:b, s:o*, s:s, s:s}", "audience", wish->audience, "time",
                     mg_time_pair(now, open), "preserve_history", 1, "tags",
                     mg_json_load(wish->tags), "classroom_id", wish->class_id, "kind", kind);
}

static json_t *conference_room_body(const struct mg_wish *wish, int64_t now_ms)
{
    const struct mg_num start = wish->start_ms.set ? wish->start_ms : (struct mg_num){true, now_ms};
    const struct mg_num open = {false, 0};

    return json_pack("{s:s, s:o, s:s, s:o*, s:o*, s:s}", "audience", wish->audience, "time",
                     mg_time_pair(start, open), "rtc_sharing_policy", "owned", "reserve",
                     wish->reserve.set ? json_integer(wish->reserve.value) : NULL, "tags",
                     mg_json_load(wish->tags), "classroom_id", wish->class_id);
}

enum gr_err mg_rooms_make(struct gr_call *call, const struct mg_wish *wish,
                          struct mg_rooms *ret_rooms)
{
    int64_t now = gr_now_ms(call->host);
    const struct mg_request requests[] = {
        {.service = MG_EVENT,
         .method = GR_METHOD_POST,
         .path = "/api/v1/rooms",
         .body = event_room_body(wish, mg_state_of(call)->options->kind, now)},
        {.service = MG_CONFERENCE,
         .method = GR_METHOD_POST,
         .path = "/api/v1/rooms",
         .body = conference_room_body(wish, now)}};
    struct mg_answer answers[2];

    (void)mg_services(call, requests, answers, 2);
    const struct mg_rooms rooms = {room_id(call, &answers[0]), room_id(call, &answers[1])};
    if (rooms.event && rooms.conference) {
        *ret_rooms = rooms;
        return GR_OK;
    }
    mg_rooms_drop(call, &rooms, wish->audience);
    return mg_fail(call, MG_UPSTREAM_FAILED,
                   rooms.event ? "Request to conference" : "Request to event");
}

/* An end in the past closes a room; the services want it after the start. */
static json_t *closed_time(int64_t end_ms)
{
    const struct mg_num start = {true, end_ms - 1000};
    const struct mg_num end = {true, end_ms};

    return json_pack("{s:o}", "time", mg_time_pair(start, end));
}

void mg_rooms_drop(struct gr_call *call, const struct mg_rooms *rooms, const char *audience)
{
    int64_t now = gr_now_ms(call->host);

    if (rooms->event) {
        gr_log(call, GR_LOG_WARN, "closing event room %s, which no class has", rooms->event);
        /* its start is the second it was made in, and stays */
        mg_outbox_room(call, MG_EVENT, audience,
                       gr_format(call, "PATCH /api/v1/rooms/%s", rooms->event),
                       closed_time(now + 1000));
    }
    if (rooms->conference) {
        gr_log(call, GR_LOG_WARN, "closing conference room %s, which no class has",
               rooms->conference);
        mg_outbox_room(call, MG_CONFERENCE, audience,
                       gr_format(call, "PATCH /api/v1/rooms/%s", rooms->conference),
                       closed_time(now));
    }
}

void mg_room_lock(struct gr_call *call, const char *audience, const char *event_room, bool chat,
                  bool questions)
{
    json_t *body =
        json_pack("{s:{s:b, s:b, s:b, s:b}}", "locked_types", "message", chat, "reaction", chat,
                  "question", questions, "question_reaction", questions);

    if (!chat && !questions) {
        json_decref(body);
        return;
    }
    const struct mg_answer answer =
        mg_room_call(call, MG_EVENT, GR_METHOD_POST, "/api/v1/rooms/{room}/locked_types",
                     event_room, json_incref(body));
    if (answer.good) {
        json_decref(body);
        return;
    }
    gr_log(call, GR_LOG_WARN, "event room %s is not locked yet", event_room);
    mg_outbox_room(call, MG_EVENT, audience,
                   gr_format(call, "POST /api/v1/rooms/%s/locked_types", event_room), body);
}
