#include "base/log.h"
#include "base/privileges.h"
#include "cmd/cmd.h"
#include "http/http.h"
#include "server/runtime_build.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* Plugins that on_error = "skip" leaves out are said, though they are no failure. */
static size_t count_skipped(const struct grc_runtime *runtime)
{
    size_t skipped = 0;
    size_t i;

    for (i = 0; i < runtime->plugin_count; i++) {
        const struct grc_plugin *plugin = runtime->plugins[i];

        skipped += plugin->state != GRC_LOAD_OK && plugin->state != GRC_LOAD_DISABLED;
    }
    return skipped;
}

static size_t count_loaded(const struct grc_runtime *runtime)
{
    size_t loaded = 0;
    size_t i;

    for (i = 0; i < runtime->plugin_count; i++)
        loaded += runtime->plugins[i]->state == GRC_LOAD_OK && runtime->plugins[i]->module;
    return loaded;
}

static bool check_listeners(const struct grc_settings *settings)
{
    char *reason = NULL;

    if (grc_http_check(settings, &reason))
        return true;
    grc_complain("cannot listen on %s", reason);
    free(reason);
    return false;
}

static void warn_of_reload(void *arg, const char *line)
{
    grc_complain("as user '%s', a reload would fail: %s", (const char *)arg, line);
}

/* What the gateway would become, and what it could not read then. false: said why it cannot. */
static bool check_user(const struct grc_cli *cli, const struct grc_settings *settings)
{
    char *reason = NULL;

    if (!settings->user || geteuid() != 0)
        return true;
    if (!grc_privileges_lower(settings->user, settings->group, NULL, &reason)) {
        grc_complain("%s", reason ? reason : "out of memory");
        free(reason);
        return false;
    }
    grc_runtime_unref(grc_runtime_new(cli->config_dir, GRC_RUNTIME_CHECK, warn_of_reload,
                                      (void *)(uintptr_t)settings->user));
    return true;
}

int grc_cmd_check(const struct grc_cli *cli, int argc, char **argv)
{
    struct grc_runtime *runtime;
    size_t skipped;

    if (!grc_flags_take((const struct grc_flag[]){{NULL, NULL, NULL}}, &argc, argv) || argc > 1)
        return grc_usage_error(cli, NULL);
    grc_log_plain_set(true);
    grc_log_level_set(GR_LOG_WARN);
    runtime = grc_runtime_new(cli->config_dir, GRC_RUNTIME_CHECK, grc_cli_report, NULL);
    if (!runtime)
        return GRC_EXIT_CONFIG;
    grc_http_warn_unchecked(runtime->settings);
    if (!check_listeners(runtime->settings) || !check_user(cli, runtime->settings)) {
        grc_runtime_unref(runtime);
        return GRC_EXIT_CONFIG;
    }
    skipped = count_skipped(runtime);
    printf("%s: fine: %zu plugins, %zu routes", cli->config_dir, count_loaded(runtime),
           runtime->route_count);
    if (skipped > 0)
        printf(", %zu plugins left out", skipped);
    putchar('\n');
    grc_runtime_unref(runtime);
    return grc_print_done(GRC_EXIT_OK);
}
