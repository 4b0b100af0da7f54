#include "services.h"

#include "../../minigroups/base/ids.h"
#include "../../minigroups/base/secret.h"

#include <stdlib.h>

#define TOKEN_LIFETIME_S 300

/* --- state --- */

enum gr_err svc_init(struct gr_self *self, const void *options, void **ret_state)
{
    struct svc_state *state = calloc(1, sizeof(*state));
    char upstream[64];

    if (!state)
        return GR_ERR_NO_MEMORY;
    state->options = options;
    state->secret = mini_secret(self, state->options->secret, state->options->secret_file);
    snprintf(upstream, sizeof(upstream), "%s_gateway", self->name);
    if (state->secret.len == 0 ||
        gr_upstream_define(self, upstream, state->options->gateway) != GR_OK) {
        gr_log_self(self, GR_LOG_ERROR, "a secret and the URL of the gateway are required");
        free(state);
        return GR_ERR_INVALID;
    }
    pthread_mutex_init(&state->lock, NULL);
    state->rooms = json_object();
    state->extra = json_object();
    *ret_state = state;
    return GR_OK;
}

void svc_fini(struct gr_self *self, void *arg)
{
    struct svc_state *state = arg;

    (void)self;
    json_decref(state->rooms);
    json_decref(state->extra);
    pthread_mutex_destroy(&state->lock);
    free(state);
}

/* --- errors --- */

enum gr_err svc_fail(struct gr_call *call, int status, const char *type, const char *title)
{
    return gr_fail_with(
        call, &(const struct gr_error){
                  .err = GR_ERR_UNPROCESSABLE, .status = status, .type = type, .message = title});
}

static const struct gr_field error_fields[] = {
    GR_FIELD("type", GR_STRING, "A name for the kind of problem", .flags = GR_FIELD_REQUIRED),
    GR_FIELD("title", GR_STRING, "The kind of problem as a text for people",
             .flags = GR_FIELD_REQUIRED),
    GR_FIELD("status", GR_INT, "The HTTP status once more", .flags = GR_FIELD_REQUIRED),
    GR_FIELD("detail", GR_STRING, "The member that is wrong", .flags = GR_FIELD_NOT_NULL),
    GR_END,
};
const struct gr_field svc_error_body[1] = {{.type = GR_OBJECT, .fields = error_fields}};

json_t *svc_render_error(struct gr_call *call, const struct gr_error *error)
{
    const char *where = error->problem_count ? error->problems[0].where : NULL;

    (void)call;
    return json_pack("{s:s, s:s, s:i, s:s*}", "type",
                     error->err == GR_ERR_INVALID ? "invalid_payload" : error->type, "title",
                     error->message, "status", error->status, "detail", where);
}

enum gr_err svc_no_room(struct gr_call *call)
{
    return svc_fail(call, 404, "room_not_found", "Room not found");
}

enum gr_err svc_read_room(struct gr_call *call)
{
    const json_t *room = svc_lock_room(call);
    json_t *answer = room ? json_deep_copy(room) : NULL;

    svc_unlock(call);
    return answer ? gr_reply_json(call, 200, answer) : svc_no_room(call);
}

/* --- authentication --- */

static bool is_trusted(const struct svc_options *options, const char *account)
{
    for (const char *const *known = options->trusted; known && *known; known++) {
        if (strcmp(*known, account) == 0)
            return true;
    }
    return false;
}

enum gr_err svc_authenticate(struct gr_call *call)
{
    const struct svc_state *state = svc_state_of(call);
    const struct gr_jwt_key key = {.alg = "HS256", .key = state->secret};
    const struct gr_jwt_rules rules = {.need_exp = true, .leeway_s = 30};
    gr_str token = gr_bearer(call);
    const json_t *claims = NULL;

    if (token.len == 0)
        return svc_fail(call, 401, "no_authentication_token", "No authentication token");
    if (gr_jwt_verify(call, &key, 1, &rules, token, &claims) != GR_OK)
        return svc_fail(call, 401, "invalid_authentication", "Invalid authentication");
    const char *sub = json_string_value(json_object_get(claims, "sub"));
    const char *aud = json_string_value(json_object_get(claims, "aud"));
    /* A label with a dot could claim a part of another audience. */
    const char *account =
        sub && aud && !strchr(sub, '.') ? gr_format(call, "%s.%s", sub, aud) : NULL;
    if (!account || !is_trusted(state->options, account))
        return svc_fail(call, 403, "access_denied", "Access denied");
    return gr_set_caller(call, gr_str_of(account));
}

/* --- rooms --- */

