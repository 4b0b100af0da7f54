#include "server/run.h"

#include "base/clock.h"
#include "base/exit.h"
#include "base/log.h"
#include "base/privileges.h"
#include "config/env.h"
#include "server/gateway.h"
#include "server/metrics_page.h"
#include "server/notify.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

struct server {
    const char *config_dir;
    struct grc_gateway *gateway;
    struct grc_http *http;
    struct grc_http *admin; /* NULL: none configured */
    int64_t began_ms;
};

static void report(void *arg, const char *line)
{
    (void)arg;
    if (strncmp(line, GRC_LEFT_OUT, strlen(GRC_LEFT_OUT)) == 0)
        grc_warn("%s", line);
    else
        grc_error("%s", line);
}

/* --- start --- */

/* Signals are waited for by the main thread alone: every thread made later inherits the mask. */
static bool block_signals(sigset_t *set)
{
    struct sigaction ignore = {.sa_handler = SIG_IGN};

    sigemptyset(set);
    sigaddset(set, SIGTERM);
    sigaddset(set, SIGINT);
    sigaddset(set, SIGHUP);
    return pthread_sigmask(SIG_BLOCK, set, NULL) == 0 && sigaction(SIGPIPE, &ignore, NULL) == 0;
}

static bool init_libraries(void)
{
    json_object_seed(0); /* before threads: seeding is not thread-safe */
    grc_http_global_init();
    if (!grc_upstreams_global_init()) {
        grc_error("libcurl cannot be initialised");
        return false;
    }
    return true;
}

static void apply_log(const struct grc_settings *settings)
{
    grc_log_level_set(settings->log_level);
    grc_log_plain_set(settings->log_plain);
}

static struct grc_http *listen_on(struct server *server, const struct grc_listen *listen,
                                  size_t count, int64_t workers, bool admin)
{
    const struct grc_runtime *runtime = grc_gateway_runtime(server->gateway);
    struct grc_http_handler handler = grc_gateway_handler(server->gateway);
    char *reason = NULL;
    struct grc_http *http =
        grc_http_start(listen, count, workers, admin, runtime->settings, &handler, &reason);

    if (!http)
        grc_error("cannot listen on %s", reason ? reason : "any address");
    free(reason);
    return http;
}

static bool listen_all(struct server *server)
{
    const struct grc_settings *settings = grc_gateway_runtime(server->gateway)->settings;

    if (settings->admin.address) {
        server->admin = listen_on(server, &settings->admin, 1, settings->admin_workers, true);
        if (!server->admin)
            return false;
    }
    server->http =
        listen_on(server, settings->listen, settings->listen_count, settings->workers, false);
    return server->http != NULL;
}

/* Ports below 1024 and the keys of HTTPS are for root alone, and nothing else is. */
static bool listen_as_root(struct server *server)
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

/* The files were read as root. Those that the user cannot read are missed when it reloads. */
static void try_reload_as_user(const struct server *server, const struct grc_settings *settings)
{
    if (!settings->user || geteuid() == 0 || getuid() != 0)
        return;
    grc_runtime_unref(grc_runtime_new(server->config_dir, GRC_RUNTIME_CHECK, warn_of_reload,
                                      (void *)(uintptr_t)settings->user));
}

static size_t count_groups(const struct grc_runtime *runtime)
{
    size_t count = 0;

    for (size_t i = 0; i < runtime->plugin_count; i++)
        count += runtime->plugins[i]->state == GRC_LOAD_OK && runtime->plugins[i]->module;
    return count;
}

static void say_started(const struct server *server)
{
    const struct grc_runtime *runtime = grc_gateway_runtime(server->gateway);
    const struct grc_settings *settings = runtime->settings;

    for (size_t i = 0; i < settings->listen_count; i++)
        grc_info("listening on %s://%s:%u", settings->listen[i].tls ? "https" : "http",
                 settings->listen[i].address, grc_http_port(server->http, i));
    if (server->admin)
        grc_info("admin listening on %s://%s:%u", settings->admin.tls ? "https" : "http",
                 settings->admin.address, grc_http_port(server->admin, 0));
    grc_info("ready after %lld ms: %zu groups, %zu routes, %u workers",
             (long long)(grc_mono_ms() - server->began_ms), count_groups(runtime),
             runtime->route_count, grc_http_workers(server->http));
}

/* After everything that only root may do: its thread must not be one more to take that from. */
static bool start_log_queue(const struct server *server)
{
    const struct grc_settings *settings = grc_gateway_runtime(server->gateway)->settings;

    if (grc_log_queue_start((size_t)settings->log_buffer_bytes))
        return true;
    grc_error("there is not enough memory for log.buffer");
    return false;
}

static int start(struct server *server)
{
    if (!init_libraries())
        return GRC_EXIT_FAILED;
    struct grc_runtime *runtime =
        grc_runtime_new(server->config_dir, GRC_RUNTIME_CHECK, report, NULL);
    if (!runtime)
        return GRC_EXIT_CONFIG;
    apply_log(runtime->settings);
    grc_http_warn_unchecked(runtime->settings);
    grc_env_scrub(); /* everything has been read, and there are no threads yet */
    bool settled = settle_process(runtime->settings);
    if (settled)
        try_reload_as_user(server, runtime->settings);
    if (!settled || !grc_runtime_serve(runtime, report, NULL)) {
        grc_runtime_unref(runtime);
        return GRC_EXIT_FAILED;
    }
    server->gateway = grc_gateway_new(runtime);
    if (!server->gateway) {
        grc_error("out of memory");
        return GRC_EXIT_FAILED;
    }
    if (!listen_as_root(server))
        return GRC_EXIT_LISTEN;
    if (!start_log_queue(server))
        return GRC_EXIT_FAILED;
    grc_metrics_page_listeners(server->http, server->admin);
    say_started(server);
    grc_notify("READY=1");
    return GRC_EXIT_OK;
}

