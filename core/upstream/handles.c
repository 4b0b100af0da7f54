#include "upstream/internal.h"

#include "base/clock.h"

#include <stdlib.h>

#define CREWS_MAX 64u
#define CREW_CONNECTIONS 16L

bool grc_handles_init(struct grc_handles *pool)
{
    *pool = (struct grc_handles){0};
    return pthread_mutex_init(&pool->lock, NULL) == 0;
}

void grc_handles_done(struct grc_handles *pool)
{
    while (pool->newest) {
        struct grc_handle *handle = pool->newest;
        pool->newest = handle->older;
        grc_handle_free(handle);
    }
    pthread_mutex_destroy(&pool->lock);
}

static struct grc_handle *pop(struct grc_handles *pool)
{
    pthread_mutex_lock(&pool->lock);
    struct grc_handle *handle = pool->newest;
    if (handle) {
        pool->newest = handle->older;
        if (pool->newest)
            pool->newest->newer = NULL;
        else
            pool->oldest = NULL;
        handle->older = NULL;
    }
    pthread_mutex_unlock(&pool->lock);
    return handle;
}

struct grc_handle *grc_handles_take(struct grc_upstream *upstream, struct grc_handles *pool)
{
    for (;;) {
        struct grc_handle *handle = pop(pool);
        if (!handle)
            return grc_handle_new(upstream);
        if (!grc_sockets_stirred(&handle->sockets))
            return handle;
        grc_handle_free(handle);
    }
}

void grc_handles_give(struct grc_handles *pool, struct grc_handle *handle, int64_t idle_ms)
{
    struct grc_handle *stale = NULL;
    int64_t now_ms = grc_mono_ms();

    handle->idle_since_ms = now_ms;
    pthread_mutex_lock(&pool->lock);
    handle->older = pool->newest;
    handle->newer = NULL;
    if (pool->newest)
        pool->newest->newer = handle;
    else
        pool->oldest = handle;
    pool->newest = handle;
    /* One at a time is enough: a handle comes back more often than one goes stale. */
    if (pool->oldest != handle && now_ms - pool->oldest->idle_since_ms > idle_ms) {
        stale = pool->oldest;
        pool->oldest = stale->newer;
        pool->oldest->older = NULL;
    }
    pthread_mutex_unlock(&pool->lock);
    grc_handle_free(stale);
}

static struct grc_crew *pop_crew(struct grc_upstreams *all)
{
    pthread_mutex_lock(&all->crew_lock);
    struct grc_crew *crew = all->crews;
    if (crew) {
        all->crews = crew->next;
        all->crew_count--;
    }
    pthread_mutex_unlock(&all->crew_lock);
    return crew;
}

static struct grc_crew *crew_new(void)
{
    struct grc_crew *crew = calloc(1, sizeof(*crew));

    if (!crew)
        return NULL;
    crew->multi = curl_multi_init();
    if (!crew->multi ||
        curl_multi_setopt(crew->multi, CURLMOPT_MAXCONNECTS, CREW_CONNECTIONS) != CURLM_OK) {
        grc_crew_free(crew);
        return NULL;
    }
    return crew;
}

struct grc_crew *grc_crew_take(struct grc_upstreams *all)
{
    for (;;) {
        struct grc_crew *crew = pop_crew(all);
        if (!crew)
            return crew_new();
        if (!grc_sockets_stirred(&crew->sockets))
            return crew;
        grc_crew_free(crew);
    }
}

void grc_crew_give(struct grc_upstreams *all, struct grc_crew *crew)
{
    pthread_mutex_lock(&all->crew_lock);
    bool keep = all->crew_count < CREWS_MAX;
    if (keep) {
        crew->next = all->crews;
        all->crews = crew;
        all->crew_count++;
    }
    pthread_mutex_unlock(&all->crew_lock);
    if (!keep)
        grc_crew_free(crew);
}

void grc_crew_free(struct grc_crew *crew)
{
    if (!crew)
        return;
    curl_multi_cleanup(crew->multi);
    free(crew);
}
