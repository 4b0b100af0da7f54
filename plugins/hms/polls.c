/*
 * polls: polls and quizzes, their questions, and the answers to them.
 *
 * Questions and options are addressed by an index from 1, and a deletion moves the later ones down.
 * A repeated DELETE would remove the next question or option, so the gateway never repeats it.
 */
#include "common.h"

#include <jansson.h>

static gr_check_fn check_not_empty;

/* Path and query --------------------------------------------------------------------------- */

#define POLL HMS_PARAM_ID("pollId", "ID of the poll")
#define SESSION HMS_PARAM_ID("sessionId", "ID of the session")
#define RESULT HMS_PARAM_ID("resultId", "ID of the result")
#define RESPONSE HMS_PARAM_ID("responseId", "ID of the answer")
#define QUESTION GR_FIELD("questionId", GR_STRING, "Index of the question", .pattern = HMS_INDEX)
#define OPTION GR_FIELD("optionId", GR_STRING, "Index of the option", .pattern = HMS_INDEX)

static const struct gr_field poll_params[] = {POLL, GR_END};
static const struct gr_field question_params[] = {POLL, QUESTION, GR_END};
static const struct gr_field option_params[] = {POLL, QUESTION, OPTION, GR_END};
static const struct gr_field session_params[] = {POLL, SESSION, GR_END};
static const struct gr_field result_params[] = {POLL, RESULT, GR_END};
static const struct gr_field response_params[] = {POLL, RESPONSE, GR_END};
static const struct gr_field session_result_params[] = {POLL, SESSION, RESULT, GR_END};
static const struct gr_field session_response_params[] = {POLL, SESSION, RESPONSE, GR_END};

#define ONE_QUESTION                                                                               \
    GR_FIELD("question", GR_INT, "Only items of the question with this index", .range = GR_MIN(1))

static const struct gr_field sessions_query[] = {HMS_QUERY_LIMIT_OPEN, HMS_QUERY_START, GR_END};

static const struct gr_field results_query[] = {
    ONE_QUESTION,
    HMS_QUERY_LIMIT_OPEN,
    HMS_QUERY_START,
    GR_END,
};

static const struct gr_field responses_query[] = {
    ONE_QUESTION,
    GR_FIELD("all", GR_BOOL, "Whether to list answers that were changed later, too",
             .default_doc = "false"),
    HMS_QUERY_LIMIT_OPEN,
    HMS_QUERY_START,
    GR_END,
};

/* Bodies, which 100ms also answers --------------------------------------------------------- */

static const struct gr_field question[] = {
    GR_FIELD("index", GR_INT, "Position in the poll, from 1", .range = GR_MIN(1)),
    GR_FIELD("text", GR_STRING, "Text of the question"),
    GR_FIELD("type", GR_STRING,
             "`single-choice`, `multiple-choice`, `short-answer` or `long-answer`"),
    HMS_POLL_QUESTION,
    GR_FIELD("answer", GR_OBJECT, "The right answer", .fields = hms_poll_answer),
    GR_FIELD("options", GR_ARRAY, "Options to choose from",
             .items = GR_ITEM(GR_OBJECT, .fields = hms_poll_option)),
    GR_END,
};

static const char *const voters[] = {"userid", "peerid", "username", NULL};
#define POLL_MEMBERS                                                                               \
    GR_FIELD("title", GR_STRING, "Title"),                                                         \
        GR_FIELD("duration", GR_INT,                                                               \
                 "Duration in seconds; 0: until the poll is stopped or the session ends"),         \
        GR_FIELD("anonymous", GR_BOOL, "Whether the results omit the users",                       \
                 .default_doc = "false"),                                                          \
        GR_FIELD("mode", GR_STRING, "What identifies a voter", .flags = GR_FIELD_HINTS,            \
                 .values = voters, .default_doc = "userid"),                                       \
        GR_FIELD("type", GR_STRING, "Poll, or quiz with right answers", .flags = GR_FIELD_HINTS,   \
                 .values = HMS_POLL_TYPES, .default_doc = "poll"),                                 \
        GR_FIELD("start", GR_STRING, "`auto` starts the poll with the session",                    \
                 .values = HMS_POLL_STARTS, .default_doc = "auto"),                                \
        GR_FIELD("questions", GR_ARRAY, "Questions of the poll",                                   \
                 .items = GR_ITEM(GR_OBJECT, .fields = question))

static const struct gr_field new_poll[] = {POLL_MEMBERS, GR_END};

static const struct gr_field poll[] = {
    GR_FIELD("id", GR_STRING, "ID of the poll"),
    POLL_MEMBERS,
    GR_END,
};

/* Answers ---------------------------------------------------------------------------------- */

