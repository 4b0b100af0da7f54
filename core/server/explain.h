/* Explains how a request would be handled, for `greenroom explain`. */
#pragma once

#include "runtime/runtime.h"

#include <jansson.h>

/* The request to explain. Texts are borrowed. */
struct grc_explain {
    const char *method;
    const char *target;         /* path and query, as a client would send them */
    const char *const *headers; /* "Name: value"; ends with NULL */
    gr_str body;                /* ptr NULL: none */
    const char *peer;           /* the client's address */
    bool serving; /* the runtime serves requests, so its limits have a current state */
};

/*
 * Finds the route and the caller, checks scope, limits, parameters and body, and finds the
 * upstream. Counts nothing and calls no upstream. Of a plugin's functions only the checks of its
 * rows run; the result of others is given as unknown. The runtime must be at stage
 * GRC_RUNTIME_READY at least. New reference; NULL without memory.
 *
 * Members: "request", "route", "params", "overrides", "caller", "scope", "limits", "body",
 * "upstream", "refusals" (all reasons for a refusal: the first one is the answer), "passes".
 */
json_t *grc_explain(struct grc_runtime *runtime, const struct grc_explain *asked);
/* The same for a request in JSON from the admin socket: {"method", "target", "headers", "body",
 * "peer"}. NULL also if that is malformed. */
json_t *grc_explain_json(struct grc_runtime *runtime, const json_t *asked);
