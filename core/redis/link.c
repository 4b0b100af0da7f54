#include "redis/link.h"

#include "base/clock.h"
#include "base/format.h"
#include "base/log.h"
#include "base/secure.h"
#include "base/thread.h"

#include <stdio.h>

#define STACK_BYTES ((size_t)256 * 1024)
/* How often an idle connection is tried, so that a loss is known before a request needs it. */
#define PROBE_MS 1000
#define PAUSE_FIRST_MS 100
#define PAUSE_MAX_MS 5000

/* --- the state --- */

/* Tells requests and operators once that something has changed. */
static void set_state(struct grc_redis_link *link, enum grc_redis_state state, const char *reason)
{
    pthread_mutex_lock(&link->lock);
    int before = atomic_load(&link->state);
    snprintf(link->reason, sizeof(link->reason), "%s", reason);
    atomic_store_explicit(&link->state, state, memory_order_release);
    pthread_cond_broadcast(&link->changed);
    pthread_mutex_unlock(&link->lock);
    if (before == (int)state)
        return;
    if (state == GRC_REDIS_AWAY)
        grc_log_fields(
            GR_LOG_ERROR, link->use->lost,
            GRC_LOG_FIELDS(GRC_LT("reason", reason), GRC_LT("meanwhile", link->meanwhile)));
    else
        grc_info("%s", link->use->reached);
}

bool grc_redis_link_is_reached(struct grc_redis_link *link)
{
    return atomic_load_explicit(&link->state, memory_order_acquire) == GRC_REDIS_REACHED &&
           !atomic_load_explicit(&link->late, memory_order_relaxed);
}

void grc_redis_link_late(struct grc_redis_link *link)
{
    atomic_store_explicit(&link->late, true, memory_order_relaxed);
}

bool grc_redis_link_works(struct grc_redis_link *link, char *ret_reason, size_t size)
{
    pthread_mutex_lock(&link->lock);
    bool works = atomic_load(&link->state) == GRC_REDIS_REACHED;
    snprintf(ret_reason, size, "%s", works ? "" : link->reason);
    pthread_mutex_unlock(&link->lock);
    return works;
}

/* --- the connection --- */

void grc_redis_link_used(struct grc_redis_link *link)
{
    link->next_probe_ms = grc_mono_ms() + PROBE_MS;
}

void grc_redis_link_drop(struct grc_redis_link *link, const char *reason)
{
    grc_redis_close(link->redis);
    link->redis = NULL;
    link->use->failed(link->arg);
    link->pause_ms = link->pause_ms ? link->pause_ms * 2 : PAUSE_FIRST_MS;
    if (link->pause_ms > PAUSE_MAX_MS)
        link->pause_ms = PAUSE_MAX_MS;
    /* Gateways that lost the server at the same moment do not come back at the same moment. */
    link->next_try_ms = grc_mono_ms() + link->pause_ms / 2 +
                        (int64_t)(grc_random_fast() % (uint64_t)link->pause_ms);
    set_state(link, GRC_REDIS_AWAY, reason);
}

static bool probe(struct grc_redis_link *link, bool is_new, char reason[GRC_REDIS_REASON])
{
    snprintf(reason, GRC_REDIS_REASON, "out of memory");
    bool fine = link->use->probe(link->arg, is_new, reason);
    grc_redis_link_used(link);
    return fine;
}

static void connect_again(struct grc_redis_link *link)
{
    char reason[GRC_REDIS_REASON];

    link->redis = grc_redis_connect(&link->url, link->settings->ca_file, link->settings->timeout_ms,
                                    &link->use->sizes, reason);
    if (!link->redis || !probe(link, true, reason)) {
        grc_redis_link_drop(link, reason);
        return;
    }
    link->pause_ms = 0;
    if (link->use->connected)
        link->use->connected(link->arg);
    atomic_store(&link->late, false);
    set_state(link, GRC_REDIS_REACHED, "");
}

