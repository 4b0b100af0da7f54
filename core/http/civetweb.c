/*
 * The adapter of CivetWeb, which owns the listening sockets and the workers, and parses heads.
 * door.c accepts clients, and their connections belong to the loop (conn.c); each worker gets one
 * whole head after the other through its seat (seat.h). Every request is served from begin_request,
 * which CivetWeb calls before it looks at files, handlers or scripts; document_root is never set.
 * Answers are not sent through CivetWeb.
 */
#include "http/civetweb.h"

#include "base/altstack.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/privileges.h"
#include "base/thread.h"
#include "http/seat.h"
#include "loop/turn.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The versions with which http/framing.c and http/seat.c were tested. */
#define KNOWN_VERSIONS "1.15 and 1.16"
static const char *const known_versions[] = {"1.15", "1.16"};

/* The request of the trial at start, and how long it may take. */
static const char trial_head[] = "GET /trial?a=b HTTP/1.1\r\n\r\n";
#define TRIAL_MS 10000

enum trial { TRIAL_DUE = 0, TRIAL_RUNS, TRIAL_PASSED };

struct grc_civetweb {
    struct mg_context *context;
    pthread_mutex_t lock; /* protects trial and seated */
    pthread_cond_t ready;
    enum trial trial;
    unsigned seated; /* workers that have their seat */
    atomic_bool tried;
    char trouble[256]; /* CivetWeb's last error message */
};

/* A thread of CivetWeb: a worker, or the thread that accepts. */
struct worker {
    struct grc_seat seat;
    struct grc_http *http;
    struct grc_conn *conn; /* the connection of the head that CivetWeb parses; NULL: none */
    bool seated;
    bool trying; /* CivetWeb parses the head of the trial */
};

/* --- the trial: whether the three calls of seat.h and begin_request reach this program --- */

static bool begin_trial(struct worker *worker)
{
    struct grc_civetweb *civetweb = worker->http->civetweb;

    if (atomic_load_explicit(&civetweb->tried, memory_order_relaxed))
        return false;
    pthread_mutex_lock(&civetweb->lock);
    worker->trying = civetweb->trial == TRIAL_DUE;
    if (worker->trying)
        civetweb->trial = TRIAL_RUNS;
    pthread_mutex_unlock(&civetweb->lock);
    atomic_store(&civetweb->tried, true);
    return worker->trying;
}

static void end_trial(struct worker *worker, const struct mg_request_info *info)
{
    struct grc_civetweb *civetweb = worker->http->civetweb;
    bool fine = strcmp(info->request_method, "GET") == 0 && info->num_headers == 0 &&
                strcmp(info->request_uri, "/trial") == 0 && info->query_string &&
                strcmp(info->query_string, "a=b") == 0;

    worker->trying = false;
    pthread_mutex_lock(&civetweb->lock);
    if (fine)
        civetweb->trial = TRIAL_PASSED;
    pthread_cond_signal(&civetweb->ready);
    pthread_mutex_unlock(&civetweb->lock);
}

/* Waits for all workers as well, so that a listener that has started has all its threads. */
static bool wait_for_trial(const struct grc_http *http)
{
    struct grc_civetweb *civetweb = http->civetweb;
    int64_t due_ms = grc_mono_ms() + TRIAL_MS;
    bool in_time = true;

    pthread_mutex_lock(&civetweb->lock);
    while (in_time && (civetweb->trial != TRIAL_PASSED || civetweb->seated < http->workers))
        in_time = grc_cond_wait_until(&civetweb->ready, &civetweb->lock, due_ms);
    bool passed = civetweb->trial == TRIAL_PASSED;
    pthread_mutex_unlock(&civetweb->lock);
    return passed;
}

/* --- seats --- */

static void take_seat(struct worker *worker)
{
    struct grc_civetweb *civetweb = worker->http->civetweb;

    if (worker->seated)
        return;
    worker->seated = true;
    pthread_mutex_lock(&civetweb->lock);
    civetweb->seated++;
    pthread_cond_signal(&civetweb->ready);
    pthread_mutex_unlock(&civetweb->lock);
}

