#include "server/run.h"

#include "base/clock.h"
#include "base/exit.h"
#include "base/format.h"
#include "base/log.h"
#include "base/privileges.h"
#include "config/env.h"
#include "config/ownership.h"
#include "config/show.h"
#include "plugin/fault.h"
#include "server/admin_socket.h"
#include "server/explain.h"
#include "server/history.h"
#include "server/log_target.h"
#include "server/metrics_page.h"
#include "server/notify.h"
#include "server/recent.h"
#include "server/server.h"
#include "server/stop.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <unistd.h>

/* --- start --- */

/* Blocks signals in all threads, which inherit the mask; the main thread reads them from a
 * signalfd. */
static bool block_signals(sigset_t *set)
{
    static const int awaited[] = {SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGUSR1};
    /* Other signals that would end the process, and have no use here. Without SIGXFSZ, a write
     * beyond the size limit of files fails like any other. */
    static const int ignored[] = {SIGPIPE, SIGUSR2, SIGALRM, SIGVTALRM, SIGPROF,
                                  SIGIO,   SIGPWR,  SIGXFSZ, SIGSTKFLT};
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    bool fine = true;

    sigemptyset(set);
    for (size_t i = 0; i < sizeof(awaited) / sizeof(awaited[0]); i++)
        sigaddset(set, awaited[i]);
    for (size_t i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++)
        fine = fine && sigaction(ignored[i], &ignore, NULL) == 0;
    return fine && pthread_sigmask(SIG_BLOCK, set, NULL) == 0 && grc_fault_install("the gateway");
}

static void init_libraries(void)
{
    json_object_seed(0); /* before threads: seeding is not thread-safe */
    grc_http_global_init();
}

/* Called as the user that will load it, with the first call of an upstream. */
static bool check_libcurl(void)
{
    char reason[GRC_LIBRARY_REASON];

    if (grc_upstreams_check_library(reason))
        return true;
    grc_error("libcurl cannot be loaded: %s", reason);
    return false;
}

static struct grc_http *listen_on(struct grc_server *server, const struct grc_listen *listen,
                                  size_t count, bool admin)
{
    const struct grc_runtime *runtime = grc_gateway_runtime(server->gateway);
    struct grc_http_handler handler = grc_gateway_handler(server->gateway);
    char *reason = NULL;
    struct grc_http *http =
        grc_http_start(listen, count, admin, runtime->settings, &handler, &reason);

    if (!http)
        grc_error("cannot listen on %s", reason ? reason : "any address");
    free(reason);
    return http;
}

static bool listen_all(struct grc_server *server)
{
    const struct grc_settings *settings = grc_gateway_runtime(server->gateway)->settings;

    if (settings->admin.address) {
        server->admin = listen_on(server, &settings->admin, 1, true);
        if (!server->admin)
            return false;
    }
    server->http = listen_on(server, settings->listen, settings->listen_count, false);
    return server->http != NULL;
}

/* Listens as root, since ports below 1024 and the keys of HTTPS need it, and then drops the
 * privileges. */
static bool listen_as_root(struct grc_server *server)
{
    char *reason = NULL;

    grc_privileges_raise_here();
    bool fine = listen_all(server);
    if (grc_privileges_drop(&reason))
        return fine;
    grc_error("%s", reason ? reason : "out of memory");
    free(reason);
    return false;
}

static bool settle_process(const struct grc_settings *settings)
{
    char *reason = NULL;

    grc_privileges_harden(settings->core_dumps);
    if (grc_privileges_lower(settings->user, settings->group, settings->state_dir, &reason))
        return true;
    grc_error("%s", reason ? reason : "out of memory");
    free(reason);
    return false;
}

static void warn_of_reload(void *arg, const char *line)
{
    grc_warn("as user '%s', a reload would fail: %s", (const char *)arg, line);
}

/* The files were read as root. Warns of those that the configured user cannot read at a reload. */
static void try_reload_as_user(const struct grc_server *server, const struct grc_settings *settings)
{
    if (!settings->user || geteuid() == 0 || getuid() != 0)
        return;
    grc_runtime_unref(grc_runtime_new(server->config_dir, GRC_RUNTIME_READY, warn_of_reload,
                                      (void *)(uintptr_t)settings->user));
}

