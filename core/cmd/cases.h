/*
 * A file of contract cases, as tests/contract/README.md describes them: what a client sends, what
 * upstreams receive, what the client gets. `greenroom plugin test` runs them.
 */
#pragma once

#include <jansson.h>

/*
 * Reads a file. The result has "cases", in which those of "checks" are written out, and each
 * "receives" is a text. "config", "credentials" and "upstreams" are as in the file, {} when it has
 * none. A new reference; NULL with a malloc'ed reason that names file and case.
 */
json_t *grc_cases_load(const char *file, char **ret_reason);

/* The answer of an upstream when a case gives none. Its numbers and blanks would change if it were
 * parsed and printed again, so that a test sees when that happens. */
#define GRC_CASE_ANSWER "{\"answer\": \"of 100ms\",  \"n\": 1.50, \"none\": null, \"list\": [ ]}"

/* Returns the calls of a case in order, as an array, whether its "upstream" is one call, a list, or
 * absent. A new reference. */
json_t *grc_case_calls(const json_t *one);
/* Returns the body to send: "raw", or "body" as JSON. malloc'ed; NULL when there is none. */
char *grc_case_body(const json_t *object, size_t *ret_len);
