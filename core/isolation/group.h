/*
 * The gateway's side of an isolated group: a thread of its own starts the group's process, reads
 * its answers, ends it when it hangs, and starts it again when it has ended. Calls wait for their
 * answers without holding a worker.
 */
#pragma once

#include "isolation/message.h"

struct grc_isolated;

/* Starts the process and waits until its init and start are done. NULL when they failed, which the
 * log says. plugin outlives it. */
struct grc_isolated *grc_isolated_new(struct grc_plugin *plugin);
/* Tells the process to end its timers, and does not start it again. Thread-safe. */
void grc_isolated_quiet(struct grc_isolated *group);
/* Lets the process end in order, and ends it when it does not. No call is in it. NULL is fine. */
void grc_isolated_free(struct grc_isolated *group);

/*
 * Has a function of the group called, and puts what it made of the call into the call. Returns what
 * the function returned; GR_ERR_UPSTREAM_BROKEN or GR_ERR_OVERLOAD, with which the call has failed,
 * when the process ended or is not there.
 */
enum gr_err grc_isolated_ask(struct grc_isolated *group, struct grc_call *call, enum grc_ask ask);
/* Has the call's error rendered; where that cannot be, the text that the process had made for this
 * kind of error when it started. New reference; NULL: the host's own format. */
json_t *grc_isolated_render(struct grc_isolated *group, struct grc_call *call);

/* Appends what is known of the processes of all groups, as metrics. Thread-safe. */
void grc_isolated_report(struct grc_buf *out);