static void say_started(const struct grc_server *server)
{
    const struct grc_runtime *runtime = grc_gateway_runtime(server->gateway);
    const struct grc_settings *settings = runtime->settings;
    size_t groups = grc_runtime_group_count(runtime);
    unsigned workers = grc_http_workers(server->http);

    for (size_t i = 0; i < settings->listen_count; i++)
        grc_info("listening on %s://%s:%u", settings->listen[i].tls ? "https" : "http",
                 settings->listen[i].address, grc_http_port(server->http, i));
    if (server->admin)
        grc_info("admin listening on %s://%s:%u", settings->admin.tls ? "https" : "http",
                 settings->admin.address, grc_http_port(server->admin, 0));
    grc_info("ready after %lld ms: %zu group%s, %zu route%s, %u worker%s",
             (long long)(grc_mono_ms() - server->began_ms), groups, grc_plural(groups),
             runtime->route_count, grc_plural(runtime->route_count), workers, grc_plural(workers));
}

/* Called after the privileges were dropped, since they would have to be dropped in its thread too.
 */
static bool start_log_queue(const struct grc_server *server)
{
    const struct grc_settings *settings = grc_gateway_runtime(server->gateway)->settings;

    if (grc_log_queue_start((size_t)settings->log_buffer_bytes))
        return true;
    grc_error("there is not enough memory for log.buffer");
    return false;
}

/* Called after the change of the user, so that a later SIGUSR1 can open the file too. */
static bool prepare_log(const struct grc_server *server)
{
    char *reason = NULL;

    if (grc_log_target_prepare(grc_gateway_runtime(server->gateway)->settings, &reason))
        return true;
    grc_error("%s", reason ? reason : "out of memory");
    free(reason);
    return false;
}

static int start(struct grc_server *server)
{
    init_libraries();
    grc_show_begin(true);
    struct grc_runtime *runtime =
        grc_runtime_new(server->config_dir, GRC_RUNTIME_READY, grc_runtime_log, NULL);
    server->config = grc_show_end();
    if (!runtime)
        return GRC_EXIT_CONFIG;
    grc_log_target_style(runtime->settings);
    grc_http_warn_unchecked(runtime->settings);
    grc_config_warn_owners(runtime->settings);
    grc_env_scrub(); /* everything has been read, and there are no threads yet */
    bool settled = settle_process(runtime->settings) && check_libcurl();
    if (settled)
        try_reload_as_user(server, runtime->settings);
    bool tried = settled && grc_runtime_try(runtime, grc_runtime_log, NULL);
    if (!tried || !grc_runtime_serve(runtime, grc_runtime_log, NULL)) {
        grc_runtime_unref(runtime);
        return settled && !tried ? GRC_EXIT_CONFIG : GRC_EXIT_FAILED;
    }
    server->gateway = grc_gateway_new(runtime);
    if (!server->gateway) {
        grc_error("out of memory");
        return GRC_EXIT_FAILED;
    }
    grc_http_warn_descriptors(grc_gateway_runtime(server->gateway)->settings);
    if (!prepare_log(server))
        return GRC_EXIT_FAILED;
    if (!listen_as_root(server))
        return GRC_EXIT_LISTEN;
    grc_log_target_settle(true);
    if (!start_log_queue(server))
        return GRC_EXIT_FAILED;
    grc_metrics_page_listeners(server->http, server->admin);
    server->socket = grc_admin_socket_open(grc_gateway_runtime(server->gateway)->settings);
    server->reloads.generation = 1;
    grc_metrics_page_reload(1, false, grc_now_ms());
    grc_recent_config(&server->reloads);
    if (!grc_history_start())
        grc_warn("there is no thread for the history of the status page");
    say_started(server);
    grc_notify("READY=1");
    return GRC_EXIT_OK;
}

/* --- answers to commands --- */

