/* The steps of server/pipeline.c that have files of their own. Private to the pipeline. */
#pragma once

#include "call/call.h"

/* reply_headers.c */
/* Adds a header to the reply. Returns false if there is no room. value must live as long as the
 * call. */
bool grc_reply_add(struct grc_call *call, const char *name, gr_str value);
/* Adds a header whose value was made in call memory. A value without text means that there was no
 * memory for it, and the call fails. */
enum gr_err grc_reply_add_made(struct grc_call *call, const char *name, gr_str value);
/* The value of Allow for the path of the call, such as "GET, HEAD, OPTIONS", in call memory. */
gr_str grc_allow_text(struct grc_call *call);

/* pipeline.c: parsing the query; validating path and query */
enum gr_err grc_step_query(struct grc_call *call);
enum gr_err grc_step_params(struct grc_call *call);

/* cors.c: headers for pages of other origins, and the answer to OPTIONS */
enum gr_err grc_step_cors(struct grc_call *call);
enum gr_err grc_step_options(struct grc_call *call);

/* body.c: content type before and after authentication, reading, parsing and validation */
enum gr_err grc_step_content_type(struct grc_call *call);
enum gr_err grc_step_body_type(struct grc_call *call);
enum gr_err grc_step_body_read(struct grc_call *call);
enum gr_err grc_step_body_parse(struct grc_call *call);

/* access_log.c */
void grc_access_log(struct grc_call *call, size_t sent_bytes, bool ok, int64_t took_us);
