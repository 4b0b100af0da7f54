/*
 * All calls of an upstream are in one multi handle. One of the waiting calls drives it: it waits
 * for the sockets and for libcurl's timers, and wakes each call that has ended. When the driving
 * call ends, another waiting call continues. So no thread is held, and an unused upstream has
 * nothing that runs.
 */
#include "upstream/http2.h"

#include "base/clock.h"
#include "base/log.h"
#include "loop/wait.h"
#include "upstream/curl.h"

#include <stdlib.h>

#define CONNECTIONS_KEPT 64L
/* How long an upstream that refused HTTP/2 is not asked for it again. */
#define REFUSED_FOR_MS 60000

/* A call in the multi handle, on the stack of its fiber or thread. */
struct call {
    struct grc_transfer *transfer;
    CURLcode code; /* once done */
    bool done;
    struct grc_queue wake; /* it waits here while it does not drive */
    struct call *next;
    struct call *previous;
};

struct grc_http2 {
    pthread_mutex_t lock;     /* guards the members below, and the handles of the calls */
    struct grc_driver driver; /* begun with the first call */
    struct call *calls;
    const struct call *driving; /* NULL: no call drives */
    int64_t drives_until_ms;    /* when the driving call looks again by itself */
    int64_t refused_until_ms;
};

/* --- making and freeing --- */

struct grc_http2 *grc_http2_new(void)
{
    struct grc_http2 *http2 = calloc(1, sizeof(*http2));

    if (http2 && pthread_mutex_init(&http2->lock, NULL) != 0) {
        free(http2);
        return NULL;
    }
    return http2;
}

void grc_http2_free(struct grc_http2 *http2)
{
    if (!http2)
        return;
    grc_driver_end(&http2->driver);
    pthread_mutex_destroy(&http2->lock);
    free(http2);
}

/* --- the calls; with the lock held --- */

static void enter(struct grc_http2 *http2, struct call *call)
{
    call->next = http2->calls;
    if (call->next)
        call->next->previous = call;
    http2->calls = call;
}

static void leave(struct grc_http2 *http2, const struct call *call)
{
    if (call->next)
        call->next->previous = call->previous;
    if (call->previous)
        call->previous->next = call->next;
    else
        http2->calls = call->next;
}

/* Ends the calls that libcurl is done with. */
static void collect(struct grc_http2 *http2)
{
    CURLcode code;

    for (;;) {
        char *private = NULL;
        CURL *easy = grc_driver_next_done(&http2->driver, &code);
        if (!easy)
            return;
        grc_curl()->multi_remove_handle(http2->driver.multi, easy);
        if (grc_curl()->easy_getinfo(easy, CURLINFO_PRIVATE, &private) != CURLE_OK || !private)
            continue;
        struct call *call = (struct call *)(void *)private;
        call->code = code;
        call->done = true;
        leave(http2, call);
        /* The driving call waits for events, and this thread may have taken them. */
        if (call == http2->driving)
            grc_driver_wake(&http2->driver);
        else
            grc_queue_wake(&call->wake);
    }
}

/* Lets libcurl work. When it has set a timer that is due before the driving call looks, that call
 * has to know. */
static enum gr_err act(struct grc_http2 *http2)
{
    if (grc_driver_act(&http2->driver) != CURLM_OK)
        return GR_ERR_NO_MEMORY;
    collect(http2);
    if (http2->driving && http2->driver.due_ms < http2->drives_until_ms) {
        http2->drives_until_ms = http2->driver.due_ms;
        grc_driver_wake(&http2->driver);
    }
    return GR_OK;
}

/* --- waiting; with the lock held, which is released meanwhile --- */

static enum grc_woken drive(struct grc_http2 *http2, const struct call *call, int64_t until_ms)
{
    http2->driving = call;
    http2->drives_until_ms = http2->driver.due_ms < until_ms ? http2->driver.due_ms : until_ms;
    until_ms = http2->drives_until_ms;
    pthread_mutex_unlock(&http2->lock);
    enum grc_woken woken = grc_wait_fd(http2->driver.epoll, GRC_READ, until_ms, GRC_WAITS_UPSTREAM);
    pthread_mutex_lock(&http2->lock);
    http2->driving = NULL;
    return woken;
}

