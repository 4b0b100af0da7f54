/* What would become of a request, without serving it: greenroom explain. */
#pragma once

#include "runtime/runtime.h"

#include <jansson.h>

/* The request that is asked about. Texts are borrowed. */
struct grc_explain {
    const char *method;
    const char *target;         /* path and query, as a client would send them */
    const char *const *headers; /* "Name: value"; ended by NULL */
    gr_str body;                /* ptr NULL: none */
    const char *peer;           /* the client's address */
    bool serving; /* the runtime serves, so that what is left of its limits means something */
};

/*
 * Says which route it meets, whose caller it is, what the limits, the rows and the config say of
 * it, and where it would go. Nothing is counted, no upstream is called, and no function of a plugin
 * runs but the checks of its rows: what a group decides by a rule of its own is said to be unknown.
 * The runtime has to be of stage GRC_RUNTIME_CHECK at least. New reference; NULL without memory.
 *
 * Members: "request", "route", "params", "overrides", "caller", "scope", "limits", "body",
 * "upstream", "refusals" (each what ends the way of the request: the first one is the answer),
 * "passes".
 */
json_t *grc_explain(struct grc_runtime *runtime, const struct grc_explain *asked);
/* The same, asked in JSON by a command of another process: {"method", "target", "headers", "body",
 * "peer"}. NULL also when it is not of that shape. */
json_t *grc_explain_json(struct grc_runtime *runtime, const json_t *asked);