static const struct gr_field poll_session[] = {
    GR_FIELD("id", GR_STRING, "ID of this run"),
    GR_FIELD("poll_id", GR_STRING, "ID of the poll"),
    GR_FIELD("session_id", GR_STRING, "Session of the run"),
    GR_FIELD("started_at", GR_TIME, "When the run began"),
    GR_FIELD("stopped_at", GR_TIME, "When the run ended"),
    GR_FIELD("total_responses", GR_INT, "Number of answers"),
    GR_FIELD("unique_participants", GR_INT, "Number of participants who answered"),
    GR_END,
};

#define GIVEN_MEMBERS                                                                              \
    GR_FIELD("id", GR_STRING, "ID of the item"), GR_FIELD("poll_id", GR_STRING, "ID of the poll"), \
        GR_FIELD("session_id", GR_STRING, "Session of the item"),                                  \
        GR_FIELD("question", GR_INT, "Index of the question"),                                     \
        GR_FIELD("duration", GR_INT, "Time that the answer took"),                                 \
        GR_FIELD("peer_id", GR_STRING, "Peer who answered"),                                       \
        GR_FIELD("user_id", GR_STRING, "User who answered")

static const struct gr_field result[] = {
    GIVEN_MEMBERS,
    GR_FIELD("score", GR_INT, "Points reached"),
    GR_END,
};

static const struct gr_field response[] = {
    GIVEN_MEMBERS,
    GR_FIELD("text", GR_STRING, "Text of the answer"),
    GR_FIELD("skipped", GR_BOOL, "Whether the question was skipped"),
    GR_FIELD("update", GR_BOOL, "Whether this replaces an earlier answer"),
    GR_FIELD("original_response", GR_STRING, "ID of the earlier answer"),
    GR_FIELD("retries", GR_INT, "Number of retries"),
    GR_FIELD("sent_at", GR_TIME, "When the answer was sent"),
    GR_END,
};

/* Routes ----------------------------------------------------------------------------------- */

#define READING HMS_API("polls/get-polls-via-api")
#define WRITING HMS_API("polls/create-polls-via-api")

/* 100ms lists results and answers of all sessions only; the gateway selects those of {sessionId}.
 */
#define OF_SESSION(list_) .select = GR_SELECT(list_, "session_id", "{sessionId}")
#define OF_SESSION_DOC                                                                             \
    "The gateway removes items of other sessions from each page of 100ms, so a page can be short " \
    "or empty although further pages follow."

