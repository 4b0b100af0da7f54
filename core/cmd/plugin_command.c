/* Commands that plugins bring along. */
#include "base/log.h"
#include "call/call.h"
#include "cmd/cmd.h"
#include "config/env.h"

#include <stdio.h>
#include <stdlib.h>

/* How many words of argv the command's name is; 0: it is another command. */
static int match(const struct gr_command *command, int argc, char **argv)
{
    const char *space = strchr(command->name, ' ');
    size_t first = space ? (size_t)(space - command->name) : strlen(command->name);

    if (strlen(argv[0]) != first || memcmp(argv[0], command->name, first) != 0)
        return 0;
    if (!space)
        return 1;
    return argc > 1 && strcmp(argv[1], space + 1) == 0 ? 2 : 0;
}

struct found {
    struct grc_plugin *plugin;
    const struct gr_command *command;
    int words;
};

/* "token agent" wins over "token". */
static struct found find(const struct grc_runtime *runtime, int argc, char **argv)
{
    struct found found = {.words = 0};
    size_t i;

    for (i = 0; i < runtime->plugin_count; i++) {
        struct grc_plugin *plugin = runtime->plugins[i];
        const struct gr_command *command = plugin->desc ? plugin->desc->commands : NULL;

        for (; plugin->state == GRC_LOAD_OK && command && command->name; command++) {
            int words = match(command, argc, argv);

            if (words > found.words)
                found = (struct found){plugin, command, words};
        }
    }
    return found;
}

/* Opens the store and brings the plugin's tables up to date. false: said why. */
static bool open_store(struct grc_runtime *runtime, const struct grc_plugin *plugin)
{
    char *reason = NULL;

    if (!plugin->desc->migrations || runtime->store)
        return true;
    if (!runtime->settings->store) {
        grc_complain("%s keeps data, and no store is configured", plugin->desc->name);
        return false;
    }
    runtime->store = grc_store_open(runtime->settings->store, &reason);
    if (runtime->store &&
        grc_store_migrate(runtime->store, plugin->desc->name, plugin->desc->migrations,
                          sizeof(struct gr_migration), &reason) == GR_OK)
        return true;
    grc_complain("%s", reason ? reason : "the store cannot be opened");
    free(reason);
    return false;
}

static int run(struct grc_runtime *runtime, const struct found *found, int argc, char **argv)
{
    struct grc_call *call = calloc(1, sizeof(*call));
    int status;

    if (!call) {
        grc_complain("out of memory");
        return GRC_EXIT_FAILED;
    }
    grc_call_begin(call, runtime, found->plugin);
    status = found->command->run(&call->pub, found->plugin->options, argc, argv);
    if (status == GRC_EXIT_USAGE)
        fprintf(stderr, "usage: greenroom [-c DIR] %s %s\n", found->command->name,
                found->command->usage ? found->command->usage : "");
    grc_call_done(call);
    free(call);
    return grc_print_done(status);
}

bool grc_plugin_command(const struct grc_cli *cli, int argc, char **argv, int *ret_status)
{
    struct grc_runtime *runtime;
    struct found found;

    grc_log_plain_set(true);
    grc_log_level_set(GR_LOG_WARN);
    runtime = grc_runtime_new(cli->config_dir, GRC_RUNTIME_TABLES, grc_cli_report, NULL);
    if (!runtime) {
        *ret_status = GRC_EXIT_CONFIG;
        return false;
    }
    found = find(runtime, argc, argv);
    if (found.command) {
        /* The plugin sees the last word of its name as argv[0]. */
        int skip = found.words - 1;

        *ret_status = GRC_EXIT_FAILED;
        if (open_store(runtime, found.plugin))
            *ret_status = run(runtime, &found, argc - skip, argv + skip);
    }
    grc_runtime_unref(runtime);
    return found.command != NULL;
}

void grc_plugin_commands_print(const struct grc_cli *cli)
{
    struct grc_settings *settings;
    size_t i;

    grc_log_level_set(GR_LOG_ERROR);
    grc_env_lenient_set(true);
    settings = grc_settings_load(cli->config_dir, NULL, NULL);
    for (i = 0; settings && i < settings->plugin_count; i++) {
        struct grc_plugin *plugin = grc_plugin_load(settings, &settings->plugins[i]);
        bool shown = plugin && plugin->state == GRC_LOAD_OK && plugin->desc->commands;
        const struct gr_command *command = shown ? plugin->desc->commands : NULL;

        for (; command && command->name; command++)
            printf("  %s %s\n      %s (%s)\n", command->name, command->usage ? command->usage : "",
                   command->summary, plugin->desc->name);
        grc_plugin_free(plugin);
    }
    grc_settings_free(settings);
}
