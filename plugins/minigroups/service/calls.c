#include "calls.h"

#include "base/state.h"
#include "signer.h"

static const char *const upstreams[] = {
    [MINI_EVENT] = "minigroups_event",
    [MINI_CONFERENCE] = "minigroups_conference",
    [MINI_TQ] = "minigroups_tq",
};
static const char *const names[] = {
    [MINI_EVENT] = "event", [MINI_CONFERENCE] = "conference", [MINI_TQ] = "tq"};

static void read_reply(struct gr_call *call, const struct mini_request *request,
                       const struct gr_upstream_reply *reply, struct mini_answer *answer)
{
    *answer = (struct mini_answer){.reachable = reply->err == GR_OK, .status = reply->status};
    answer->good = answer->reachable && reply->status >= 200 && reply->status < 300;
    if (answer->reachable && reply->body.len)
        answer->json = gr_parse_json(call, reply->body);
    if (!answer->reachable)
        gr_log(call, GR_LOG_WARN, "%s service not reached: error %d", names[request->service],
               (int)reply->err);
    else if (!answer->good)
        gr_log(call, GR_LOG_WARN, "%s service answered %d", names[request->service], reply->status);
}

bool mini_service_calls(struct gr_call *call, const struct mini_request *requests,
                        struct mini_answer *answers, size_t count)
{
    struct gr_upstream_request out[MINI_SIDE_BY_SIDE_MAX] = {0};
    struct gr_upstream_reply replies[MINI_SIDE_BY_SIDE_MAX] = {0};
    const char *token = mini_service_token(call);
    const struct gr_pair headers[] = {
        {GR_STR("X-Agent-Label"), gr_str_of(mini_state_of(call)->options->agent_label)},
        {{NULL, 0}, {NULL, 0}}};
    bool good = token != NULL;

    for (size_t i = 0; i < count; i++) {
        const char *body = requests[i].body ? gr_json_text(call, requests[i].body).ptr : NULL;

        good = good && (body || !requests[i].body);
        json_decref(requests[i].body);
        answers[i] = (struct mini_answer){.good = false};
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
    (void)gr_upstream(call, out, replies, count); /* the results are in the replies */
    for (size_t i = 0; i < count; i++) {
        read_reply(call, &requests[i], &replies[i], &answers[i]);
        good = good && answers[i].good;
    }
    return good;
}

struct mini_answer mini_service_room_call(struct gr_call *call, enum mini_service service,
                                          enum gr_method method, const char *path, const char *room,
                                          json_t *stolen_body)
{
    const struct gr_pair params[] = {{GR_STR("room"), gr_str_of(room)}, {{NULL, 0}, {NULL, 0}}};
    const struct mini_request request = {service, method, path, params, NULL, stolen_body};
    struct mini_answer answer;

    (void)mini_service_calls(call, &request, &answer, 1);
    return answer;
}
