#include "upstream/internal.h"

#include "base/clock.h"

#include <stdlib.h>

#define MULTIS_MAX 64u
#define MULTI_CONNECTIONS 16L

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

static struct grc_multi *pop_multi(struct grc_upstreams *all)
{
    pthread_mutex_lock(&all->multi_lock);
    struct grc_multi *multi = all->multis;
    if (multi) {
        all->multis = multi->next;
        all->multi_count--;
    }
    pthread_mutex_unlock(&all->multi_lock);
    return multi;
}

static struct grc_multi *multi_new(void)
{
    struct grc_multi *multi = calloc(1, sizeof(*multi));

    if (!multi)
        return NULL;
    multi->multi = curl_multi_init();
    if (!multi->multi ||
        curl_multi_setopt(multi->multi, CURLMOPT_MAXCONNECTS, MULTI_CONNECTIONS) != CURLM_OK) {
        grc_multi_free(multi);
        return NULL;
    }
    return multi;
}

struct grc_multi *grc_multi_take(struct grc_upstreams *all)
{
    for (;;) {
        struct grc_multi *multi = pop_multi(all);
        if (!multi)
            return multi_new();
        if (!grc_sockets_stirred(&multi->sockets))
            return multi;
        grc_multi_free(multi);
    }
}

void grc_multi_give(struct grc_upstreams *all, struct grc_multi *multi)
{
    pthread_mutex_lock(&all->multi_lock);
    bool keep = all->multi_count < MULTIS_MAX;
    if (keep) {
        multi->next = all->multis;
        all->multis = multi;
        all->multi_count++;
    }
    pthread_mutex_unlock(&all->multi_lock);
    if (!keep)
        grc_multi_free(multi);
}

void grc_multi_free(struct grc_multi *multi)
{
    if (!multi)
        return;
    curl_multi_cleanup(multi->multi);
    free(multi);
}
