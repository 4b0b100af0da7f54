/*
 * Drives a multi handle of libcurl step by step. The sockets that libcurl waits for go into an
 * epoll of the driver, so that a fiber can wait for all of them on one descriptor without holding a
 * thread. Used by one thread at a time, except for grc_driver_wake().
 */
#pragma once

#include "loop/wait.h"
#include "upstream/libcurl.h"

#include <stdbool.h>

struct grc_driver {
    CURLM *multi;   /* NULL: not begun */
    int epoll;      /* open while multi is not NULL */
    int alarm;      /* an eventfd in the epoll, which grc_driver_wake() sets; -1: none */
    int64_t due_ms; /* when libcurl's next timer is due, or GRC_NEVER_MS */
};

/* Begins a driver, which must stay at its address until grc_driver_end(). Returns false without
 * memory or descriptors; there is nothing to end then. */
bool grc_driver_begin(struct grc_driver *driver);
/* Begins a driver whose wait another thread can end. */
bool grc_driver_begin_shared(struct grc_driver *driver);
/* Ends the wait for the epoll of a shared driver. Thread-safe. */
void grc_driver_wake(const struct grc_driver *driver);
/* Ends a driver, from which all easy handles were removed. Does nothing with a zeroed one. */
void grc_driver_end(struct grc_driver *driver);

/* Adds an easy handle; the next grc_driver_act() starts it. */
CURLMcode grc_driver_add(struct grc_driver *driver, CURL *easy);
/* Lets libcurl do what can be done without waiting. */
CURLMcode grc_driver_act(struct grc_driver *driver);
/* Waits until there may be more to do, or until deadline_ms. */
enum grc_woken grc_driver_wait(struct grc_driver *driver, int64_t deadline_ms, enum grc_waits what);
/* Returns the next easy handle that has finished, with libcurl's code; NULL when none has. */
CURL *grc_driver_next_done(struct grc_driver *driver, CURLcode *ret_code);

/* Takes the multi out of the driver, for a connection that stays in it. Ends the driver. */
CURLM *grc_driver_take(struct grc_driver *driver);
