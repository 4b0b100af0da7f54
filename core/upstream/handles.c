#include "upstream/internal.h"

#include <stdlib.h>

#define MULTIS_MAX 64u
#define MULTI_CONNECTIONS 16L

void grc_handles_free(struct grc_idle_list *pool)
{
    for (;;) {
        struct grc_handle *handle = (struct grc_handle *)grc_idle_take(pool);
        if (!handle)
            return;
        grc_handle_free(handle);
    }
}

struct grc_handle *grc_handles_take(struct grc_upstream *upstream, struct grc_idle_list *pool)
{
    for (;;) {
        struct grc_handle *handle = (struct grc_handle *)grc_idle_take(pool);
        if (!handle)
            return grc_handle_new(upstream);
        if (!grc_sockets_stirred(&handle->sockets) && grc_handle_renew(handle))
            return handle;
        grc_handle_free(handle);
    }
}

void grc_handles_give(struct grc_idle_list *pool, struct grc_handle *handle, int64_t idle_ms)
{
    grc_handle_free((struct grc_handle *)grc_idle_give(pool, &handle->idle, idle_ms));
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
    multi->multi = grc_curl()->multi_init();
    if (!multi->multi ||
        grc_multi_setopt(multi->multi, CURLMOPT_MAXCONNECTS, MULTI_CONNECTIONS) != CURLM_OK) {
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
    grc_curl()->multi_cleanup(multi->multi);
    free(multi);
}
