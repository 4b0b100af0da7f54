/* What an RTMP server says when somebody starts, goes on with, and ends a broadcast. */
#pragma once

#include "rig.h"

/* Fields of a callback; empty when absent. In call memory or the host's. */
struct rig_notice {
    gr_str name; /* the stream key */
    gr_str call; /* "publish", "publish_done", "update_publish", "connect" */
    gr_str client;
    gr_str address;
};

/*
 * Reads a form or a JSON object. Of a field that stands several times the first one counts: the
 * server pastes the publisher's own query behind its own fields. GR_ERR_INVALID has failed the
 * call.
 */
enum gr_err rig_notice_read(struct gr_call *call, struct rig_notice *ret_notice);

/* Handlers of the callbacks. */
gr_handler rig_on_connect;
gr_handler rig_on_publish;
gr_handler rig_on_update;
gr_handler rig_on_done;

/* Ends broadcasts whose lease is over. */
enum gr_err rig_end_leases(struct gr_call *call);
