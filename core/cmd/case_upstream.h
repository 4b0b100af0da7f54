/* A scripted upstream on a port of loopback: takes the calls that a case expects. */
#pragma once

#include <jansson.h>
#include <stdbool.h>

struct grc_case_upstream;

/* Listens, on a thread of its own. NULL with errno set. */
struct grc_case_upstream *grc_case_upstream_new(void);
/* "http://127.0.0.1:PORT/NAME": the upstream of that name; malloc'ed. */
char *grc_case_upstream_url(const struct grc_case_upstream *upstream, const char *name);
/* Forgets what came, and from now on answers as these calls say (see grc_case_calls(); each has an
 * "at"). What none of them expects is answered 500. Keeps no reference to calls. */
void grc_case_upstream_expect(struct grc_case_upstream *upstream, const json_t *calls);
/* What came since then, in order: {"at", "method", "target", "body", "headers": {lower case: text},
 * "call": index of the call that it was taken for, or -1}. A new reference. */
json_t *grc_case_upstream_received(struct grc_case_upstream *upstream);
/* NULL is fine. */
void grc_case_upstream_free(struct grc_case_upstream *upstream);
