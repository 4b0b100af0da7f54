#include "server/gateway.h"

#include "base/log.h"
#include "base/thread.h"
#include "loop/fiber.h"
#include "server/pipeline.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#define RETIRE_STACK_BYTES ((size_t)512 * 1024) /* the stop functions of plugins run on it */

/* An old runtime that waits for its last request. */
struct retiree {
    struct grc_runtime *runtime;
    pthread_t thread;
    _Atomic bool over; /* the thread is about to end */
    struct retiree *next;
};

struct grc_gateway {
    pthread_mutex_t
        lock; /* protects runtime and calls; taken twice per request, for a short time */
    struct grc_runtime *runtime;
    struct grc_call *calls;   /* free ones */
    struct retiree *retirees; /* only for the main thread */
};

/* --- serving --- */

/* Free calls are a stack that all workers share, so that the memory of a call is most likely in a
 * processor's cache, however many workers there are. */
static struct grc_call *take_call(struct grc_gateway *gateway, struct grc_runtime **ret_runtime)
{
    pthread_mutex_lock(&gateway->lock);
    struct grc_call *call = gateway->calls;
    if (call)
        gateway->calls = call->next;
    *ret_runtime = grc_runtime_ref(gateway->runtime);
    pthread_mutex_unlock(&gateway->lock);
    if (!call)
        call = calloc(1, sizeof(*call));
    if (!call)
        grc_runtime_release(*ret_runtime);
    return call;
}

static void give_call(struct grc_gateway *gateway, struct grc_call *call)
{
    pthread_mutex_lock(&gateway->lock);
    call->next = gateway->calls;
    gateway->calls = call;
    pthread_mutex_unlock(&gateway->lock);
}

static void free_calls(struct grc_gateway *gateway)
{
    while (gateway->calls) {
        struct grc_call *call = gateway->calls;

        gateway->calls = call->next;
        grc_call_done(call);
        free(call);
    }
}

/* Tells the thread whose call it runs, so that a fault is reported for the right group. */
static void on_switch(void *arg, bool enter)
{
    struct grc_call *call = arg;

    (void)grc_fault_subject_set(enter ? &call->subject : NULL);
    grc_conn_runs(call->request, enter);
}

static void serve(void *arg, struct grc_request *request, struct grc_reply *reply)
{
    struct grc_runtime *runtime = NULL;
    struct grc_call *call = take_call(arg, &runtime);

    request->served_by = call;
    if (!call) {
        reply->status = 503;
        reply->content_type = "application/json";
        reply->body = GR_STR("{\"code\":503,\"message\":\"out of memory\"}");
        reply->close = true;
        return;
    }
    (void)grc_fault_subject_set(&call->subject);
    grc_fiber_on_switch(on_switch, call);
    grc_pipeline_serve(runtime, request, reply, call);
}

static void done(void *arg, struct grc_request *request, struct grc_reply *reply, size_t sent_bytes,
                 bool ok)
{
    struct grc_call *call = request->served_by;

    (void)reply;
    if (!call)
        return;
    struct grc_runtime *runtime = call->runtime;
    grc_pipeline_done(call, sent_bytes, ok);
    grc_fiber_on_switch(NULL, NULL);
    (void)grc_fault_subject_set(NULL);
    give_call(arg, call);
    grc_runtime_release(runtime);
}

static void refused(void *arg, const char *peer, int status, const char *reason)
{
    (void)arg;
    grc_metrics_reject(status == 0     ? GRC_REJECT_TLS
                       : status == 408 ? GRC_REJECT_SLOW
                                       : GRC_REJECT_FRAMING);
    grc_metrics_request(grc_metrics_unmatched(), status, 0);
    grc_log_fields(
        GR_LOG_INFO, "request refused",
        GRC_LOG_FIELDS(GRC_LI("status", status), GRC_LT("peer", peer), GRC_LT("error", reason)));
}

struct grc_http_handler grc_gateway_handler(struct grc_gateway *gateway)
{
    return (struct grc_http_handler){
        .serve = serve, .done = done, .refused = refused, .arg = gateway};
}

/* --- swapping --- */

static void wind_up(struct grc_runtime *runtime)
{
    const struct timespec pause = {.tv_nsec = 20 * 1000000L};

    grc_runtime_quiet(runtime);
    /* This ends, since calls have deadlines. */
    while (grc_runtime_refs(runtime) > 1)
        nanosleep(&pause, NULL);
    grc_runtime_unref(runtime);
    grc_info("the old config's last request has ended");
}

static void *retire(void *arg)
{
    struct retiree *retiree = arg;

    wind_up(retiree->runtime);
    atomic_store(&retiree->over, true);
    return NULL;
}

/* Joins the threads of old runtimes: all of them, or those that are over. */
static void join_retirees(struct grc_gateway *gateway, bool all)
{
    struct retiree **place = &gateway->retirees;

    while (*place) {
        struct retiree *retiree = *place;

        if (!all && !atomic_load(&retiree->over)) {
            place = &retiree->next;
            continue;
        }
        *place = retiree->next;
        pthread_join(retiree->thread, NULL);
        free(retiree);
    }
}

void grc_gateway_swap(struct grc_gateway *gateway, struct grc_runtime *stolen)
{
    struct retiree *retiree = calloc(1, sizeof(*retiree));

    pthread_mutex_lock(&gateway->lock);
    struct grc_runtime *old = gateway->runtime;
    gateway->runtime = stolen;
    pthread_mutex_unlock(&gateway->lock);
    join_retirees(gateway, false);
    if (retiree)
        retiree->runtime = old;
    if (!retiree || !grc_thread_start(&retiree->thread, RETIRE_STACK_BYTES, retire, retiree)) {
        /* Without a thread for it, the calling thread waits for the last request. */
        free(retiree);
        wind_up(old);
        return;
    }
    retiree->next = gateway->retirees;
    gateway->retirees = retiree;
}

struct grc_runtime *grc_gateway_runtime(struct grc_gateway *gateway)
{
    return gateway->runtime;
}

struct grc_gateway *grc_gateway_new(struct grc_runtime *stolen)
{
    struct grc_gateway *gateway = calloc(1, sizeof(*gateway));

    if (!gateway) {
        grc_runtime_unref(stolen);
        return NULL;
    }
    pthread_mutex_init(&gateway->lock, NULL);
    gateway->runtime = stolen;
    return gateway;
}

void grc_gateway_free(struct grc_gateway *gateway)
{
    if (!gateway)
        return;
    join_retirees(gateway, true);
    free_calls(gateway);
    grc_runtime_unref(gateway->runtime);
    pthread_mutex_destroy(&gateway->lock);
    free(gateway);
}
