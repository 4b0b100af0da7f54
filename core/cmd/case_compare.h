/* Compares what happened with what a case expects. */
#pragma once

#include "base/buf.h"

#include <jansson.h>

/* The upstreams of the gateway's config, and the credentials that they name. */
struct grc_case_upstreams {
    const json_t *upstreams;   /* name: settings */
    const json_t *credentials; /* name: settings */
};

/* Appends a line for each difference between the calls that the case `one` expects, as in
 * grc_case_calls(), and those that came, as in grc_case_upstream_received(). */
void grc_case_compare_calls(struct grc_buf *out, const json_t *one, const json_t *calls,
                            const json_t *received, const struct grc_case_upstreams *all);
/* The same for the answer from grc_case_send(). */
void grc_case_compare_answer(struct grc_buf *out, const json_t *one, const json_t *calls,
                             const json_t *answer);
