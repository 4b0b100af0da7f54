#include "base/format.h"
#include "base/privileges.h"
#include "cmd/cmd.h"
#include "config/ownership.h"
#include "http/http.h"
#include "server/runtime_build.h"
#include "upstream/upstream.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* Plugins that are left out because of on_error = "skip". */
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

/* Tries every listener, so that all problems are reported at once. */
static bool try_listeners(const struct grc_settings *settings)
{
    bool fine = true;

    for (size_t i = 0; i <= settings->listen_count; i++) {
        const struct grc_listen *listen =
            i < settings->listen_count ? &settings->listen[i] : &settings->admin;
        char *reason = NULL;

        if (!listen->address || grc_http_try(listen, &reason))
            continue;
        grc_complain("cannot listen on %s", reason ? reason : "an address");
        free(reason);
        fine = false;
    }
    return fine;
}

/* The gateway itself loads libcurl only when it first calls an upstream. */
static bool check_libcurl(void)
{
    char reason[GRC_LIBRARY_REASON];

    if (grc_upstreams_load_library(reason))
        return true;
    grc_complain("libcurl cannot be loaded: %s", reason);
    return false;
}

static void warn_of_reload(void *arg, const char *line)
{
    grc_complain("as user '%s', a reload would fail: %s", (const char *)arg, line);
}

/* Drops the privileges like the gateway, and warns of files that it could not read at a reload.
 * Returns false after complaining if they cannot be dropped. */
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

struct check_args {
    bool listen;
};

static int check(const struct grc_cli *cli, const void *args, int count, char **words)
{
    struct grc_runtime *runtime;
    size_t skipped;
    size_t loaded;

    const struct check_args *asked = args;

    (void)count;
    (void)words;
    grc_cli_quiet(GR_LOG_WARN, false);
    runtime = grc_runtime_new(cli->config_dir, GRC_RUNTIME_CHECK, grc_cli_report, NULL);
    if (!runtime)
        return GRC_EXIT_CONFIG;
    grc_http_warn_unchecked(runtime->settings);
    grc_config_warn_owners(runtime->settings);
    if (asked->listen && !try_listeners(runtime->settings)) {
        grc_runtime_unref(runtime);
        return GRC_EXIT_LISTEN;
    }
    if (!check_listeners(runtime->settings) || !check_user(cli, runtime->settings)) {
        grc_runtime_unref(runtime);
        return GRC_EXIT_CONFIG;
    }
    if (!check_libcurl()) {
        grc_runtime_unref(runtime);
        return GRC_EXIT_FAILED;
    }
    skipped = count_skipped(runtime);
    loaded = count_loaded(runtime);
    printf("%s: fine: %zu plugin%s, %zu route%s", cli->config_dir, loaded, grc_plural(loaded),
           runtime->route_count, grc_plural(runtime->route_count));
    if (skipped > 0)
        printf(", %zu plugin%s left out", skipped, grc_plural(skipped));
    putchar('\n');
    grc_runtime_unref(runtime);
    return grc_print_done(GRC_EXIT_OK);
}

static const struct grc_flag check_flags[] = {
    GRC_SWITCH(
        check_args, "--listen", listen,
        "Also try to listen on the configured addresses, which fails while a gateway runs with "
        "this config"),
    GRC_FLAG_END,
};

const struct grc_command grc_command_check = {
    .name = "check",
    .summary = "Check the config and every plugin, without listening",
    .detail =
        "Every mistake is reported with its file, line, column and path. Exit status 3 means that "
        "the gateway would not start, 4 that it could not listen on an address.",
    .flags = check_flags,
    .args_size = sizeof(struct check_args),
    .run = check,
};
