#include "isolation/child.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/json.h"
#include "base/log.h"
#include "base/thread.h"
#include "call/spans.h"
#include "call/timers.h"
#include "isolation/message.h"
#include "metrics/metrics.h"
#include "upstream/upstream.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>

/* Handlers may use 64 KiB, and the functions that call them need some as well. */
#define STACK_BYTES ((size_t)256 * 1024)
/* The counts of a call wait for its answer, and are sent with it. */
#define COUNTS_MAX_BYTES ((size_t)4096)
#define MINUTE_MS 60000

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define BOUNDS_MEMORY false /* sanitizers map terabytes, of which they use little */
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define BOUNDS_MEMORY false
#endif
#endif
#ifndef BOUNDS_MEMORY
#define BOUNDS_MEMORY true
#endif

static struct {
    int socket;
    struct grc_plugin *plugin;
    pthread_mutex_t reading; /* held by the thread that waits for the next frame */
    pthread_mutex_t writing;
    struct grc_buf counts; /* frames that are not sent yet */
    pthread_mutex_t lock;  /* of over */
    pthread_cond_t ended;
    bool over;
} child = {
    .socket = -1,
    .reading = PTHREAD_MUTEX_INITIALIZER,
    .writing = PTHREAD_MUTEX_INITIALIZER,
    .counts = {.max_bytes = COUNTS_MAX_BYTES * 16},
    .lock = PTHREAD_MUTEX_INITIALIZER,
    .ended = PTHREAD_COND_INITIALIZER,
};

/* --- the socket --- */

/* If the gateway is gone, the bytes are lost, and the reading thread notices that. */
static void send_all(gr_str bytes)
{
    while (bytes.len > 0) {
        ssize_t put = send(child.socket, bytes.ptr, bytes.len, MSG_NOSIGNAL);

        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            return;
        bytes.ptr += put;
        bytes.len -= (size_t)put;
    }
}

/* Counts are sent before the answer, so that they have been added when the answer arrives. The lock
 * for writing is held. */
static void send_counts(void)
{
    send_all(grc_buf_view(&child.counts));
    grc_buf_clear(&child.counts);
}

static void send_frame(gr_str frame)
{
    pthread_mutex_lock(&child.writing);
    send_counts();
    send_all(frame);
    pthread_mutex_unlock(&child.writing);
}

static bool read_all(void *into, size_t count)
{
    char *at = into;

    while (count > 0) {
        ssize_t got = recv(child.socket, at, count, 0);

        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return false;
        at += got;
        count -= (size_t)got;
    }
    return true;
}

/* --- counts --- */

static _Thread_local bool serves; /* the thread will send an answer */

static void count(enum grc_count kind, const char *name, const char *label,
                  const int64_t numbers[3])
{
    struct grc_wire wire;

    grc_wire_begin(&wire, COUNTS_MAX_BYTES);
    grc_wire_int(&wire, kind);
    grc_wire_text(&wire, gr_str_of(name));
    grc_wire_text(&wire, gr_str_of(label));
    for (size_t i = 0; i < 3; i++)
        grc_wire_int(&wire, numbers[i]);
    gr_str frame = grc_wire_frame(&wire, GRC_FRAME_COUNT, 0);
    pthread_mutex_lock(&child.writing);
    (void)grc_buf_str(&child.counts, frame); /* without memory the count is lost */
    if (!serves || child.counts.len > COUNTS_MAX_BYTES)
        send_counts();
    pthread_mutex_unlock(&child.writing);
    grc_wire_done(&wire);
}

static void count_plugin(const char *name, const char *label, int64_t delta)
{
    count(GRC_COUNT_PLUGIN, name, label, (const int64_t[]){delta, 0, 0});
}

static void count_exchange(const char *upstream, enum gr_err err, int status, int64_t took_us)
{
    count(GRC_COUNT_EXCHANGE, upstream, NULL, (const int64_t[]){err, status, took_us});
}

static void count_event(const char *upstream, enum grc_upstream_event event)
{
    count(GRC_COUNT_EVENT, upstream, NULL, (const int64_t[]){event, 0, 0});
}

static const struct grc_metrics_sink sink = {
    .plugin = count_plugin, .exchange = count_exchange, .event = count_event};

