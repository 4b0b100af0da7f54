/* Runs of polls in sessions: start, responses with their computed results, and end. */
#include "polls.h"
#include "routes.h"
#include "sessions.h"

#include <ctype.h>

static const struct gr_field poll_run_fields[] = {
    GR_FIELD("room_id", GR_STRING, "ID of a room with a running session",
             .flags = GR_FIELD_REQUIRED),
    GR_END,
};

static const struct gr_field respond_fields[] = {
    GR_FIELD("room_id", GR_STRING, "ID of a room with a running session",
             .flags = GR_FIELD_REQUIRED),
    GR_FIELD("question", GR_INT, "Index of the question", .flags = GR_FIELD_REQUIRED),
    GR_FIELD("peer_id", GR_STRING, "Peer who answers; must be in the session", .any_of = "who"),
    GR_FIELD("user_id", GR_STRING, "User who answers", .any_of = "who"),
    GR_FIELD("options", GR_ARRAY, "Indexes of the chosen options", .items = GR_ITEM(GR_INT)),
    GR_FIELD("text", GR_STRING, "Text of the answer"),
    GR_FIELD("skipped", GR_BOOL, "Whether the question is skipped", .default_doc = "false"),
    GR_FIELD("duration", GR_INT, "Time that the answer took in seconds", .range = GR_MIN(0)),
    GR_END,
};

static json_t *running(struct sandbox *sb, const char *poll_id, const char *session_id)
{
    const char *id;
    json_t *run;

    json_object_foreach(sb_all(sb, "poll_sessions"), id, run) {
        if (sb_true(run, ".running") && sb_is(run, "session_id", gr_str_of(session_id)) &&
            (!poll_id || sb_is(run, "poll_id", gr_str_of(poll_id))))
            return run;
    }
    return NULL;
}

static json_t *start_run(struct sandbox *sb, const json_t *poll, const json_t *session)
{
    json_t *run = running(sb, sb_text(poll, "id"), sb_text(session, "id"));
    struct sb_name id = sb_new_id(sb);

    if (run)
        return run;
    if (sb_int(poll, "duration") > 0)
        sb_schedule(sb, sb_int(poll, "duration") * 1000, "poll.expire", id.text);
    return sb_put(sb, "poll_sessions", id.text,
                  sb_pack(sb, "{ss ss ss so ss si si sb s{}}", "id", id.text, "poll_id",
                          sb_text(poll, "id"), "session_id", sb_text(session, "id"), "started_at",
                          sb_time(sb, sb->now_ms), "stopped_at", SB_NO_TIME, "total_responses", 0,
                          "unique_participants", 0, ".running", 1, ".participants"));
}

static void stop_run(struct sandbox *sb, json_t *run)
{
    if (!sb_true(run, ".running"))
        return;
    sb_set(sb, run, ".running", json_false());
    sb_set(sb, run, "stopped_at", sb_time(sb, sb->now_ms));
    sb_cancel(sb, "poll.expire", sb_text(run, "id"));
}

void sb_polls_begin(struct sandbox *sb, json_t *session)
{
    const json_t *room = sb_find_text(sb, "rooms", sb_text(session, "room_id"));
    const json_t *id;
    size_t i;

    json_array_foreach(json_object_get(room, "polls"), i, id) {
        const char *text = json_string_value(id);
        const json_t *poll = text ? sb_find_text(sb, "polls", text) : NULL;

        if (sb_is(poll, "start", GR_STR("auto")))
            start_run(sb, poll, session);
    }
}

void sb_polls_end(struct sandbox *sb, const char *session_id)
{
    for (json_t *run = running(sb, NULL, session_id); run; run = running(sb, NULL, session_id))
        stop_run(sb, run);
}

void sb_poll_expire(struct sandbox *sb, const char *poll_session_id)
{
    json_t *run = sb_find_text(sb, "poll_sessions", poll_session_id);

    if (run)
        stop_run(sb, run);
}

/* --- answering --- */

static bool options_right(const json_t *wanted, const json_t *given)
{
    const json_t *index;
    size_t i;
    size_t k;
    size_t hits = 0;

    json_array_foreach(given, i, index) {
        for (k = 0; k < json_array_size(wanted); k++)
            hits += json_equal(index, json_array_get(wanted, k)) ? 1 : 0;
    }
    return hits == json_array_size(wanted) && hits == json_array_size(given);
}

static gr_str trimmed(const char *text)
{
    gr_str s = gr_str_of(text);

    while (s.len && isspace((unsigned char)*s.ptr)) {
        s.ptr++;
        s.len--;
    }
    while (s.len && isspace((unsigned char)s.ptr[s.len - 1]))
        s.len--;
    return s;
}

