/*
 * Serves a request in a list of steps. A step that fails or makes a reply is the last one. The
 * access log and the metrics get every request, whichever step was its last.
 */
#pragma once

#include "call/call.h"
#include "metrics/metrics.h"

typedef enum gr_err grc_step_fn(struct grc_call *call);

struct grc_step {
    const char *name;
    grc_step_fn *run;
    enum grc_reject reject; /* how a failure is counted; GRC_REJECT_COUNT: not at all */
};

/* Ends with a step without a name. */
extern const struct grc_step grc_steps[];

/* Serves one request: afterwards the reply is complete. Its slices live until grc_pipeline_done(),
 * which must follow. */
void grc_pipeline_serve(struct grc_runtime *runtime, struct grc_request *request,
                        struct grc_reply *reply, struct grc_call *call);
/* Call it after the reply was written: writes the access log, counts the request and ends the call.
 */
void grc_pipeline_done(struct grc_call *call, size_t sent_bytes, bool ok);
