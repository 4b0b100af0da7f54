/* The commands of plugins. */
#include "base/log.h"
#include "call/call.h"
#include "cmd/cmd.h"
#include "config/env.h"
#include "server/runtime_build.h"

#include <stdio.h>
#include <stdlib.h>

/* Returns how many words of argv are the name of the command, or 0 if it is another command. */
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

/* Finds the command of a plugin that argv begins with; the longest name is used. */
static const struct gr_command *find_in(const struct grc_plugin *plugin, int argc, char **argv,
                                        int *ret_words)
{
    bool loaded = plugin->state == GRC_LOAD_OK;
    const struct gr_command *command = loaded ? plugin->desc->commands : NULL;
    const struct gr_command *found = NULL;

    for (; command && command->name; command++) {
        int words = match(command, argc, argv);

        if (words > *ret_words) {
            *ret_words = words;
            found = command;
        }
    }
    return found;
}

/* Calls visit for each plugin that can be loaded. Needs no credentials and reports no problems. */
typedef void visit_fn(void *arg, const struct grc_plugin *plugin);
static void each_plugin(const struct grc_cli *cli, visit_fn *visit, void *arg)
{
    enum gr_log_level level = grc_log_level();
    struct grc_settings *settings;
    size_t i;

    grc_log_level_set(GR_LOG_ERROR);
    grc_env_lenient_set(true);
    settings = grc_settings_load(cli->config_dir, NULL, NULL);
    for (i = 0; settings && i < settings->plugin_count; i++) {
        struct grc_plugin *plugin = grc_plugin_load(settings, &settings->plugins[i]);

        if (plugin && plugin->state == GRC_LOAD_OK)
            visit(arg, plugin);
        grc_plugin_free(plugin);
    }
    grc_settings_free(settings);
    grc_env_lenient_set(false);
    grc_log_level_set(level);
}

/* --- running --- */

/* Opens the store and applies the plugin's migrations. Returns false after complaining. */
static bool open_store(struct grc_runtime *runtime, const struct grc_plugin *plugin)
{
    char *reason = NULL;

    if (!plugin->desc->migrations)
        return true;
    if (!grc_runtime_open_store(runtime, grc_cli_report, NULL))
        return false;
    if (grc_store_migrate(runtime->store, grc_plugin_migrations_name(plugin),
                          plugin->desc->migrations, sizeof(struct gr_migration), &reason) == GR_OK)
        return true;
    grc_complain("%s", reason ? reason : "the store cannot be migrated");
    free(reason);
    return false;
}

static int run(struct grc_runtime *runtime, struct grc_plugin *plugin,
               const struct gr_command *command, int argc, char **argv)
{
    struct grc_call *call = calloc(1, sizeof(*call));
    int status;

    if (!call) {
        grc_complain("out of memory");
        return GRC_EXIT_FAILED;
    }
    grc_call_begin(call, runtime, plugin);
    status = command->run(&call->pub, plugin->options, argc, argv);
    if (status == GRC_EXIT_USAGE)
        fprintf(stderr, "usage: greenroom [-c DIR] %s %s\n", command->name,
                command->usage ? command->usage : "");
    grc_call_done(call);
    free(call);
    return grc_print_done(status);
}

/* The words of the command line, and whether a plugin has that command. */
struct asked {
    int argc;
    char **argv;
    bool known;
};

static void note_known(void *arg, const struct grc_plugin *plugin)
{
    struct asked *asked = arg;
    int words = 0;

    asked->known = asked->known || find_in(plugin, asked->argc, asked->argv, &words);
}

static int run_found(struct grc_runtime *runtime, int argc, char **argv)
{
    struct grc_plugin *owner = NULL;
    const struct gr_command *command = NULL;
    int words = 0;
    size_t i;

    for (i = 0; i < runtime->plugin_count; i++) {
        const struct gr_command *found = find_in(runtime->plugins[i], argc, argv, &words);

        if (found) {
            command = found;
            owner = runtime->plugins[i];
        }
    }
    if (!command || !open_store(runtime, owner))
        return GRC_EXIT_FAILED;
    /* argv[0] of the plugin is the last word of the command's name. */
    return run(runtime, owner, command, argc - words + 1, argv + words - 1);
}

bool grc_plugin_command(const struct grc_cli *cli, int argc, char **argv, int *ret_status)
{
    struct asked asked = {.argc = argc, .argv = argv};
    struct grc_runtime *runtime;

    each_plugin(cli, note_known, &asked);
    if (!asked.known)
        return false;
    grc_log_plain_set(true);
    grc_log_level_set(GR_LOG_WARN);
    runtime = grc_runtime_new(cli->config_dir, GRC_RUNTIME_COMMAND, grc_cli_report, NULL);
    *ret_status = runtime ? run_found(runtime, argc, argv) : GRC_EXIT_CONFIG;
    grc_runtime_unref(runtime);
    return true;
}

/* --- help --- */

static void print_commands(void *arg, const struct grc_plugin *plugin)
{
    const struct gr_command *command = plugin->desc->commands;

    bool *begun = arg;

    if (command && command->name && !*begun) {
        puts("\ncommands of plugins:");
        *begun = true;
    }
    for (; command && command->name; command++)
        printf("  %s%s%s\n      %s (%s)\n", command->name,
               command->usage && command->usage[0] ? " " : "", command->usage ? command->usage : "",
               command->summary, plugin->desc->name);
}

void grc_plugin_commands_print(const struct grc_cli *cli)
{
    bool begun = false;

    each_plugin(cli, print_commands, &begun);
}

static void print_page(void *arg, const struct grc_plugin *plugin)
{
    struct asked *asked = arg;
    int words = 0;
    const struct gr_command *command = find_in(plugin, asked->argc, asked->argv, &words);

    if (!command || asked->known)
        return;
    asked->known = true;
    printf("usage: greenroom [-c DIR] %s %s\n\n%s (a command of %s).\n", command->name,
           command->usage ? command->usage : "", command->summary, plugin->desc->name);
}

bool grc_plugin_command_help(const struct grc_cli *cli, int argc, char **argv)
{
    struct asked asked = {.argc = argc, .argv = argv};

    each_plugin(cli, print_page, &asked);
    return asked.known;
}