static json_t *status_of(const struct grc_server *server)
{
    json_t *status = grc_status(grc_gateway_runtime(server->gateway), server->http, server->admin,
                                &server->reloads, grc_mono_ms() - server->began_ms);

    (void)json_object_set_new(status, "rates", grc_history_rates_json());
    return status;
}

static json_t *answer(void *arg, const char *word, const json_t *details)
{
    struct grc_server *server = arg;

    if (strcmp(word, "status") == 0)
        return status_of(server);
    if (strcmp(word, "explain") == 0)
        return grc_explain_json(grc_gateway_runtime(server->gateway), details);
    return strcmp(word, "reload") == 0 ? grc_server_reload(server) : NULL;
}

/* --- stop --- */

static bool is_stop(int received)
{
    return received == SIGTERM || received == SIGINT || received == SIGQUIT;
}

static const char *name_of(int received)
{
    return received == SIGTERM ? "SIGTERM" : received == SIGINT ? "SIGINT" : "SIGQUIT";
}

/* Some of these may be NULL after a failed start. */
static void free_all(struct grc_server *server)
{
    (void)grc_http_stop(server->http);
    (void)grc_http_stop(server->admin);
    grc_gateway_free(server->gateway);
    grc_http_free(server->http);
    grc_http_free(server->admin);
}

/* Waits for a signal, or the timeout (-1: none), watches the certificates and answers commands.
 * Returns 0 if no signal came; it may return before the timeout. */
static int wait_signal(struct grc_server *server, int timeout_ms)
{
    struct pollfd ready[] = {
        {.fd = server->signals, .events = POLLIN},
        {.fd = grc_admin_socket_fd(server->socket), .events = POLLIN},
    };
    struct signalfd_siginfo info;
    bool watched = grc_http_watch(server->http);

    if (server->admin && grc_http_watch(server->admin))
        watched = true;
    if (watched && (timeout_ms < 0 || timeout_ms > 1000))
        timeout_ms = 1000;
    if (poll(ready, 2, timeout_ms) <= 0)
        return 0;
    if (ready[0].revents && read(server->signals, &info, sizeof(info)) == (ssize_t)sizeof(info))
        return (int)info.ssi_signo;
    if (ready[1].revents)
        grc_admin_socket_serve(server->socket, answer, server);
    return 0;
}

static void reopen_log(struct grc_server *server)
{
    grc_log_target_reopen(grc_gateway_runtime(server->gateway)->settings);
}

/* Returns true after a second signal to stop. */
static bool wait_while_stopping(void *arg, int timeout_ms)
{
    int received = wait_signal(arg, timeout_ms);

    if (received == SIGUSR1)
        reopen_log(arg);
    return is_stop(received);
}

static void stop(struct grc_server *server, int received)
{
    const struct grc_stop stop = {.http = server->http,
                                  .admin = server->admin,
                                  .gateway = server->gateway,
                                  .signal = name_of(received),
                                  .wait = wait_while_stopping,
                                  .arg = server};

    grc_notify("STOPPING=1");
    server->stopping = true;
    grc_stop(&stop);
}

int grc_run(const char *config_dir)
{
    struct grc_server server = {.config_dir = config_dir, .began_ms = grc_mono_ms()};
    sigset_t signals;
    int received = 0;

    bool blocked = block_signals(&signals);
    server.signals = blocked ? signalfd(-1, &signals, SFD_CLOEXEC) : -1;
    if (server.signals < 0) {
        grc_error("signals cannot be set up: %s", strerror(errno));
        return GRC_EXIT_FAILED;
    }
    int status = start(&server);
    while (status == GRC_EXIT_OK) {
        received = wait_signal(&server, -1);
        if (received == SIGHUP)
            json_decref(grc_server_reload(&server));
        else if (received == SIGUSR1)
            reopen_log(&server);
        else if (is_stop(received))
            break;
    }
    if (status == GRC_EXIT_OK)
        stop(&server, received);
    else
        free_all(&server);
    grc_history_stop();
    grc_admin_socket_close(server.socket);
    close(server.signals);
    json_decref(server.config);
    if (status == GRC_EXIT_OK)
        grc_info("stopped");
    grc_log_queue_stop();
    return status;
}
