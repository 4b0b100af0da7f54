#include "unit/loop_workers.h"

#include "loop/turn.h"

#include <stdlib.h>

static void *work(void *arg)
{
    struct loop_workers *workers = arg;

    grc_turns_join(workers->loop);
    while (!atomic_load(&workers->stop))
        grc_loop_step(workers->loop, -1);
    grc_turns_leave();
    return NULL;
}

void loop_workers_start(struct loop_workers *workers, struct grc_loop *loop, unsigned count)
{
    workers->loop = loop;
    atomic_init(&workers->stop, false);
    workers->count = 0;
    while (workers->count < count) {
        if (pthread_create(&workers->threads[workers->count], NULL, work, workers) != 0)
            abort();
        workers->count++;
    }
}

void loop_workers_stop(struct loop_workers *workers)
{
    atomic_store(&workers->stop, true);
    grc_loop_stop(workers->loop);
    for (unsigned i = 0; i < workers->count; i++)
        pthread_join(workers->threads[i], NULL);
}