static bool wait_head(void *arg)
{
    struct worker *worker = arg;
    struct grc_http *http = worker->http;

    take_seat(worker);
    if (begin_trial(worker))
        return true;
    while (!atomic_load(&http->stopping)) {
        struct grc_conn *conn = grc_ready_take(http);

        if (conn && conn->transaction) {
            worker->conn = conn;
            return true;
        }
        if (conn)
            grc_conn_go_on(conn);
        else
            grc_loop_step(http->loop, -1);
    }
    return false;
}

static size_t take_head(void *arg, char *into, size_t size)
{
    const struct worker *worker = arg;
    gr_str head = {trial_head, sizeof(trial_head) - 1};

    if (worker->conn)
        head = grc_transaction_head(worker->conn->transaction);
    else if (!worker->trying)
        return 0;
    if (head.len > size)
        return 0;
    return grc_framing_copy(into, head.ptr, head.len);
}

static const struct grc_seat_calls worker_calls = {.wait_head = wait_head, .take_head = take_head};

static bool wait_door(void *arg, const struct pollfd *listeners, size_t count)
{
    const struct worker *master = arg;

    return grc_door_wait(master->http, listeners, count);
}

static int take_socket(void *arg)
{
    const struct worker *master = arg;

    return grc_door_take_socket(master->http);
}

static const struct grc_seat_calls master_calls = {.wait_door = wait_door,
                                                   .take_socket = take_socket};

/* --- CivetWeb's callbacks --- */

static int log_message(const struct mg_connection *mg, const char *message)
{
    struct grc_http *http = mg_get_user_data(mg_get_context(mg));

    if (http)
        snprintf(http->civetweb->trouble, sizeof(http->civetweb->trouble), "%s", message);
    grc_debug("civetweb: %s", message);
    return 1;
}

static void *init_thread(const struct mg_context *context, int type)
{
    struct grc_http *http = mg_get_user_data(context);
    struct worker *worker = calloc(1, sizeof(*worker));

    (void)grc_altstack_use();
    grc_privileges_thread();
    if (!worker)
        abort(); /* only at start, before any request */
    worker->http = http;
    worker->seat.arg = worker;
    worker->seat.calls = type == 1 ? &worker_calls : &master_calls;
    if (type == 1 && http->batch && !grc_thread_batch())
        grc_debug("workers keep the normal scheduling: %s", strerror(errno));
    if (type == 0 || type == 1)
        grc_seat_attach(&worker->seat);
    grc_ready_attach(type == 1);
    if (type == 1)
        grc_turns_join(http->loop);
    return worker;
}

static void exit_thread(const struct mg_context *context, int type, void *thread)
{
    (void)context;
    if (type == 1)
        grc_turns_leave();
    grc_seat_attach(NULL);
    free(thread);
}

static bool same_text(gr_str text, const char *other)
{
    return gr_str_eq(text, gr_str_of(other ? other : ""));
}

/* Whether CivetWeb and http/framing.c have read the same request line. */
static bool agrees(const struct grc_request *request, const struct mg_request_info *info)
{
    return same_text(request->method_text, info->request_method) &&
           same_text(request->path, info->request_uri) &&
           same_text(request->query, info->query_string) && info->num_headers == 0;
}

static void refuse(struct grc_conn *conn)
{
    struct grc_request *request = &conn->transaction->request;

    request->broken = GR_ERR_BAD_REQUEST;
    request->broken_reason = "the request is malformed";
}

/* Answers the request whose head CivetWeb was given. */
static void run(struct worker *worker)
{
    struct grc_conn *conn = worker->conn;

    worker->conn = NULL;
    worker->seat.inside = true;
    grc_loop_hand_over(worker->http->loop); /* serving may take a while */
    grc_transaction_run(conn);
    worker->seat.inside = false;
}

static int begin_request(struct mg_connection *mg)
{
    struct worker *worker = mg_get_thread_pointer(mg);
    const struct mg_request_info *info = mg_get_request_info(mg);

    if (worker->trying) {
        end_trial(worker, info);
    } else if (worker->conn) {
        struct grc_transaction *transaction = worker->conn->transaction;

        if (agrees(&transaction->request, info))
            grc_framing_terminate(transaction->head.ptr, &transaction->request);
        else
            refuse(worker->conn);
        run(worker);
    }
    return 200; /* for CivetWeb's own log, which is off */
}

