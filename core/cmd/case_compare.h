/* What a case expects beside what happened. */
#pragma once

#include "base/buf.h"

#include <jansson.h>

/* What the gateway's config says of upstreams, and of the credentials they name. */
struct grc_case_upstreams {
    const json_t *upstreams;   /* name: settings */
    const json_t *credentials; /* name: settings */
};

/* Appends a line for each difference between the calls that are expected and those that came: see
 * grc_case_calls() and grc_case_upstream_received(). one is the case. */
void grc_case_compare_calls(struct grc_buf *out, const json_t *one, const json_t *calls,
                            const json_t *received, const struct grc_case_upstreams *all);
/* The same for the answer, see grc_case_send(). */
void grc_case_compare_answer(struct grc_buf *out, const json_t *one, const json_t *calls,
                             const json_t *answer);
