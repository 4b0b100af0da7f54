/* Applies the config again while the gateway serves. */
#include "base/clock.h"
#include "base/format.h"
#include "base/log.h"
#include "config/show.h"
#include "plugin/module.h"
#include "server/changes.h"
#include "server/log_target.h"
#include "server/metrics_page.h"
#include "server/notify.h"
#include "server/recent.h"
#include "server/server.h"

#include <stdlib.h>

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
    grc_runtime_log(NULL, line);
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

static void settle(struct grc_server *server, bool take_over)
{
    grc_log_target_settle(take_over);
    grc_http_settle(server->http, take_over);
    grc_http_settle(server->admin, take_over);
}

/* Makes the next runtime, ready to serve. Steps that can fail come before steps with an effect:
 * certificates are checked before plugins start, and used afterwards. NULL: nothing has changed. */
static struct grc_runtime *next_runtime(struct grc_server *server, json_t *problems)
{
    struct grc_runtime *runtime =
        grc_runtime_new(server->config_dir, GRC_RUNTIME_READY, report_reload, problems);
    bool fine = runtime && grc_runtime_try(runtime, report_reload, problems) &&
                prepare_listener(server->http, runtime->settings, problems) &&
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

static json_t *refused(struct grc_server *server, json_t *problems)
{
    server->reloads.failed = true;
    grc_metrics_page_reload(server->reloads.generation, true, server->reloads.at_ms);
    grc_recent_config(&server->reloads);
    grc_error("the new config does not work; going on with the old one");
    return json_pack("{s:b, s:o}", "ok", false, "problems", problems);
}

/* Returns the outcome, for the client of the admin socket. */
static json_t *reload(struct grc_server *server)
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
    size_t groups = grc_runtime_group_count(runtime);
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
        "generation", (int)server->reloads.generation, "groups", (json_int_t)groups, "routes",
        (json_int_t)runtime->route_count, "added", groups_only_in(runtime, old), "removed",
        groups_only_in(old, runtime), "restart_needed", restart, "left_out", problems);
    json_decref(server->config);
    server->config = config;
    grc_gateway_swap(server->gateway, runtime);
    /* Logged last: requests that are sent after this line get the new config. */
    grc_info("reloaded: %zu group%s, %zu route%s", groups, grc_plural(groups), runtime->route_count,
             grc_plural(runtime->route_count));
    return answer;
}

json_t *grc_server_reload(struct grc_server *server)
{
    if (server->stopping)
        return json_pack("{s:b, s:[s]}", "ok", false, "problems", "the gateway is stopping");
    grc_notify_reloading();
    json_t *answer = reload(server);
    grc_notify("READY=1");
    return answer;
}
