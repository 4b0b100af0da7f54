/* The lists of a poll: its runs, the responses of participants, and the computed results. */
#include "polls.h"
#include "routes.h"

static const struct gr_field poll_page_query[] = {
    SB_PAGE_FIELDS(1),
    GR_END,
};

static const struct gr_field results_query[] = {
    GR_FIELD("question", GR_INT, "Only items of this question"),
    SB_PAGE_FIELDS(1),
    GR_END,
};

static const struct gr_field responses_query[] = {
    GR_FIELD("question", GR_INT, "Only items of this question"),
    GR_FIELD("all", GR_BOOL, "Whether to list responses that were changed later, too",
             .default_doc = "false"),
    SB_PAGE_FIELDS(1),
    GR_END,
};

static bool of_poll(struct gr_call *call, struct sandbox *sb, const json_t *row)
{
    (void)sb;
    return sb_is(row, "poll_id", gr_param(call, "poll_id"));
}

/* Selects the runs of the poll, of one session or run when the path has one. */
static bool of_run(struct gr_call *call, struct sandbox *sb, const json_t *row)
{
    gr_str session = gr_param(call, "session_id");

    return of_poll(call, sb, row) &&
           (!session.len || sb_is(row, "session_id", session) || sb_is(row, "id", session));
}

static bool is_current(struct gr_call *call, struct sandbox *sb, const json_t *row)
{
    return of_poll(call, sb, row) &&
           (gr_str_eq(gr_query(call, "all"), GR_STR("true")) || !sb_true(row, ".changed"));
}

static enum gr_err reply_list_of_poll(struct gr_call *call, struct sandbox *sb,
                                      const struct sb_list *list)
{
    json_t *poll;
    enum gr_err err = sb_poll_of(call, sb, &poll);

    return err == GR_OK ? sb_reply_list(call, sb, list) : err;
}

static const struct sb_filter by_question[] = {
    {"question", "question", SB_NUMBER, NULL},
    {0},
};

static enum gr_err polls_sessions(struct gr_call *call, struct sandbox *sb)
{
    static const struct sb_list list = {.collection = "poll_sessions",
                                        .items = "responses",
                                        .limit_default = 10,
                                        .oldest_first = true,
                                        .keep = of_run};

    return reply_list_of_poll(call, sb, &list);
}

static enum gr_err polls_results(struct gr_call *call, struct sandbox *sb)
{
    static const struct sb_list list = {.collection = "poll_results",
                                        .items = "results",
                                        .filters = by_question,
                                        .limit_default = 10,
                                        .oldest_first = true,
                                        .keep = of_poll};

    return reply_list_of_poll(call, sb, &list);
}

static enum gr_err polls_responses(struct gr_call *call, struct sandbox *sb)
{
    static const struct sb_list list = {.collection = "poll_responses",
                                        .items = "responses",
                                        .filters = by_question,
                                        .limit_default = 10,
                                        .oldest_first = true,
                                        .keep = is_current};

    return reply_list_of_poll(call, sb, &list);
}

static enum gr_err reply_one(struct gr_call *call, struct sandbox *sb, const char *collection,
                             const char *param, const char *missing)
{
    json_t *row = sb_find(sb, collection, gr_param(call, param));

    return row && of_poll(call, sb, row) ? sb_reply_row(call, sb, row)
                                         : sb_error(call, 404, missing, NULL);
}

static enum gr_err polls_result(struct gr_call *call, struct sandbox *sb)
{
    return reply_one(call, sb, "poll_results", "result_id", "result not found");
}

static enum gr_err polls_response(struct gr_call *call, struct sandbox *sb)
{
    return reply_one(call, sb, "poll_responses", "response_id", "response not found");
}

const struct gr_route sb_poll_result_routes[] = {
    SB_GET("/polls/{poll_id}/sessions", "polls.sessions", "List the runs of a poll",
           .query = poll_page_query, SB_RUN(polls_sessions)),
    SB_GET("/polls/{poll_id}/sessions/{session_id}", "polls.session",
           "List the runs of a poll in one session", .query = poll_page_query,
           SB_RUN(polls_sessions)),
    SB_GET("/polls/{poll_id}/results", "polls.results", "List results", .query = results_query,
           SB_RUN(polls_results)),
    SB_GET("/polls/{poll_id}/results/{result_id}", "polls.result", "Fetch a result",
           SB_RUN(polls_result)),
    SB_GET("/polls/{poll_id}/responses", "polls.responses", "List responses",
           .query = responses_query, SB_RUN(polls_responses)),
    SB_GET("/polls/{poll_id}/responses/{response_id}", "polls.response", "Fetch a response",
           SB_RUN(polls_response)),
    GR_END,
};
