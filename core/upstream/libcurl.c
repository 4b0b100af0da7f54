#include "upstream/libcurl.h"

#include "base/clock.h"
#include "base/thread.h"
#include "loop/wait.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#define STACK_BYTES ((size_t)1024 * 1024)

GRC_LIBRARY_NOTE(note, "[{\"feature\":\"upstream\",\"description\":\"HTTP calls to upstreams\","
                       "\"priority\":\"required\",\"soname\":[\"" GRC_LIBCURL "\"]}]");

static struct grc_curl functions;
static atomic_bool loaded; /* written with the lock held */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
/* guarded by the lock */
static struct grc_queue waiting; /* for the end of the thread's work */
static bool loading;
static bool started; /* there is a thread, which has to be joined */
static pthread_t thread;
static char problem[GRC_LIBRARY_REASON]; /* why it could not be loaded the last time */

const struct grc_curl *grc_curl(void)
{
    return &functions;
}

bool grc_curl_is_loaded(void)
{
    return atomic_load_explicit(&loaded, memory_order_acquire);
}

static bool load(char reason[GRC_LIBRARY_REASON])
{
    static const struct grc_library_function rows[] = {
#define ROW(name_) {"curl_" #name_, &functions.name_},
        GRC_CURL_FUNCTIONS(ROW)
#undef ROW
    };

    if (!grc_library_load(GRC_LIBCURL, rows, sizeof(rows) / sizeof(rows[0]), reason))
        return false;
    if (functions.global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK)
        return true;
    snprintf(reason, GRC_LIBRARY_REASON, GRC_LIBCURL " cannot be initialised");
    return false;
}

static void *run(void *arg)
{
    char reason[GRC_LIBRARY_REASON] = "";
    bool fine = load(reason);

    (void)arg;
    pthread_mutex_lock(&lock);
    memcpy(problem, reason, sizeof(problem));
    atomic_store_explicit(&loaded, fine, memory_order_release);
    loading = false;
    grc_queue_wake_all(&waiting);
    pthread_mutex_unlock(&lock);
    return NULL;
}

/* The lock is held. The thread has released it for the last time, and ends without a wait. */
static void join(void)
{
    if (started && !loading) {
        started = false;
        pthread_join(thread, NULL);
    }
}

/* The lock is held. */
static bool begin(void)
{
    join();
    loading = started = grc_thread_start(&thread, STACK_BYTES, run, NULL);
    return started;
}

static enum gr_err error_of(enum grc_woken woken)
{
    switch (woken) {
    case GRC_WOKEN_READY:
        return GR_OK;
    case GRC_WOKEN_LATE:
        return GR_ERR_UPSTREAM_TIMEOUT;
    case GRC_WOKEN_CANCELLED:
        return GR_ERR_CANCELLED;
    default:
        return GR_ERR_NO_MEMORY;
    }
}

/* The lock is held. */
static enum gr_err load_and_wait(int64_t deadline_ms, char reason[GRC_LIBRARY_REASON])
{
    enum gr_err err = loading || begin() ? GR_OK : GR_ERR_NO_MEMORY;

    while (loading && err == GR_OK)
        err = error_of(grc_queue_wait(&waiting, &lock, deadline_ms, GRC_WAITS_CONNECT));
    join();
    if (err != GR_OK || atomic_load(&loaded))
        return err;
    memcpy(reason, problem, sizeof(problem));
    return GR_ERR_UPSTREAM_CONNECT;
}

enum gr_err grc_curl_load(int64_t deadline_ms, char reason[GRC_LIBRARY_REASON])
{
    reason[0] = '\0';
    if (grc_curl_is_loaded())
        return GR_OK;
    pthread_mutex_lock(&lock);
    enum gr_err err = atomic_load(&loaded) ? GR_OK : load_and_wait(deadline_ms, reason);
    pthread_mutex_unlock(&lock);
    return err;
}

void grc_curl_settle(void)
{
    pthread_mutex_lock(&lock);
    bool ours = started;
    pthread_t last = thread;
    started = false;
    pthread_mutex_unlock(&lock);
    if (ours)
        pthread_join(last, NULL);
}
