/*
 * The gateway's side of an isolated group: a thread of its own starts the group's process, reads
 * its answers, ends it when it hangs, and starts it again when it has ended. Calls wait for their
 * answers without holding a worker.
 */
#pragma once

#include "isolation/message.h"

struct grc_isolated;

/* Starts the process and waits until its init and start are done. Returns NULL, after a line in the
 * log, when they failed. plugin has to outlive the group. */
struct grc_isolated *grc_isolated_new(struct grc_plugin *plugin);
/* Tells the process to end its timers, and does not start it again. Thread-safe. */
void grc_isolated_quiet(struct grc_isolated *group);
/* Tells the process to end, and kills it if it does not. No call may be in it. NULL is allowed. */
void grc_isolated_free(struct grc_isolated *group);

/*
 * Runs a function of the group in its process, and copies the result into the call. Returns what
 * the function returned. When the process has ended or is not there, the call has failed with
 * GR_ERR_UPSTREAM_BROKEN or GR_ERR_OVERLOAD, which is returned.
 */
enum gr_err grc_isolated_ask(struct grc_isolated *group, struct grc_call *call, enum grc_ask ask);
/* Has the process render the call's error. If that is not possible, uses the text that it rendered
 * for this kind of error when it started. New reference; NULL stands for the host's own format. */
json_t *grc_isolated_render(struct grc_isolated *group, struct grc_call *call);

/* Appends what is known of the processes of all groups, as metrics. Thread-safe. */
void grc_isolated_report(struct grc_buf *out);
