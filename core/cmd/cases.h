/*
 * A file of contract cases, as tests/contract/README.md describes them: what a client sends, what
 * upstreams receive, what the client gets. `greenroom plugin test` runs them.
 */
#pragma once

#include <jansson.h>

/*
 * Reads a file. The result has "cases", all in written form: those of "checks" are among them, and
 * each "receives" is a text. "config", "credentials" and "upstreams" are as in the file, {} when it
 * has none. A new reference; NULL with a malloc'ed reason that names file and case.
 */
json_t *grc_cases_load(const char *file, char **ret_reason);

/* What an upstream answers when a case does not say: numbers and gaps that a printer would change,
 * so that an answer that was parsed and printed again shows. */
#define GRC_CASE_ANSWER "{\"answer\": \"of 100ms\",  \"n\": 1.50, \"none\": null, \"list\": [ ]}"

/* The calls of a case in order, as an array: "upstream" is one, or a list, or absent. A new
 * reference. */
json_t *grc_case_calls(const json_t *one);
/* The body that goes out: "raw", or "body" as JSON. malloc'ed; NULL: none. */
char *grc_case_body(const json_t *object, size_t *ret_len);
