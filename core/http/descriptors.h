/*
 * How the descriptors that the process may have are shared out: workers have one each, connections
 * of clients have one, and so has each call to an upstream. The rest is for files, the store, and
 * the admin listener, which answers under any load of the others.
 */
#pragma once

#include "config/settings.h"

struct grc_descriptors {
    int64_t limit;             /* of the process (RLIMIT_NOFILE) */
    int64_t wanted;            /* by the settings */
    unsigned workers;          /* no more than the settings say */
    unsigned admin_workers;    /* likewise */
    unsigned connections_max;  /* of clients, on all listeners but the admin's */
    unsigned connections_over; /* so many more are accepted, to refuse their requests */
    unsigned admin_connections_max;
};

/* Shares out the descriptors of the limit that holds now. */
void grc_descriptors_share(const struct grc_settings *settings, struct grc_descriptors *ret);
/* Warns in the log when the limit is lower than the settings want. */
void grc_descriptors_warn(const struct grc_settings *settings);
