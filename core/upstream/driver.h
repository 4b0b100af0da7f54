/*
 * Drives a multi handle of libcurl's in pieces. libcurl names the sockets that it waits for; an
 * epoll of the driver's own makes them one descriptor, so that a fiber can wait for all of them
 * without holding a thread. Used by one thread at a time.
 */
#pragma once

#include "loop/wait.h"

#include <curl/curl.h>
#include <stdbool.h>

struct grc_driver {
    CURLM *multi;   /* NULL: not begun */
    int epoll;      /* good while multi is */
    int64_t due_ms; /* when libcurl wants to look at its timers; GRC_NEVER_MS: not */
};

/* The driver stays where it is until grc_driver_end(). False without memory or descriptors, with
 * nothing to be ended. */
bool grc_driver_begin(struct grc_driver *driver);
/* Its easy handles are removed, or are to be. One that was never begun (zeroed) is fine. */
void grc_driver_end(struct grc_driver *driver);

/* Adds an easy handle; the next grc_driver_act() starts it. */
CURLMcode grc_driver_add(struct grc_driver *driver, CURL *easy);
/* Lets libcurl do what can be done without waiting. */
CURLMcode grc_driver_act(struct grc_driver *driver);
/* Waits until there may be more to do, or until deadline_ms. */
enum grc_woken grc_driver_wait(struct grc_driver *driver, int64_t deadline_ms, enum grc_waits what);
/* The next easy handle that has come to an end, with libcurl's word on it; NULL: none has. */
CURL *grc_driver_next_done(struct grc_driver *driver, CURLcode *ret_code);

/* Takes the multi out, for a connection that lives on in it. The driver is as if never begun. */
CURLM *grc_driver_take(struct grc_driver *driver);
