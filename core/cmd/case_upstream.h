/* A scripted upstream on a loopback port, which answers the calls that a case expects. */
#pragma once

#include <jansson.h>
#include <stdbool.h>

struct grc_case_upstream;

/* Starts to listen, on a thread of its own. Returns NULL with errno set on failure. */
struct grc_case_upstream *grc_case_upstream_new(void);
/* Returns the address of the upstream of that name, "http://127.0.0.1:PORT/NAME", malloc'ed. */
char *grc_case_upstream_url(const struct grc_case_upstream *upstream, const char *name);
/* Forgets all requests so far, and answers those that follow as these calls say (see
 * grc_case_calls(); each has an "at"). A request that matches none of them is answered 500. Keeps
 * no reference to calls. */
void grc_case_upstream_expect(struct grc_case_upstream *upstream, const json_t *calls);
/* Returns the requests since grc_case_upstream_expect() in order, each with "at", "method",
 * "target", "body", "headers" (names in lower case), and "call", the index of the call that it was
 * matched to, or -1. A new reference. */
json_t *grc_case_upstream_received(struct grc_case_upstream *upstream);
/* NULL is fine. */
void grc_case_upstream_free(struct grc_case_upstream *upstream);
