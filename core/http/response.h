/* The head of an answer, as it is sent. */
#pragma once

#include "http/message.h"

/* The Date header, formatted once a second. Used by one thread at a time. */
struct grc_date {
    int64_t second;
    char text[32];
};

/* Appends the status line, the headers and the empty line. keep_alive decides the Connection
 * header. Omits headers with control characters. */
enum gr_err grc_response_head(struct grc_buf *out, const struct grc_request *request,
                              const struct grc_reply *reply, bool keep_alive,
                              struct grc_date *date);
/* The body to send: empty for HEAD, 204 and 304. */
gr_str grc_response_body(const struct grc_request *request, const struct grc_reply *reply);
