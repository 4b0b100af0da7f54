#include "upstream/idle.h"

#include "base/clock.h"
#include "base/thread.h"

bool grc_idle_init(struct grc_idle_list *list)
{
    *list = (struct grc_idle_list){.newest = NULL};
    return grc_mutex_init_short(&list->lock);
}

void grc_idle_done(struct grc_idle_list *list)
{
    pthread_mutex_destroy(&list->lock);
}

struct grc_idle *grc_idle_take(struct grc_idle_list *list)
{
    pthread_mutex_lock(&list->lock);
    struct grc_idle *idle = list->newest;
    if (idle) {
        list->newest = idle->older;
        if (list->newest)
            list->newest->newer = NULL;
        else
            list->oldest = NULL;
        idle->older = NULL;
    }
    pthread_mutex_unlock(&list->lock);
    return idle;
}

struct grc_idle *grc_idle_give(struct grc_idle_list *list, struct grc_idle *idle, int64_t max_ms)
{
    struct grc_idle *stale = NULL;
    int64_t now_ms = grc_mono_ms();

    idle->since_ms = now_ms;
    pthread_mutex_lock(&list->lock);
    idle->older = list->newest;
    idle->newer = NULL;
    if (list->newest)
        list->newest->newer = idle;
    else
        list->oldest = idle;
    list->newest = idle;
    if (list->oldest != idle && now_ms - list->oldest->since_ms > max_ms) {
        stale = list->oldest;
        list->oldest = stale->newer;
        list->oldest->older = NULL;
    }
    pthread_mutex_unlock(&list->lock);
    return stale;
}