bool grc_redis_link_call(struct grc_redis_link *link, const struct grc_redis_called *called,
                         const gr_str *words, size_t keys, size_t count)
{
    return grc_redis_call(link->redis, &called->script, called->whole, words, keys, count);
}

bool grc_redis_link_answered(struct grc_redis_called *called, enum grc_redis_answer answer)
{
    called->whole = answer == GRC_REDIS_NO_SCRIPT;
    return answer == GRC_REDIS_ANSWERED || answer == GRC_REDIS_NO_SCRIPT;
}

/* --- the thread --- */

static bool stopping(struct grc_redis_link *link)
{
    pthread_mutex_lock(&link->lock);
    bool stops = link->stopping;
    pthread_mutex_unlock(&link->lock);
    return stops;
}

/* Waits for work, for the next probe, or for the next attempt to connect. */
static void rest(struct grc_redis_link *link)
{
    int64_t until_ms = link->redis ? link->next_probe_ms : link->next_try_ms;
    int64_t work_ms = link->use->next_ms ? link->use->next_ms(link->arg) : GRC_REDIS_NEVER_MS;
    bool in_time = true;

    if (work_ms < until_ms)
        until_ms = work_ms;
    pthread_mutex_lock(&link->lock);
    while (in_time && !link->woken && !link->stopping)
        in_time = grc_cond_wait_until(&link->changed, &link->lock, until_ms);
    link->woken = false;
    pthread_mutex_unlock(&link->lock);
}

static void *keep(void *arg)
{
    struct grc_redis_link *link = arg;
    char reason[GRC_REDIS_REASON];

    while (!stopping(link)) {
        int64_t now_ms = grc_mono_ms();

        if (!link->redis && now_ms >= link->next_try_ms)
            connect_again(link);
        else if (link->redis && now_ms >= link->next_probe_ms && !probe(link, false, reason))
            grc_redis_link_drop(link, reason);
        if (link->redis && atomic_load(&link->late))
            grc_redis_link_drop(link, link->use->late);
        link->use->work(link->arg);
        rest(link);
    }
    link->use->end(link->arg);
    grc_redis_close(link->redis);
    link->redis = NULL;
    return NULL;
}

void grc_redis_link_wake(struct grc_redis_link *link)
{
    if (link->woken)
        return;
    link->woken = true;
    pthread_cond_broadcast(&link->changed);
}

/* --- life --- */

bool grc_redis_link_init(struct grc_redis_link *link, char **ret_reason)
{
    char reason[GRC_REDIS_REASON] = "out of memory";

    pthread_mutex_init(&link->lock, NULL);
    pthread_cond_init(&link->changed, NULL);
    snprintf(link->reason, sizeof(link->reason), "it was not asked yet");
    const char *problem =
        grc_redis_load(reason) ? grc_redis_url_parse(link->settings->url, &link->url) : reason;
    return !problem || grc_refuse(ret_reason, "%s", problem);
}

bool grc_redis_link_start(struct grc_redis_link *link)
{
    /* A connection, its login and the probe take at most their timeout each. */
    int64_t until_ms = grc_mono_ms() + 4 * link->settings->timeout_ms;

    link->running = grc_thread_start(&link->thread, STACK_BYTES, keep, link);
    if (!link->running)
        return false;
    pthread_mutex_lock(&link->lock);
    while (atomic_load(&link->state) == GRC_REDIS_STARTING &&
           grc_cond_wait_until(&link->changed, &link->lock, until_ms))
        continue;
    pthread_mutex_unlock(&link->lock);
    return true;
}

void grc_redis_link_stop(struct grc_redis_link *link)
{
    if (!link->running)
        return;
    pthread_mutex_lock(&link->lock);
    link->stopping = true;
    pthread_cond_broadcast(&link->changed);
    pthread_mutex_unlock(&link->lock);
    pthread_join(link->thread, NULL);
    link->running = false;
}

void grc_redis_link_done(struct grc_redis_link *link)
{
    pthread_mutex_destroy(&link->lock);
    pthread_cond_destroy(&link->changed);
    grc_redis_url_done(&link->url);
}
