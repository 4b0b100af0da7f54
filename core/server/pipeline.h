/*
 * A request's way, as one list of steps with the same shape. Each step returns GR_OK to go on, or
 * an error that ends the way; a reply that exists already ends it too. The access log and the
 * metrics see every request, wherever it ended.
 */
#pragma once

#include "call/call.h"
#include "metrics/metrics.h"

typedef enum gr_err grc_step_fn(struct grc_call *call);

struct grc_step {
    const char *name;
    grc_step_fn *run;
    enum grc_reject reject; /* how a failure here is counted; GRC_REJECT_COUNT: not at all */
};

/* Ended by a step without name. */
extern const struct grc_step grc_steps[];

/* Serves one request on the given runtime, end to end: afterwards the reply is complete. Its slices
 * live until grc_pipeline_done(), which must follow. */
void grc_pipeline_serve(struct grc_runtime *runtime, struct grc_request *request,
                        struct grc_reply *reply, struct grc_call *call);
/* After the reply was written: access log, metrics, end of the call. */
void grc_pipeline_done(struct grc_call *call, size_t sent_bytes, bool ok);