static void send_spans(const struct grc_spans *spans)
{
    struct grc_wire wire;

    grc_wire_begin(&wire, GRC_FRAME_MAX_BYTES);
    grc_wire_int(&wire, spans->count);
    grc_wire_text(&wire, grc_buf_view(&spans->text));
    gr_str frame = grc_wire_frame(&wire, GRC_FRAME_SPANS, 0);
    if (frame.len)
        send_frame(frame);
    grc_wire_done(&wire);
}

/* Called before the answer is sent, so that the gateway has dropped the old answers by then. */
static void send_write(const char *upstream, gr_str target)
{
    struct grc_wire wire;

    grc_wire_begin(&wire, GRC_FRAME_MAX_BYTES);
    grc_wire_text(&wire, gr_str_of(upstream));
    grc_wire_text(&wire, target);
    gr_str frame = grc_wire_frame(&wire, GRC_FRAME_WROTE, 0);
    if (frame.len)
        send_frame(frame);
    grc_wire_done(&wire);
}

void grc_child_begin(int socket)
{
    child.socket = socket;
    grc_upstreams_divert_writes(send_write);
    grc_spans_divert(send_spans);
    grc_metrics_divert(&sink);
}

/* --- limits --- */

static bool limit(int resource, const char *name, uint64_t value)
{
    struct rlimit now;

    if (getrlimit((enum __rlimit_resource)resource, &now) == 0) {
        now.rlim_cur = value < now.rlim_max ? value : now.rlim_max;
        if (setrlimit((enum __rlimit_resource)resource, &now) == 0)
            return true;
    }
    grc_error("process.%s cannot be set: %s", name, strerror(errno));
    return false;
}

/* Limits the processor time to what was used so far plus the share of the next minute. The kernel
 * ends a process that exceeds it with SIGXCPU. */
static bool limit_cpu(int64_t cpu_max_ms)
{
    struct timespec used;

    if (cpu_max_ms == 0 || clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used) != 0)
        return true;
    return limit(RLIMIT_CPU, "cpu_max",
                 (uint64_t)used.tv_sec + (uint64_t)(cpu_max_ms + 999) / 1000);
}

bool grc_child_limit(const struct grc_process_settings *settings)
{
    bool fine = limit(RLIMIT_NOFILE, "descriptors_max", (uint64_t)settings->descriptors_max) &&
                limit_cpu(settings->cpu_max_ms);

    if (fine && BOUNDS_MEMORY && settings->memory_max_bytes > 0)
        fine = limit(RLIMIT_DATA, "memory_max", (uint64_t)settings->memory_max_bytes);
    return fine;
}

/* --- calls --- */

static enum gr_err check_pairs(struct grc_call *call, const char *in)
{
    bool path = strcmp(in, "path") == 0;

    return grc_schema_check_pairs(path ? call->route->params : call->route->query, &call->pub, in,
                                  path ? call->match.params : call->query,
                                  path ? call->match.param_count : call->query_count,
                                  &call->problems);
}

static enum gr_err check_body(struct grc_call *call)
{
    enum gr_err err = grc_call_parse(call);

    if (err != GR_OK || !call->json)
        return err;
    return grc_schema_check_json(call->route->body, &call->pub, call->json, &call->problems);
}

static enum gr_err handle(struct grc_call *call)
{
    enum gr_err err = grc_call_parse(call);

    return err == GR_OK ? call->route->row->handle(&call->pub) : err;
}

/* The function exists, since the gateway chooses it from the same tables. */
static enum gr_err run(struct grc_call *call, enum grc_ask ask)
{
    const struct gr_plugin *desc = call->plugin->desc;
    const struct gr_route *row = call->route ? call->route->row : NULL;

