/* Threads that work for a loop, as the threads of CivetWeb do in the gateway. */
#pragma once

#include "loop/loop.h"

#include <pthread.h>
#include <stdatomic.h>

#define LOOP_WORKERS_MAX 8

struct loop_workers {
    struct grc_loop *loop;
    atomic_bool stop;
    unsigned count;
    pthread_t threads[LOOP_WORKERS_MAX];
};

void loop_workers_start(struct loop_workers *workers, struct grc_loop *loop, unsigned count);
void loop_workers_stop(struct loop_workers *workers);
