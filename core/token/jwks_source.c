/* Fetched key sets: the process has one for each URL. */
#include "token/jwks.h"

#include "base/clock.h"
#include "base/log.h"
#include "loop/wait.h"

#include <pthread.h>
#include <stdlib.h>

#define EVERY_MS 30000
#define WAIT_MS 5000
/* Limited, so that clients with made-up key ids cannot fill the gateway with waiting calls. */
#define WAITERS_MAX 16u

struct grc_jwks_source {
    struct grc_jwks_source *next;
    char *url;
    unsigned refs; /* guarded by sources_mutex */
    pthread_mutex_t mutex;
    struct grc_queue done;
    struct grc_jwks *set;
    bool busy;
    bool tried;
    unsigned waiters;
    int64_t tried_ms;   /* monotonic */
    int64_t fetched_ms; /* of set */
};

static struct grc_jwks_source *sources;
static pthread_mutex_t sources_mutex = PTHREAD_MUTEX_INITIALIZER;

static struct grc_jwks_source *source_new(const char *url)
{
    struct grc_jwks_source *source = calloc(1, sizeof(*source));

    if (!source)
        return NULL;
    source->url = strdup(url);
    if (!source->url) {
        free(source);
        return NULL;
    }
    pthread_mutex_init(&source->mutex, NULL);
    return source;
}

static void source_free(struct grc_jwks_source *source)
{
    grc_jwks_unref(source->set);
    pthread_mutex_destroy(&source->mutex);
    free(source->url);
    free(source);
}

struct grc_jwks_source *grc_jwks_source_get(const char *url)
{
    struct grc_jwks_source *source;

    pthread_mutex_lock(&sources_mutex);
    for (source = sources; source && strcmp(source->url, url) != 0; source = source->next)
        ;
    if (!source) {
        source = source_new(url);
        if (source) {
            source->next = sources;
            sources = source;
        }
    }
    if (source)
        source->refs++;
    pthread_mutex_unlock(&sources_mutex);
    return source;
}

void grc_jwks_source_put(struct grc_jwks_source *source)
{
    struct grc_jwks_source **at = &sources;

    if (!source)
        return;
    pthread_mutex_lock(&sources_mutex);
    bool last = --source->refs == 0;
    while (last && *at != source)
        at = &(*at)->next;
    if (last)
        *at = source->next;
    pthread_mutex_unlock(&sources_mutex);
    if (last)
        source_free(source);
}

struct grc_jwks *grc_jwks_source_set(struct grc_jwks_source *source)
{
    pthread_mutex_lock(&source->mutex);
    struct grc_jwks *set = source->set ? grc_jwks_ref(source->set) : NULL;
    pthread_mutex_unlock(&source->mutex);
    return set;
}

bool grc_jwks_source_stale(struct grc_jwks_source *source, int64_t now_ms, int64_t max_age_ms)
{
    pthread_mutex_lock(&source->mutex);
    bool stale = source->set && now_ms - source->fetched_ms > max_age_ms;
    pthread_mutex_unlock(&source->mutex);
    return stale;
}

/* Called with the source's mutex held. */
static enum grc_jwks_refresh wait_for_other(struct grc_jwks_source *source)
{
    const int64_t fetched_ms = source->fetched_ms;
    const struct grc_jwks *set = source->set;
    const int64_t due_ms = grc_mono_ms() + WAIT_MS;
    enum grc_woken woken = GRC_WOKEN_READY;

    if (source->waiters >= WAITERS_MAX)
        return GRC_JWKS_BUSY;
    source->waiters++;
    while (source->busy && woken == GRC_WOKEN_READY)
        woken = grc_queue_wait(&source->done, &source->mutex, due_ms, GRC_WAITS_KEYS);
    source->waiters--;
    if (source->busy)
        return GRC_JWKS_BUSY;
    return source->set != set || source->fetched_ms != fetched_ms ? GRC_JWKS_FETCHED
                                                                  : GRC_JWKS_FAILED;
}

static struct grc_jwks *fetch_set(struct grc_jwks_source *source, grc_jwks_fetch_fn *fetch,
                                  void *arg)
{
    const char *reason = "out of memory";
    size_t len = 0;
    char *text = fetch(arg, &len, &reason);
    struct grc_jwks *set = text ? grc_jwks_parse((gr_str){text, len}, false, &reason) : NULL;

    free(text);
    if (set)
        grc_log_fields(GR_LOG_INFO, "key set fetched",
                       GRC_LOG_FIELDS(GRC_LT("url", source->url), GRC_LI("count", set->count),
                                      GRC_LI("skipped", set->skipped)));
    else
        grc_log_fields(GR_LOG_WARN, "key set cannot be fetched, going on with the old one",
                       GRC_LOG_FIELDS(GRC_LT("url", source->url), GRC_LT("reason", reason)));
    return set;
}

enum grc_jwks_refresh grc_jwks_source_refresh(struct grc_jwks_source *source, int64_t now_ms,
                                              bool wait, grc_jwks_fetch_fn *fetch, void *arg)
{
    enum grc_jwks_refresh result = GRC_JWKS_BUSY;

    pthread_mutex_lock(&source->mutex);
    bool soon = source->tried && now_ms - source->tried_ms < EVERY_MS;
    if (source->busy || soon) {
        if (!source->busy)
            result = GRC_JWKS_TOO_SOON;
        else if (wait)
            result = wait_for_other(source);
        pthread_mutex_unlock(&source->mutex);
        return result;
    }
    source->busy = true;
    source->tried = true;
    source->tried_ms = now_ms;
    pthread_mutex_unlock(&source->mutex);

    struct grc_jwks *fresh = fetch_set(source, fetch, arg);

    pthread_mutex_lock(&source->mutex);
    struct grc_jwks *old = fresh ? source->set : NULL;
    if (fresh) {
        source->set = fresh;
        source->fetched_ms = now_ms;
    }
    source->busy = false;
    grc_queue_wake_all(&source->done);
    pthread_mutex_unlock(&source->mutex);
    grc_jwks_unref(old);
    return fresh ? GRC_JWKS_FETCHED : GRC_JWKS_FAILED;
}
