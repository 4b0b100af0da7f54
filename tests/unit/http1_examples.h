/* Answers as upstreams send them, and how the HTTP/1.1 transport has to read each of them. */
#pragma once

#include <greenroom/plugin.h>

/* The limit that the examples are made for. */
#define HTTP1_BODY_MAX 1000u

struct http1_example {
    const char *name;
    gr_str bytes;
    const char *body; /* NULL: the answer is refused */
    int status;
    const char *reason; /* the reason when it is refused */
    bool kept;
    bool closes;  /* the upstream closes the connection after it */
    bool to_head; /* answer to a HEAD request */
    const char *fields;
    bool curl_takes_it; /* libcurl 7.88 or 8.14 accepts what the gateway refuses */
};

extern const struct http1_example http1_examples[];
extern const size_t http1_example_count;