/* Waits until the call is done, or has to end early, for which the reason is returned. */
static enum gr_err wait(struct grc_http2 *http2, struct call *call)
{
    struct grc_handle *handle = call->transfer->handle;
    enum gr_err err = act(http2);

    while (!call->done && err == GR_OK) {
        bool drives = !http2->driving;
        int64_t until_ms = grc_gone_step(&handle->gone_look, GRC_NEVER_MS);
        enum grc_woken woken =
            drives ? drive(http2, call, until_ms)
                   : grc_queue_wait(&call->wake, &http2->lock, until_ms, GRC_WAITS_UPSTREAM);
        if (call->done)
            break;
        err = grc_curl_early(woken, handle);
        if (err == GR_OK && drives)
            err = act(http2);
    }
    return err;
}

/* Adds the call, waits for it, and takes it out. */
static enum gr_err run(struct grc_http2 *http2, struct call *call)
{
    struct grc_driver *driver = &http2->driver;
    CURL *easy = call->transfer->handle->easy;

    pthread_mutex_lock(&http2->lock);
    bool begun = driver->multi || (grc_driver_begin_shared(driver) &&
                                   grc_multi_setopt(driver->multi, CURLMOPT_MAXCONNECTS,
                                                    CONNECTIONS_KEPT) == CURLM_OK);
    enum gr_err err = GR_ERR_NO_MEMORY;
    if (begun && grc_driver_add(driver, easy) == CURLM_OK) {
        enter(http2, call);
        err = wait(http2, call);
        if (!call->done) {
            grc_curl()->multi_remove_handle(driver->multi, easy);
            leave(http2, call);
        }
        if (!http2->driving && http2->calls)
            grc_queue_wake(&http2->calls->wake);
    }
    pthread_mutex_unlock(&http2->lock);
    return err;
}

/* --- one attempt --- */

static bool is_refused(struct grc_http2 *http2)
{
    pthread_mutex_lock(&http2->lock);
    bool refused = grc_mono_ms() < http2->refused_until_ms;
    pthread_mutex_unlock(&http2->lock);
    return refused;
}

static void note_refusal(struct grc_http2 *http2, const struct grc_upstream *upstream)
{
    int64_t now_ms = grc_mono_ms();

    pthread_mutex_lock(&http2->lock);
    bool known = now_ms < http2->refused_until_ms;
    http2->refused_until_ms = now_ms + REFUSED_FOR_MS;
    pthread_mutex_unlock(&http2->lock);
    if (!known)
        grc_log_fields(GR_LOG_WARN,
                       "upstream does not agree to HTTP/2; its calls use HTTP/1.1 for a minute",
                       GRC_LOG_FIELDS(GRC_LT("upstream", upstream->settings->name)));
}

/* Makes the attempt with a prepared handle. */
static enum gr_err make(struct grc_http2 *http2, struct call *call)
{
    struct grc_handle *handle = call->transfer->handle;

    if (grc_handle_use_http2(handle) != CURLE_OK ||
        grc_easy_setopt(handle->easy, CURLOPT_PRIVATE, call) != CURLE_OK)
        return GR_ERR_NO_MEMORY;
    return run(http2, call);
}

bool grc_http2_attempt(struct grc_transfer *transfer, struct grc_outcome *ret_outcome)
{
    struct grc_upstream *upstream = transfer->upstream;
    struct grc_idle_list *own_pool = transfer->pool;
    struct call call = {.transfer = transfer, .code = CURLE_ABORTED_BY_CALLBACK};
    bool refused = false;

    if (is_refused(upstream->http2))
        return false;
    transfer->pool = &upstream->multiplexed;
    enum gr_err err = grc_curl_begin(transfer);
    if (err == GR_OK) {
        err = make(upstream->http2, &call);
        refused = transfer->handle->http2_refused;
        *ret_outcome = grc_curl_end(transfer, call.code);
    } else {
        *ret_outcome = (struct grc_outcome){.err = err};
    }
    transfer->pool = own_pool;
    if (err != GR_OK)
        ret_outcome->err = err;
    if (refused)
        note_refusal(upstream->http2, upstream);
    return !refused;
}
