#include "server/run.h"
#include "plugin/fault.h"

#include "base/clock.h"
#include "base/exit.h"
#include "base/log.h"
#include "base/privileges.h"
#include "config/env.h"
#include "config/ownership.h"
#include "config/show.h"
#include "plugin/module.h"
#include "server/admin_socket.h"
#include "server/changes.h"
#include "server/explain.h"
#include "server/gateway.h"
#include "server/history.h"
#include "server/log_target.h"
#include "server/metrics_page.h"
#include "server/notify.h"
#include "server/recent.h"
#include "server/status.h"
#include "server/stop.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <unistd.h>

struct server {
    const char *config_dir;
    struct grc_gateway *gateway;
    struct grc_http *http;
    struct grc_http *admin;          /* NULL: none configured */
    struct grc_admin_socket *socket; /* NULL: it could not be made */
    struct grc_reload_state reloads;
    json_t *config; /* values of the current config, to find the changes of a reload */
    bool stopping;
    int signals; /* a signalfd */
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

/* Blocks signals in all threads, which inherit the mask; the main thread reads them from a
 * signalfd. */
static bool block_signals(sigset_t *set)
{
    static const int awaited[] = {SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGUSR1};
    /* Others that would end the process, and mean nothing to it. A write beyond the limit of a
     * file's size (SIGXFSZ) fails like any other. */
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

static struct grc_http *listen_on(struct server *server, const struct grc_listen *listen,
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

static bool listen_all(struct server *server)
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

/* The files were read as root. Warns of those that the configured user cannot read at a reload. */
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

/* Called after the privileges were dropped, since they would have to be dropped in its thread too.
 */
static bool start_log_queue(const struct server *server)
{
    const struct grc_settings *settings = grc_gateway_runtime(server->gateway)->settings;

    if (grc_log_queue_start((size_t)settings->log_buffer_bytes))
        return true;
    grc_error("there is not enough memory for log.buffer");
    return false;
}

/* As the user that it will be opened as again. */
static bool prepare_log(const struct server *server)
{
    char *reason = NULL;

    if (grc_log_target_prepare(grc_gateway_runtime(server->gateway)->settings, &reason))
        return true;
    grc_error("%s", reason ? reason : "out of memory");
    free(reason);
    return false;
}

static int start(struct server *server)
{
    if (!init_libraries())
        return GRC_EXIT_FAILED;
    grc_show_begin(true);
    struct grc_runtime *runtime =
        grc_runtime_new(server->config_dir, GRC_RUNTIME_CHECK, report, NULL);
    server->config = grc_show_end();
    if (!runtime)
        return GRC_EXIT_CONFIG;
    grc_log_target_style(runtime->settings);
    grc_http_warn_unchecked(runtime->settings);
    grc_config_warn_owners(runtime->settings);
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

/* --- reload --- */

static bool same_text(const char *a, const char *b)
{
    return strcmp(a ? a : "", b ? b : "") == 0;
}

static bool same_listen(const struct grc_listen *a, const struct grc_listen *b)
{
    return same_text(a->address, b->address) && a->port == b->port && a->tls == b->tls &&
           a->proxy_protocol == b->proxy_protocol;
}

/* Whether settings have changed that only a restart can apply. */
static bool needs_restart(const struct grc_settings *old, const struct grc_settings *new)
{
    bool same = same_listen(&old->admin, &new->admin);

    same = same && same_text(old->user, new->user) && same_text(old->group, new->group);
    same = same && old->listen_count == new->listen_count && old->workers == new->workers &&
           old->connections_max == new->connections_max &&
           old->admin_workers == new->admin_workers &&
           old->header_timeout_ms == new->header_timeout_ms &&
           old->keep_alive_timeout_ms == new->keep_alive_timeout_ms &&
           old->header_max_bytes == new->header_max_bytes &&
           old->uri_max_bytes == new->uri_max_bytes && old->core_dumps == new->core_dumps &&
           old->log_buffer_bytes == new->log_buffer_bytes;
    for (size_t i = 0; same && i < old->listen_count; i++)
        same = same_listen(&old->listen[i], &new->listen[i]);
    return !same;
}

/* Reports a problem to the log and to the client of the admin socket. */
static void report_reload(void *arg, const char *line)
{
    report(NULL, line);
    json_array_append_new(arg, json_string(line));
}

static bool prepare_listener(struct grc_http *http, const struct grc_settings *settings,
                             json_t *problems)
{
    char *reason = NULL;

    if (!http || grc_http_prepare(http, settings, &reason))
        return true;
    report_reload(problems, reason ? reason : "out of memory");
    free(reason);
    return false;
}

static bool prepare_log_again(const struct grc_settings *settings, json_t *problems)
{
    char *reason = NULL;

    if (grc_log_target_prepare(settings, &reason))
        return true;
    report_reload(problems, reason ? reason : "out of memory");
    free(reason);
    return false;
}

static void settle(struct server *server, bool take_over)
{
    grc_log_target_settle(take_over);
    grc_http_settle(server->http, take_over);
    grc_http_settle(server->admin, take_over);
}

/* Makes the next runtime, ready to serve. Steps that can fail come before steps with an effect:
 * certificates are checked before plugins start, and used afterwards. NULL: nothing has changed. */
static struct grc_runtime *next_runtime(struct server *server, json_t *problems)
{
    struct grc_runtime *runtime =
        grc_runtime_new(server->config_dir, GRC_RUNTIME_CHECK, report_reload, problems);
    bool fine = runtime && prepare_listener(server->http, runtime->settings, problems) &&
                prepare_listener(server->admin, runtime->settings, problems) &&
                prepare_log_again(runtime->settings, problems) &&
                grc_runtime_serve(runtime, report_reload, problems);

    settle(server, fine);
    if (fine)
        return runtime;
    grc_runtime_unref(runtime);
    return NULL;
}

/* The names of the groups that one runtime has and the other has not. */
static json_t *groups_only_in(const struct grc_runtime *one, const struct grc_runtime *other)
{
    json_t *names = json_array();

    for (size_t i = 0; i < one->plugin_count; i++) {
        const struct grc_plugin *plugin = one->plugins[i];
        bool found = false;

        for (size_t j = 0; j < other->plugin_count && !found; j++)
            found = other->plugins[j]->state == GRC_LOAD_OK &&
                    strcmp(other->plugins[j]->self.name, plugin->self.name) == 0;
        if (plugin->state == GRC_LOAD_OK && !found)
            json_array_append_new(names, json_string(plugin->self.name));
    }
    return names;
}

static const char *build_id_of(const struct grc_plugin *plugin)
{
    return plugin->module ? grc_module_elf(plugin->module)->build_id : "";
}

/* The names of the groups that both runtimes have, but with different code. */
static json_t *groups_with_new_code(const struct grc_runtime *one, const struct grc_runtime *other)
{
    json_t *names = json_array();

    for (size_t i = 0; i < one->plugin_count; i++) {
        const struct grc_plugin *plugin = one->plugins[i];

        for (size_t j = 0; plugin->state == GRC_LOAD_OK && j < other->plugin_count; j++) {
            const struct grc_plugin *before = other->plugins[j];

            if (before->state == GRC_LOAD_OK && strcmp(before->self.name, plugin->self.name) == 0 &&
                strcmp(build_id_of(before), build_id_of(plugin)) != 0)
                json_array_append_new(names, json_string(plugin->self.name));
        }
    }
    return names;
}

static json_t *refused(struct server *server, json_t *problems)
{
    server->reloads.failed = true;
    grc_metrics_page_reload(server->reloads.generation, true, server->reloads.at_ms);
    grc_recent_config(&server->reloads);
    grc_error("the new config does not work; going on with the old one");
    return json_pack("{s:b, s:o}", "ok", false, "problems", problems);
}

/* Returns the outcome, for the client of the admin socket. */
static json_t *reload(struct server *server)
{
    struct grc_runtime *old = grc_gateway_runtime(server->gateway);
    json_t *problems = json_array();

    grc_info("reloading %s", server->config_dir);
    server->reloads.at_ms = grc_now_ms();
    grc_show_begin(true);
    struct grc_runtime *runtime = next_runtime(server, problems);
    json_t *config = grc_show_end();
    if (!runtime) {
        json_decref(config);
        return refused(server, problems);
    }
    bool restart = needs_restart(old->settings, runtime->settings);
    if (restart)
        grc_warn("listeners, workers, connections_max, users, log.buffer, and limits and timeouts "
                 "of heads change at the "
                 "next start");
    grc_log_target_style(runtime->settings);
    server->reloads.failed = false;
    server->reloads.generation++;
    grc_metrics_page_reload(server->reloads.generation, false, server->reloads.at_ms);
    grc_recent_config(&server->reloads);
    json_t *answer = json_pack(
        "{s:b, s:o, s:o, s:i, s:I, s:I, s:o, s:o, s:b, s:o}", "ok", true, "changed",
        grc_changes(server->config, config), "new_code", groups_with_new_code(runtime, old),
        "generation", (int)server->reloads.generation, "groups", (json_int_t)count_groups(runtime),
        "routes", (json_int_t)runtime->route_count, "added", groups_only_in(runtime, old),
        "removed", groups_only_in(old, runtime), "restart_needed", restart, "left_out", problems);
    json_decref(server->config);
    server->config = config;
    grc_gateway_swap(server->gateway, runtime);
    /* Logged last: requests that are sent after this line get the new config. */
    grc_info("reloaded: %zu groups, %zu routes", count_groups(runtime), runtime->route_count);
    return answer;
}

static json_t *reload_told(struct server *server)
{
    if (server->stopping)
        return json_pack("{s:b, s:[s]}", "ok", false, "problems", "the gateway is stopping");
    grc_notify_reloading();
    json_t *answer = reload(server);
    grc_notify("READY=1");
    return answer;
}

/* --- answers to commands --- */

static json_t *status_of(const struct server *server)
{
    json_t *status = grc_status(grc_gateway_runtime(server->gateway), server->http, server->admin,
                                &server->reloads, grc_mono_ms() - server->began_ms);

    (void)json_object_set_new(status, "rates", grc_history_rates_json());
    return status;
}

static json_t *answer(void *arg, const char *word, const json_t *details)
{
    struct server *server = arg;

    if (strcmp(word, "status") == 0)
        return status_of(server);
    if (strcmp(word, "explain") == 0)
        return grc_explain_json(grc_gateway_runtime(server->gateway), details);
    return strcmp(word, "reload") == 0 ? reload_told(server) : NULL;
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
static void free_all(struct server *server)
{
    (void)grc_http_stop(server->http);
    (void)grc_http_stop(server->admin);
    grc_gateway_free(server->gateway);
    grc_http_free(server->http);
    grc_http_free(server->admin);
}

/* Waits for a signal, or the timeout (-1: none), watches the certificates and answers commands.
 * Returns 0 if no signal came; it may return before the timeout. */
static int wait_signal(struct server *server, int timeout_ms)
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

static void reopen_log(struct server *server)
{
    grc_log_target_reopen(grc_gateway_runtime(server->gateway)->settings);
}

/* true: a second signal to stop. */
static bool wait_while_stopping(void *arg, int timeout_ms)
{
    int received = wait_signal(arg, timeout_ms);

    if (received == SIGUSR1)
        reopen_log(arg);
    return is_stop(received);
}

static void stop(struct server *server, int received)
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

int grc_run(const struct grc_run_options *options)
{
    struct server server = {.config_dir = options->config_dir, .began_ms = grc_mono_ms()};
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
            json_decref(reload_told(&server));
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