json_t *svc_lock_room(struct gr_call *call)
{
    struct svc_state *state = svc_state_of(call);
    char id[MINI_UUID_SIZE];
    bool good = mini_uuid_parse(gr_param(call, "room_id"), id);

    pthread_mutex_lock(&state->lock);
    return good ? json_object_get(state->rooms, id) : NULL;
}

void svc_unlock(struct gr_call *call)
{
    pthread_mutex_unlock(&svc_state_of(call)->lock);
}

bool svc_time_valid(const json_t *time)
{
    const json_t *start = json_array_get(time, 0);
    const json_t *end = json_array_get(time, 1);

    if (json_array_size(time) != 2 || !json_is_integer(start))
        return false;
    return json_is_null(end) ||
           (json_is_integer(end) && json_integer_value(end) > json_integer_value(start));
}

bool svc_is_closed(const json_t *room, int64_t now_s)
{
    const json_t *end = json_array_get(json_object_get(room, "time"), 1);

    return json_is_integer(end) && json_integer_value(end) <= now_s;
}

bool svc_is_open(const json_t *room, int64_t now_s)
{
    const json_t *start = json_array_get(json_object_get(room, "time"), 0);

    return json_integer_value(start) <= now_s && !svc_is_closed(room, now_s);
}

json_t *svc_room_new(struct gr_call *call, const json_t *body)
{
    const json_t *tags = json_object_get(body, "tags");
    char id[37];

    gr_uuid(call->host, id);
    return json_pack("{s:s, s:o, s:o, s:o, s:I, s:o*}", "id", id, "audience",
                     json_deep_copy(json_object_get(body, "audience")), "time",
                     json_deep_copy(json_object_get(body, "time")), "tags",
                     json_is_object(tags) ? json_deep_copy(tags) : json_object(), "created_at",
                     (json_int_t)(gr_now_ms(call->host) / 1000), "classroom_id",
                     json_deep_copy(json_object_get(body, "classroom_id")));
}

/* --- callbacks --- */

static const char *sign(struct gr_call *call, const struct gr_account *account)
{
    const struct svc_state *state = svc_state_of(call);
    const struct gr_jwt_key key = {.alg = "HS256", .key = state->secret};
    char *token = NULL;
    json_t *claims = json_pack(
        "{s:s%, s:s%, s:s%, s:I}", "iss", account->audience.ptr, account->audience.len, "aud",
        account->audience.ptr, account->audience.len, "sub", account->label.ptr, account->label.len,
        "exp", (json_int_t)(gr_now_ms(call->host) / 1000 + TOKEN_LIFETIME_S));

    if (!claims || gr_jwt_sign(call, &key, claims, &token) != GR_OK)
        token = NULL;
    json_decref(claims);
    return token;
}

static void note(struct gr_call *call, json_t *report, const char *label, json_t *stolen_payload,
                 const struct gr_upstream_reply *reply)
{
    json_t *answer = reply->body.len ? gr_parse_json(call, reply->body) : NULL;

    json_array_append_new(report,
                          json_pack("{s:s, s:o, s:i, s:O*}", "label", label, "payload",
                                    stolen_payload, "status", reply->status, "answer", answer));
}

void svc_post(struct gr_call *call, const char *audience, const char *label, const char *sender,
              json_t *stolen_payload, json_t *report)
{
    const char *account = sender ? sender : svc_state_of(call)->options->account;
    const char *agent = gr_format(call, "sandbox.%s", account);
    char *text = json_dumps(stolen_payload, JSON_COMPACT);
    const char *body = text ? gr_copy(call, gr_str_of(text)) : NULL;
    struct gr_upstream_reply reply = {0};
    struct gr_account parts;

    free(text);
    if (body && agent && mini_account_parse(gr_str_of(account), &parts)) {
        const struct gr_pair params[] = {{GR_STR("audience"), gr_str_of(audience)},
                                         {{NULL, 0}, {NULL, 0}}};
        const struct gr_pair headers[] = {{GR_STR("Gateway-Type"), GR_STR("event")},
                                          {GR_STR("Gateway-Label"), gr_str_of(label)},
                                          {GR_STR("Gateway-Agent-Id"), gr_str_of(agent)},
                                          {{NULL, 0}, {NULL, 0}}};
        const struct gr_upstream_request request = {
            .upstream = gr_format(call, "%s_gateway", call->self->name),
            .method = GR_METHOD_POST,
            .path = "/api/v1/audiences/{audience}/events",
            .params = params,
            .headers = headers,
            .body = gr_str_of(body),
            .bearer = sign(call, &parts)};

        if (request.upstream && request.bearer)
            (void)gr_upstream(call, &request, &reply, 1); /* the result is in the report */
    }
    note(call, report, label, stolen_payload, &reply);
}
