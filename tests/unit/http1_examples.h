/* Answers of upstreams as they come over the wire, with what is to be made of them: the decisions
 * of the HTTP/1.1 transport, one a line. */
#pragma once

#include <greenroom/plugin.h>

/* The limit that the examples are made for. */
#define HTTP1_BODY_MAX 1000u

struct http1_example {
    const char *name;
    gr_str bytes;
    const char *body; /* NULL: it is broken */
    int status;
    const char *reason; /* when broken */
    bool kept;
    bool closes;  /* the upstream closes behind it */
    bool to_head; /* answer to a HEAD request */
    const char *fields;
    bool curl_takes_it; /* libcurl 7.88 or 8.14 accepts what the gateway refuses */
};

extern const struct http1_example http1_examples[];
extern const size_t http1_example_count;
