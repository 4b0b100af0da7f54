/* The callbacks of RTMP servers at the begin, during, and at the end of a broadcast. */
#pragma once

#include "rig.h"

/* Fields of a callback, valid until the call ends. A field that was not sent has a NULL ptr. */
struct rig_notice {
    gr_str name;    /* the stream key */
    gr_str client;  /* id of the connection at the RTMP server */
    gr_str address; /* address of the publisher, as seen by the RTMP server */
};

/*
 * Reads the query of a GET, or the form or JSON object of a POST. When a field occurs several
 * times, the first one counts, because the server appends the query of the publisher to its own
 * fields. An error has failed the call.
 */
enum gr_err rig_notice_read(struct gr_call *call, struct rig_notice *ret_notice);

/* Handlers of the callbacks. */
gr_handler rig_on_connect;
gr_handler rig_on_publish;
gr_handler rig_on_update;
gr_handler rig_on_done;

/* Timer: ends broadcasts with an expired lease. */
enum gr_err rig_end_leases(struct gr_call *call);
