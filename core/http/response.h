/* The head of an answer, as it goes over the wire. */
#pragma once

#include "http/message.h"

/* The Date header, formatted once a second. One per thread. */
struct grc_date {
    int64_t second;
    char text[32];
};

/* Appends status line and headers, with the empty line. keep_alive fills the Connection header.
 * Headers with control characters are left out. */
enum gr_err grc_response_head(struct grc_buf *out, const struct grc_request *request,
                              const struct grc_reply *reply, bool keep_alive,
                              struct grc_date *date);
/* The part of the body that is sent: nothing for HEAD, 204 and 304. */
gr_str grc_response_body(const struct grc_request *request, const struct grc_reply *reply);