/* CivetWeb refuses a head that http/framing.c accepted. */
static int http_error(struct mg_connection *mg, int status, const char *message)
{
    struct worker *worker = mg_get_thread_pointer(mg);

    (void)status;
    (void)message; /* may quote the request */
    if (worker->conn) {
        refuse(worker->conn);
        run(worker);
    }
    return 0; /* the request has been answered */
}

/* CivetWeb has closed the socket of a seat. */
static void connection_closed(const struct mg_connection *mg)
{
    struct worker *worker = mg_get_thread_pointer(mg);

    if (worker->conn) {
        refuse(worker->conn);
        run(worker);
    }
    if (!atomic_load(&worker->http->stopping))
        grc_door_want_seat(worker->http);
}

/* --- start and stop --- */

static void learn_ports(struct grc_http *http, const struct grc_listen *listen)
{
    struct mg_server_port ports[GRC_LISTEN_MAX];
    int found = mg_get_server_ports(http->civetweb->context, GRC_LISTEN_MAX, ports);

    for (size_t i = 0; i < http->listener_count; i++)
        http->listeners[i].port =
            found > 0 && i < (size_t)found ? (unsigned)ports[i].port : listen[i].port;
}

static bool start_context(struct grc_http *http, const struct grc_listen *listen, size_t count)
{
    /* Without log_access and access_log_file CivetWeb formats no local time, which takes a lock
     * of the whole process. */
    static const struct mg_callbacks callbacks = {
        .begin_request = begin_request,
        .log_message = log_message,
        .http_error = http_error,
        .init_thread = init_thread,
        .exit_thread = exit_thread,
        .connection_closed = connection_closed,
    };
    struct grc_http_options *options = calloc(1, sizeof(*options));

    if (!options)
        return false;
    grc_http_fill_options(options, http, listen, count);
    struct mg_init_data init = {
        .callbacks = &callbacks, .user_data = http, .configuration_options = options->list};
    http->civetweb->context = mg_start2(&init, NULL);
    free(options);
    return http->civetweb->context != NULL;
}

bool grc_civetweb_start(struct grc_http *http, const struct grc_listen *listen, size_t count,
                        const char **ret_trouble)
{
    http->civetweb = calloc(1, sizeof(*http->civetweb));
    *ret_trouble = "out of memory";
    if (!http->civetweb)
        return false;
    pthread_mutex_init(&http->civetweb->lock, NULL);
    pthread_cond_init(&http->civetweb->ready, NULL);
    if (!start_context(http, listen, count)) {
        *ret_trouble = http->civetweb->trouble;
        return false;
    }
    learn_ports(http, listen);
    if (wait_for_trial(http))
        return true;
    *ret_trouble =
        "the linked libcivetweb cannot be used: its calls of poll(), accept() and recv() "
        "do not reach this program";
    return false;
}

void grc_civetweb_stop(struct grc_http *http)
{
    struct grc_civetweb *civetweb = http->civetweb;

    if (!civetweb)
        return;
    if (civetweb->context)
        mg_stop(civetweb->context);
    pthread_cond_destroy(&civetweb->ready);
    pthread_mutex_destroy(&civetweb->lock);
    free(civetweb);
    http->civetweb = NULL;
}

/* --- the library --- */

void grc_http_global_init(void)
{
    mg_init_library(MG_FEATURES_DEFAULT);
}

const char *grc_http_unchecked(const char *version)
{
    for (size_t i = 0; i < sizeof(known_versions) / sizeof(known_versions[0]); i++) {
        if (strcmp(version, known_versions[i]) == 0)
            return NULL;
    }
    return "the checks against request smuggling and the time limits of connections were only "
           "tested with libcivetweb " KNOWN_VERSIONS;
}

void grc_http_warn_unchecked(const struct grc_settings *settings)
{
    const char *unchecked = grc_http_unchecked(mg_version());

    if (unchecked && !settings->civetweb_any)
        grc_warn(
            "libcivetweb is %s, but %s; \"civetweb\": \"any\" under \"server\" hides this warning",
            mg_version(), unchecked);
}

const char *grc_http_library(void)
{
    return mg_version();
}

bool grc_http_has_ipv6(void)
{
    return mg_check_feature(MG_FEATURES_IPV6) != 0;
}