    if (ask == GRC_ASK_READY && desc->ready)
        return desc->ready(&call->pub);
    if (ask == GRC_ASK_STATUS && desc->status)
        return desc->status(&call->pub);
    if (!row)
        return grc_fail(call, GR_ERR_INTERNAL, "the gateway asked for a route that is not there");
    if (ask == GRC_ASK_AUTHENTICATE && desc->authenticate)
        return desc->authenticate(&call->pub);
    if (ask == GRC_ASK_ADMIT && row->admit)
        return row->admit(&call->pub);
    if (ask == GRC_ASK_CHECK_PATH || ask == GRC_ASK_CHECK_QUERY)
        return check_pairs(call, ask == GRC_ASK_CHECK_PATH ? "path" : "query");
    if (ask == GRC_ASK_CHECK_BODY)
        return check_body(call);
    if (ask == GRC_ASK_HANDLE && row->handle)
        return handle(call);
    return grc_fail(call, GR_ERR_INTERNAL, "the gateway asked for a function that is not there");
}

/* The text of the call's error, as the group renders it. */
static void write_rendered(struct grc_wire *wire, struct grc_call *call)
{
    struct grc_buf text;

    call->error.problems = call->problems.list;
    call->error.problem_count = call->problems.count;
    grc_buf_init(&text, GRC_FRAME_MAX_BYTES);
    json_t *json = call->plugin->desc->render_error
                       ? call->plugin->desc->render_error(&call->pub, &call->error)
                       : NULL;
    bool made = json && grc_json_write(&text, json) == GR_OK;
    grc_wire_text(wire, made ? grc_buf_view(&text) : (gr_str){NULL, 0});
    json_decref(json);
    grc_buf_done(&text);
}

static void send_answer(struct grc_call *call, uint32_t id, enum grc_ask ask, enum gr_err err)
{
    struct grc_wire wire;

    grc_wire_begin(&wire, GRC_FRAME_MAX_BYTES);
    if (ask == GRC_ASK_RENDER_ERROR)
        write_rendered(&wire, call);
    else
        grc_answer_write(&wire, call, err);
    if (wire.err != GR_OK) {
        grc_wire_done(&wire);
        grc_wire_begin(&wire, GRC_FRAME_MAX_BYTES);
        *call->reply = (struct grc_reply){0};
        call->error = (struct gr_error){.err = GR_ERR_INTERNAL,
                                        .message = "the answer does not fit into a frame"};
        call->problems.count = 0;
        grc_answer_write(&wire, call, GR_ERR_INTERNAL);
    }
    send_frame(grc_wire_frame(&wire, GRC_FRAME_ANSWER, id));
    grc_wire_done(&wire);
}

static void serve(struct grc_call *call, const struct grc_frame *head, const char *payload)
{
    struct grc_unwire unwire = {.at = payload, .end = payload + head->size};
    struct grc_reply reply = {0};
    enum grc_ask ask = GRC_ASK_READY;
    enum gr_err err = GR_OK;

    serves = true;
    grc_call_begin(call, child.plugin->runtime, child.plugin);
    call->reply = &reply;
    if (!grc_call_read(&unwire, call, &ask))
        err = grc_fail(call, GR_ERR_INTERNAL, "the call cannot be read, or there is no memory");
    else if (ask != GRC_ASK_RENDER_ERROR) {
        grc_call_trace_go_on(call);
        err = run(call, ask);
    }
    grc_trace_end(call->trace); /* before the answer, after which the gateway ends the trace */
    call->trace = NULL;
    send_answer(call, head->id, ask, err);
    serves = false;
    grc_call_end(call);
}

/* --- threads --- */

static void end(void)
{
    pthread_mutex_lock(&child.lock);
    child.over = true;
    pthread_cond_broadcast(&child.ended);
    pthread_mutex_unlock(&child.lock);
}

static bool is_over(void)
{
    pthread_mutex_lock(&child.lock);
    bool over = child.over;
    pthread_mutex_unlock(&child.lock);
    return over;
}

/* Reads the next frame. One thread at a time waits for a frame; it then runs the call, while
 * another thread waits for the next frame. Returns false when there will be no more. */
static bool next_frame(struct grc_frame *ret_head, char **ret_payload)
{
    char *payload = NULL;

    pthread_mutex_lock(&child.reading);
    bool fine = !is_over() && read_all(ret_head, sizeof(*ret_head));
    if (fine)
        payload = malloc(ret_head->size + 1u);
    fine = fine && payload && read_all(payload, ret_head->size) && ret_head->kind != GRC_FRAME_QUIT;
    if (!fine)
        end();
    pthread_mutex_unlock(&child.reading);
    if (!fine)
        free(payload);
    else
        *ret_payload = payload;
    return fine;
}