static bool text_right(const json_t *answer, const char *given)
{
    bool trim = sb_true(answer, "trim");
    gr_str a = trim ? trimmed(sb_text(answer, "text")) : gr_str_of(sb_text(answer, "text"));
    gr_str b = trim ? trimmed(given) : gr_str_of(given);

    if (sb_true(answer, "case"))
        return gr_str_eq(a, b);
    return a.len == b.len && strncasecmp(a.ptr, b.ptr, a.len) == 0;
}

static json_int_t score_of(const json_t *poll, const json_t *question, const json_t *body)
{
    const json_t *answer = json_object_get(question, "answer");
    const json_t *wanted = json_object_get(answer, "options");
    bool right;

    if (!sb_is(poll, "type", GR_STR("quiz")) || sb_true(body, "skipped"))
        return 0;
    if (json_array_size(wanted))
        right = options_right(wanted, json_object_get(body, "options"));
    else
        right = *sb_text(answer, "text") && text_right(answer, sb_text(body, "text"));
    return right ? sb_int(question, "weight") : 0;
}

/* The participant who answers. */
struct person {
    const char *peer_id;
    const char *user_id;
    const char *key; /* identifies the participant */
};

static struct person person_of(const json_t *poll, const json_t *session, const json_t *body)
{
    const json_t *peer = json_object_get(sb_live_peers(session), sb_text(body, "peer_id"));
    struct person person = {sb_text(body, "peer_id"),
                            peer ? sb_text(peer, "user_id") : sb_text(body, "user_id"), ""};
    bool by_peer = sb_is(poll, "mode", GR_STR("peerid"));

    person.key = (by_peer && *person.peer_id) || !*person.user_id ? person.peer_id : person.user_id;
    return person;
}

static json_t *earlier(struct sandbox *sb, const char *collection, const json_t *run,
                       const struct person *person, json_int_t question)
{
    const char *id;
    json_t *row;

    json_object_foreach(sb_all(sb, collection), id, row) {
        if (!sb_true(row, ".changed") && sb_int(row, "question") == question &&
            sb_is(row, ".run", gr_str_of(sb_text(run, "id"))) &&
            sb_is(row, ".who", gr_str_of(person->key)))
            return row;
    }
    return NULL;
}

static const char *shown(const json_t *poll, const char *who)
{
    return sb_true(poll, "anonymous") ? "" : who;
}

static json_t *put_response(struct sandbox *sb, const json_t *poll, const json_t *run,
                            const struct person *person, const json_t *body, json_t *old)
{
    struct sb_name id = sb_new_id(sb);
    const char *original = !old                                 ? ""
                           : *sb_text(old, "original_response") ? sb_text(old, "original_response")
                                                                : sb_text(old, "id");
    json_t *row =
        sb_pack(sb, "{ss ss ss sI sI sb ss sb ss sI so ss ss ss ss}", "id", id.text, "poll_id",
                sb_text(poll, "id"), "session_id", sb_text(run, "session_id"), "duration",
                (json_int_t)sb_int(body, "duration"), "question",
                (json_int_t)sb_int(body, "question"), "skipped", sb_true(body, "skipped"), "text",
                sb_text(body, "text"), "update", old != NULL, "original_response", original,
                "retries", (json_int_t)(old ? sb_int(old, "retries") + 1 : 0), "sent_at",
                sb_time(sb, sb->now_ms), "peer_id", shown(poll, person->peer_id), "user_id",
                shown(poll, person->user_id), ".run", sb_text(run, "id"), ".who", person->key);

    if (old)
        sb_set(sb, old, ".changed", json_true());
    if (json_object_get(body, "options"))
        sb_set(sb, row, "options", sb_copy(sb, json_object_get(body, "options")));
    return sb_put(sb, "poll_responses", id.text, row);
}

/* There is one result per participant and question; a changed response updates it. */
static void put_result(struct sandbox *sb, const json_t *poll, const json_t *run,
                       const struct person *person, const json_t *body, json_int_t score)
{
    json_t *row = earlier(sb, "poll_results", run, person, sb_int(body, "question"));
    struct sb_name id = sb_new_id(sb);

    if (!row)
        row = sb_put(sb, "poll_results", id.text,
                     sb_pack(sb, "{ss ss ss sI sI ss ss sI ss ss}", "id", id.text, "poll_id",
                             sb_text(poll, "id"), "session_id", sb_text(run, "session_id"),
                             "question", (json_int_t)sb_int(body, "question"), "duration",
                             (json_int_t)0, "peer_id", shown(poll, person->peer_id), "user_id",
                             shown(poll, person->user_id), "score", (json_int_t)0, ".run",
                             sb_text(run, "id"), ".who", person->key));
    sb_set(sb, row, "score", json_integer(score));
    sb_set(sb, row, "duration", json_integer(sb_int(body, "duration")));
}

