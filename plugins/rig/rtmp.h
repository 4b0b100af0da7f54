/* What an RTMP server reports when a broadcast starts, goes on, and ends. */
#pragma once

#include "rig.h"

/* Fields of a callback. A field that was not sent has a NULL ptr. In call memory or the host's. */
struct rig_notice {
    gr_str name;    /* the stream key */
    gr_str client;  /* number of the connection at the RTMP server */
    gr_str address; /* of the publisher, as the RTMP server sees it */
};

/*
 * Reads the query of a GET, and the form or the JSON object of a POST. Of a field that is sent
 * several times the first one counts: the server appends the publisher's own query to its own
 * fields. An error has failed the call.
 */
enum gr_err rig_notice_read(struct gr_call *call, struct rig_notice *ret_notice);

/* Handlers of the callbacks. */
gr_handler rig_on_connect;
gr_handler rig_on_publish;
gr_handler rig_on_update;
gr_handler rig_on_done;

/* Ends broadcasts whose lease is over. */
enum gr_err rig_end_leases(struct gr_call *call);