static void *work(void *arg)
{
    struct grc_call *call = arg;
    struct grc_frame head;
    char *payload = NULL;

    while (next_frame(&head, &payload)) {
        if (head.kind == GRC_FRAME_CALL)
            serve(call, &head, payload);
        else if (head.kind == GRC_FRAME_QUIET)
            grc_plugin_timers_stop(child.plugin);
        free(payload);
    }
    grc_call_done(call);
    free(call);
    return NULL;
}

/* --- the errors with which the gateway answers when there is no process --- */

static void write_one_rendered(struct grc_wire *wire, struct grc_call *call, enum gr_err err)
{
    grc_call_begin(call, child.plugin->runtime, child.plugin);
    memcpy(call->request_id, GRC_RENDERED_ID, sizeof(GRC_RENDERED_ID));
    call->error = (struct gr_error){.err = err,
                                    .status = grc_err_status(err),
                                    .type = grc_err_slug(err),
                                    .message = grc_err_doc(err)};
    if (err == GR_ERR_UPSTREAM_BROKEN)
        call->error.message = GRC_PROCESS_ENDED;
    if (err == GR_ERR_OVERLOAD)
        call->error.message = GRC_PROCESS_AWAY;
    call->error.retry_after_s = call->error.status == 503 ? 1 : 0;
    grc_wire_int(wire, err);
    write_rendered(wire, call);
    grc_call_end(call);
}

static bool send_ready(void)
{
    static const enum gr_err errors[] = {
#define ERROR(name, number, status, slug, doc) name,
        GR_ERR_LIST(ERROR)
#undef ERROR
    };
    const size_t number = sizeof(errors) / sizeof(errors[0]) - 1; /* without GR_OK */
    struct grc_call *call = calloc(1, sizeof(*call));
    struct grc_wire wire;

    if (!call)
        return false;
    grc_wire_begin(&wire, GRC_FRAME_MAX_BYTES);
    grc_wire_int(&wire, (int64_t)child.plugin->route_count);
    grc_wire_int(&wire, (int64_t)number);
    for (size_t i = 1; i <= number; i++)
        write_one_rendered(&wire, call, errors[i]);
    bool fine = wire.err == GR_OK;
    if (fine)
        send_frame(grc_wire_frame(&wire, GRC_FRAME_READY, 0));
    grc_wire_done(&wire);
    grc_call_done(call);
    free(call);
    return fine;
}

/* --- serving --- */

/* Serves until the end, and grants processor time each minute. */
static void watch(const struct grc_process_settings *settings)
{
    int64_t minute_ms = grc_mono_ms() + MINUTE_MS;

    pthread_mutex_lock(&child.lock);
    while (!child.over) {
        if (grc_cond_wait_until(&child.ended, &child.lock, minute_ms))
            continue;
        (void)limit_cpu(settings->cpu_max_ms);
        minute_ms = grc_mono_ms() + MINUTE_MS;
    }
    pthread_mutex_unlock(&child.lock);
}

static bool start_one(pthread_t *ret_thread)
{
    struct grc_call *call = calloc(1, sizeof(*call));

    if (call && grc_thread_start(ret_thread, STACK_BYTES, work, call))
        return true;
    free(call);
    return false;
}

bool grc_child_serve(struct grc_plugin *plugin)
{
    const struct grc_process_settings *settings = &plugin->settings->process;
    const size_t wanted = (size_t)settings->threads;
    pthread_t *threads = calloc(wanted, sizeof(*threads));
    size_t started = 0;

    child.plugin = plugin;
    bool fine = threads && send_ready();
    while (fine && started < wanted && start_one(&threads[started]))
        started++;
    fine = fine && started == wanted;
    if (fine)
        watch(settings);
    else
        grc_error("%s: there is no memory for its threads", plugin->self.name);
    end();
    if (!fine)
        (void)shutdown(child.socket, SHUT_RD); /* the threads that have started stop reading */
    for (size_t i = 0; i < started; i++)
        pthread_join(threads[i], NULL);
    free(threads);
    return fine;
}