static void count_response(struct sandbox *sb, json_t *run, const struct person *person)
{
    json_t *participants = json_object_get(run, ".participants");

    sb_set(sb, participants, person->key, json_true());
    sb_set(sb, run, "unique_participants",
           json_integer((json_int_t)json_object_size(participants)));
    sb_set(sb, run, "total_responses", json_integer(sb_int(run, "total_responses") + 1));
}

/* Finds the poll of the path and the running session of the room in the body. */
static enum gr_err where_it_runs(struct gr_call *call, struct sandbox *sb, json_t **ret_poll,
                                 json_t **ret_session)
{
    enum gr_err err = sb_poll_of(call, sb, ret_poll);

    if (err != GR_OK)
        return err;
    *ret_session = sb_session_of(sb, sb_text(gr_json(call), "room_id"));
    return *ret_session ? GR_OK : sb_error(call, 404, "the room has no running session", NULL);
}

static json_t *question_at(json_t *poll, json_int_t index)
{
    const json_t *questions = json_object_get(poll, "questions");
    json_t *question;
    size_t i;

    json_array_foreach(questions, i, question) {
        if (sb_int(question, "index") == index)
            return question;
    }
    return NULL;
}

static enum gr_err polls_respond(struct gr_call *call, struct sandbox *sb)
{
    const json_t *body = gr_json(call);
    struct person person;
    json_t *session;
    json_t *poll;
    json_t *question;
    json_t *run;
    json_t *old;
    enum gr_err err = where_it_runs(call, sb, &poll, &session);

    if (err != GR_OK)
        return err;
    question = question_at(poll, sb_int(body, "question"));
    if (!question)
        return sb_error(call, 404, "question not found", NULL);
    if (sb_true(body, "skipped") && !sb_true(question, "skippable"))
        return sb_error(call, 400, "the question cannot be skipped", NULL);
    run = start_run(sb, poll, session);
    person = person_of(poll, session, body);
    old = earlier(sb, "poll_responses", run, &person, sb_int(body, "question"));
    if (old && sb_true(question, "once"))
        return sb_error(call, 400, "the answer cannot be changed", NULL);
    put_result(sb, poll, run, &person, body, score_of(poll, question, body));
    count_response(sb, run, &person);
    return sb_reply_row(call, sb, put_response(sb, poll, run, &person, body, old));
}

static enum gr_err polls_start(struct gr_call *call, struct sandbox *sb)
{
    json_t *session;
    json_t *poll;
    enum gr_err err = where_it_runs(call, sb, &poll, &session);

    return err == GR_OK ? sb_reply_row(call, sb, start_run(sb, poll, session)) : err;
}

static enum gr_err polls_stop(struct gr_call *call, struct sandbox *sb)
{
    json_t *session;
    json_t *poll;
    json_t *run;
    enum gr_err err = where_it_runs(call, sb, &poll, &session);

    if (err != GR_OK)
        return err;
    run = running(sb, sb_text(poll, "id"), sb_text(session, "id"));
    if (!run)
        return sb_error(call, 404, "the poll does not run", NULL);
    stop_run(sb, run);
    return sb_reply_row(call, sb, run);
}

const struct gr_route sb_poll_run_routes[] = {
    SB_ADMIN(POST, "/polls/{poll_id}/start", "admin.poll_start", "Start a poll in a session",
             .body = GR_BODY(GR_OBJECT, .fields = poll_run_fields, .flags = GR_FIELD_REQUIRED),
             SB_RUN_ADMIN(polls_start)),
    SB_ADMIN(POST, "/polls/{poll_id}/stop", "admin.poll_stop", "Stop a poll in a session",
             .body = GR_BODY(GR_OBJECT, .fields = poll_run_fields, .flags = GR_FIELD_REQUIRED),
             SB_RUN_ADMIN(polls_stop)),
    SB_ADMIN(POST, "/polls/{poll_id}/responses", "admin.poll_respond", "Answer a poll",
             .body = GR_BODY(GR_OBJECT, .fields = respond_fields, .flags = GR_FIELD_REQUIRED),
             SB_RUN_ADMIN(polls_respond)),
    GR_END,
};