static const struct gr_route routes[] = {
    HMS_POST("/polls", "polls.create", "Create a poll or quiz", .scope = "polls:write",
             .flags = GR_ROUTE_IDEMPOTENCY_KEY,
             .body = GR_BODY(GR_OBJECT, .fields = new_poll, .flags = GR_FIELD_REQUIRED),
             .answers = HMS_ANSWER(200, "The poll", .schema = HMS_OBJECT(poll)), .source = WRITING),
    HMS_GET("/polls/{pollId}", "polls.get", "Fetch one poll with its questions",
            .scope = "polls:read", .params = poll_params,
            .answers = HMS_ANSWER(200, "The poll", .schema = HMS_OBJECT(poll)), .source = READING),
    HMS_POST("/polls/{pollId}", "polls.update", "Replace a poll", .scope = "polls:write",
             .params = poll_params,
             .body = GR_BODY(GR_OBJECT, .fields = new_poll,
                             .flags = GR_FIELD_REQUIRED | GR_FIELD_HINTS, .check = check_not_empty),
             .answers = HMS_ANSWER(200, "The poll", .schema = HMS_OBJECT(poll)),
             .doc = "Members that are not sent are removed.", .source = WRITING),
    HMS_POST("/polls/{pollId}/questions/{questionId}", "polls.update_question",
             "Replace one question", .scope = "polls:write", .params = question_params,
             .body = GR_BODY(GR_OBJECT, .fields = question,
                             .flags = GR_FIELD_REQUIRED | GR_FIELD_HINTS, .check = check_not_empty),
             .answers = HMS_ANSWER(200, "The question", .schema = HMS_OBJECT(question)),
             .doc = "Members that are not sent are removed.", .source = WRITING),
    HMS_POST("/polls/{pollId}/questions/{questionId}/options/{optionId}", "polls.update_option",
             "Replace one option", .scope = "polls:write", .params = option_params,
             .body = GR_BODY(GR_OBJECT, .fields = hms_poll_option,
                             .flags = GR_FIELD_REQUIRED | GR_FIELD_HINTS, .check = check_not_empty),
             .answers = HMS_ANSWER(200, "The option", .schema = HMS_OBJECT(hms_poll_option)),
             .doc = "Members that are not sent are removed.", .source = WRITING),
    HMS_DELETE("/polls/{pollId}/questions/{questionId}", "polls.delete_question",
               "Delete one question", .scope = "polls:write", .params = question_params,
               .answers = HMS_ANSWER(204, "The question was deleted", .schema = NULL),
               .doc = "Later questions move down by one.", .source = WRITING),
    HMS_DELETE("/polls/{pollId}/questions/{questionId}/options/{optionId}", "polls.delete_option",
               "Delete one option", .scope = "polls:write", .params = option_params,
               .answers = HMS_ANSWER(204, "The option was deleted", .schema = NULL),
               .doc = "Later options move down by one.", .source = WRITING),
    HMS_GET("/polls/{pollId}/sessions", "polls.sessions", "List the sessions in which a poll ran",
            .scope = "polls:read", .params = poll_params, .query = sessions_query,
            .answers =
                HMS_ANSWER(200, "One page of runs", .schema = HMS_PAGE("responses", poll_session)),
            .source = READING),
    HMS_GET("/polls/{pollId}/results", "polls.results", "List the results over all sessions",
            .scope = "polls:read", .params = poll_params, .query = results_query,
            .answers =
                HMS_ANSWER(200, "One page of results", .schema = HMS_PAGE("results", result)),
            .source = READING),
    HMS_GET("/polls/{pollId}/results/{resultId}", "polls.result", "Fetch one result",
            .scope = "polls:read", .params = result_params,
            .answers = HMS_ANSWER(200, "The result", .schema = HMS_OBJECT(result)),
            .source = READING),
    HMS_GET("/polls/{pollId}/responses", "polls.responses", "List the answers over all sessions",
            .scope = "polls:read", .params = poll_params, .query = responses_query,
            .answers =
                HMS_ANSWER(200, "One page of answers", .schema = HMS_PAGE("responses", response)),
            .source = READING),
    HMS_GET("/polls/{pollId}/responses/{responseId}", "polls.response", "Fetch one answer",
            .scope = "polls:read", .params = response_params,
            .answers = HMS_ANSWER(200, "The answer", .schema = HMS_OBJECT(response)),
            .source = READING),
    HMS_GET("/polls/{pollId}/sessions/{sessionId}", "polls.session",
            "List the runs of a poll in one session", .scope = "polls:read",
            .params = session_params, .query = sessions_query,
            .answers =
                HMS_ANSWER(200, "One page of runs", .schema = HMS_PAGE("responses", poll_session)),
            .source = READING),
    GR_GET("/polls/{pollId}/sessions/{sessionId}/results", "polls.session_results",
           "List the results of one session", .scope = "polls:read", .params = session_params,
           .query = results_query,
           .forward = GR_FORWARD(HMS_UPSTREAM, "/polls/{pollId}/results", OF_SESSION("results")),
           .answers = HMS_ANSWER(200, "One page of results", .schema = HMS_PAGE("results", result)),
           .doc = OF_SESSION_DOC, .source = READING),
    GR_GET("/polls/{pollId}/sessions/{sessionId}/results/{resultId}", "polls.session_result",
           "Fetch one result of a session", .scope = "polls:read", .params = session_result_params,
           .forward =
               GR_FORWARD(HMS_UPSTREAM, "/polls/{pollId}/results/{resultId}", OF_SESSION(NULL)),
           .answers = HMS_ANSWER(200, "The result", .schema = HMS_OBJECT(result)),
           .doc = "Answers 404 for a result of another session.", .source = READING),
    GR_GET("/polls/{pollId}/sessions/{sessionId}/responses", "polls.session_responses",
           "List the answers given in one session", .scope = "polls:read", .params = session_params,
           .query = responses_query,
           .forward =
               GR_FORWARD(HMS_UPSTREAM, "/polls/{pollId}/responses", OF_SESSION("responses")),
           .answers =
               HMS_ANSWER(200, "One page of answers", .schema = HMS_PAGE("responses", response)),
           .doc = OF_SESSION_DOC, .source = READING),
    GR_GET("/polls/{pollId}/sessions/{sessionId}/responses/{responseId}", "polls.session_response",
           "Fetch one answer of a session", .scope = "polls:read",
           .params = session_response_params,
           .forward =
               GR_FORWARD(HMS_UPSTREAM, "/polls/{pollId}/responses/{responseId}", OF_SESSION(NULL)),
           .answers = HMS_ANSWER(200, "The answer", .schema = HMS_OBJECT(response)),
           .doc = "Responds 404 for an answer of another session.", .source = READING),
    GR_END,
};

/* Checks ----------------------------------------------------------------------------------- */

/* An empty object would delete the whole content of the poll, question or option. */
static enum gr_err check_not_empty(struct gr_call *call, const json_t *parent, const json_t *value)
{
    (void)parent;
    if (json_object_size(value) > 0)
        return GR_OK;
    return gr_invalid(call, "", GR_PROBLEM_MISSING, "the whole new content, not {}");
}

static const char *const owns[] = {"/polls", NULL};

GR_PLUGIN("polls", .version = HMS_VERSION, .summary = "Polls and quizzes of 100ms rooms",
          .licence = HMS_LICENCE, .routes = routes, .owns = owns)