/* --- reload --- */

static bool same_text(const char *a, const char *b)
{
    return strcmp(a ? a : "", b ? b : "") == 0;
}

static bool same_listen(const struct grc_listen *a, const struct grc_listen *b)
{
    return same_text(a->address, b->address) && a->port == b->port && a->tls == b->tls;
}

/* What CivetWeb was started with cannot change under it. */
static bool needs_restart(const struct grc_settings *old, const struct grc_settings *new)
{
    bool same = same_listen(&old->admin, &new->admin);

    same = same && same_text(old->user, new->user) && same_text(old->group, new->group);
    same = same && old->listen_count == new->listen_count && old->workers == new->workers &&
           old->workers_batch == new->workers_batch && old->admin_workers == new->admin_workers &&
           old->header_timeout_ms == new->header_timeout_ms &&
           old->keep_alive_timeout_ms == new->keep_alive_timeout_ms &&
           old->header_max_bytes == new->header_max_bytes &&
           old->uri_max_bytes == new->uri_max_bytes && old->core_dumps == new->core_dumps &&
           old->log_buffer_bytes == new->log_buffer_bytes;
    for (size_t i = 0; same && i < old->listen_count; i++)
        same = same_listen(&old->listen[i], &new->listen[i]);
    return !same;
}

static bool reload_tls(struct server *server, const struct grc_settings *settings)
{
    struct grc_http *const both[] = {server->http, server->admin};

    for (size_t i = 0; i < sizeof(both) / sizeof(both[0]); i++) {
        char *reason = NULL;

        if (!both[i] || grc_http_reload(both[i], settings, &reason))
            continue;
        grc_error("%s", reason ? reason : "out of memory");
        free(reason);
        return false;
    }
    return true;
}

static void reload(struct server *server)
{
    const struct grc_settings *old = grc_gateway_runtime(server->gateway)->settings;

    grc_info("reloading %s", server->config_dir);
    struct grc_runtime *runtime =
        grc_runtime_new(server->config_dir, GRC_RUNTIME_SERVE, report, NULL);
    if (!runtime || !reload_tls(server, runtime->settings)) {
        grc_error("the new config does not work; going on with the old one");
        grc_runtime_unref(runtime);
        return;
    }
    if (needs_restart(old, runtime->settings))
        grc_warn(
            "listeners, workers, users, log.buffer, and limits and timeouts of heads change at the "
            "next start");
    apply_log(runtime->settings);
    size_t groups = count_groups(runtime);
    size_t routes = runtime->route_count;
    grc_gateway_swap(server->gateway, runtime);
    grc_info("reloaded: %zu groups, %zu routes", groups, routes);
}

/* --- stop --- */

static void drain(struct server *server, int received)
{
    const struct timespec pause = {.tv_nsec = 10 * 1000000L};
    int64_t timeout_ms = grc_gateway_runtime(server->gateway)->settings->drain_timeout_ms;
    int64_t deadline_ms = grc_mono_ms() + timeout_ms;

    grc_http_drain(server->http);
    if (server->admin)
        grc_http_drain(server->admin);
    /* Only now: a client that reads this in the log will be told. */
    grc_info("stopping on %s", received == SIGTERM ? "SIGTERM" : "SIGINT");
    while (grc_http_active(server->http) > 0 && grc_mono_ms() < deadline_ms)
        nanosleep(&pause, NULL);
    if (grc_http_active(server->http) > 0)
        grc_warn("%u requests did not end within %lld ms", grc_http_active(server->http),
                 (long long)timeout_ms);
}

static void stop(struct server *server)
{
    grc_metrics_page_listeners(NULL, NULL);
    grc_http_stop(server->http);
    grc_http_stop(server->admin);
    grc_gateway_free(server->gateway);
    grc_http_free(server->http);
    grc_http_free(server->admin);
}

/* Looks after certificates while it waits, if there are any. 0: no signal came. */
static int wait_signal(const struct server *server, const sigset_t *signals)
{
    const struct timespec pause = {.tv_sec = 1};
    bool watched = grc_http_watch(server->http);
    int received = 0;

    if (server->admin && grc_http_watch(server->admin))
        watched = true;
    if (watched)
        received = sigtimedwait(signals, NULL, &pause);
    else if (sigwait(signals, &received) != 0)
        received = 0;
    return received > 0 ? received : 0;
}

int grc_run(const struct grc_run_options *options)
{
    struct server server = {.config_dir = options->config_dir, .began_ms = grc_mono_ms()};
    sigset_t signals;
    int received = 0;

    if (!block_signals(&signals)) {
        grc_error("signals cannot be set up: %s", strerror(errno));
        return GRC_EXIT_FAILED;
    }
    int status = start(&server);
    while (status == GRC_EXIT_OK) {
        received = wait_signal(&server, &signals);
        if (received == SIGHUP) {
            grc_notify_reloading();
            reload(&server);
            grc_notify("READY=1");
        } else if (received != 0) {
            break;
        }
    }
    if (status == GRC_EXIT_OK) {
        grc_notify("STOPPING=1");
        drain(&server, received);
    }
    stop(&server);
    if (status == GRC_EXIT_OK)
        grc_info("stopped");
    grc_log_queue_stop();
    return status;
}
