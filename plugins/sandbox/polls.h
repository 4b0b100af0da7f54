/* Handlers and fields of the poll routes; see polls.inc. */
#pragma once

#include "fields.h"
#include "sandbox.h"

gr_handler sb_polls_create;
gr_handler sb_polls_get;
gr_handler sb_polls_update;
gr_handler sb_polls_question_put;
gr_handler sb_polls_question_delete;
gr_handler sb_polls_option_put;
gr_handler sb_polls_option_delete;
gr_handler sb_polls_sessions;
gr_handler sb_polls_results;
gr_handler sb_polls_result;
gr_handler sb_polls_responses;
gr_handler sb_polls_response;
gr_handler sb_polls_start;
gr_handler sb_polls_stop;
gr_handler sb_polls_respond;

/* The poll of the path; fails the call with 404 when there is none. */
enum gr_err sb_poll_of(struct gr_call *call, struct sandbox *sb, json_t **ret_poll);

extern const struct gr_field sb_poll_fields[];
extern const struct gr_field sb_question_fields[];
extern const struct gr_field sb_option_fields[];
extern const struct gr_field sb_poll_page_query[];
extern const struct gr_field sb_results_query[];
extern const struct gr_field sb_responses_query[];
extern const struct gr_field sb_poll_run_fields[];
extern const struct gr_field sb_respond_fields[];
