/* The commands of plugins. */
#include "call/call.h"
#include "cmd/complete_store.h"
#include "cmd/plugin_rows.h"
#include "doc/schema.h"
#include "server/runtime_build.h"

#include <stdio.h>
#include <stdlib.h>

#define USAGE_MAX_BYTES ((size_t)16 * 1024)

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

/* --- running --- */

/* Opens the store and applies the plugin's migrations. Returns false after complaining. */
static bool open_store(struct grc_runtime *runtime, const struct grc_plugin *plugin,
                       struct grc_spare *ret_spare)
{
    char *reason = NULL;

    if (!plugin->desc->migrations)
        return true;
    if (grc_completes())
        return grc_complete_store_open(runtime, plugin, ret_spare);
    if (!grc_runtime_open_store(runtime, grc_cli_report, NULL))
        return false;
    if (grc_store_migrate(runtime->store, grc_plugin_migrations_name(plugin),
                          plugin->desc->migrations, sizeof(struct gr_migration), &reason) == GR_OK)
        return true;
    grc_complain("%s", reason ? reason : "the store cannot be migrated");
    free(reason);
    return false;
}

/* Turns the given flags into the query of the call. */
static bool put_query(struct grc_call *call, const struct gr_field *rows, size_t row_size,
                      const struct grc_flag *flags, const char *values)
{
    size_t count = 0;

    while (flags[count].name)
        count++;
    call->query = grc_arena_alloc(&call->arena, (count + 1) * sizeof(*call->query));
    for (size_t i = 0; i < count && call->query; i++) {
        const char *slot = values + flags[i].offset;
        const char *text = NULL;

        if (flags[i].type == GRC_FLAG_TEXT)
            memcpy(&text, slot, sizeof(text));
        else if (*(const bool *)slot)
            text = "true";
        if (text)
            call->query[call->query_count++] =
                (struct gr_pair){gr_str_of(grc_field_at(rows, row_size, i).name), gr_str_of(text)};
    }
    if (!call->query)
        grc_complain("out of memory");
    return call->query != NULL;
}

static void complain_of(struct grc_call *call, const struct gr_problem *problem)
{
    const char *flag = grc_plugin_flag_name(&call->arena, problem->where);

    grc_complain("%s: expected %s", flag ? flag : problem->where, problem->expected);
}

/* Complains about the first wrong value and returns false. */
static bool check_query(struct grc_call *call, const struct gr_field *rows, size_t row_size)
{
    char *reason = NULL;
    struct grc_schema *schema = grc_schema_members(rows, row_size, &reason);
    enum gr_err err = schema ? grc_schema_check_pairs(schema, &call->pub, "query", call->query,
                                                      call->query_count, &call->problems)
                             : GR_ERR_INTERNAL;

    if (!schema)
        grc_complain("%s", reason ? reason : "out of memory");
    else if (err != GR_OK && call->problems.count)
        complain_of(call, &call->problems.list[0]);
    else if (err != GR_OK)
        grc_complain("out of memory");
    free(reason);
    grc_schema_free(schema);
    return err == GR_OK;
}

/* Takes the flags out of the words after the command's name. Returns false after complaining. */
static bool take_flags(struct grc_call *call, const struct gr_command *command, int *argc,
                       char **argv)
{
    size_t row_size = call->plugin->desc->abi.field_size;
    size_t size = 0;

    if (!command->flags)
        return true;
    const struct grc_flag *flags = grc_plugin_flags(&call->arena, command->flags, row_size, &size);
    char *values = grc_arena_alloc(&call->arena, size + 1);
    int count = *argc - 1;
    if (!flags || !values) {
        grc_complain("out of memory");
        return false;
    }
    bool fine = grc_flags_take(flags, values, &count, argv + 1) &&
                put_query(call, command->flags, row_size, flags, values) &&
                check_query(call, command->flags, row_size);
    *argc = count + 1;
    return fine;
}

static void print_usage(const struct gr_command *command, size_t row_size)
{
    struct grc_arena arena;
    struct grc_buf usage;
    struct grc_command row = {.name = command->name, .words = command->usage};
    size_t size = 0;

    grc_arena_init(&arena, USAGE_MAX_BYTES);
    grc_buf_init(&usage, USAGE_MAX_BYTES);
    row.flags = grc_plugin_flags(&arena, command->flags, row_size, &size);
    (void)grc_help_usage(&usage, &row);
    fprintf(stderr, "usage: greenroom [-c DIR] %s%s\n", command->name, usage.ptr ? usage.ptr : "");
    grc_buf_done(&usage);
    grc_arena_done(&arena);
}

static int run(struct grc_runtime *runtime, struct grc_plugin *plugin,
               const struct gr_command *command, int argc, char **argv)
{
    struct grc_call *call = calloc(1, sizeof(*call));
    int status = GRC_EXIT_USAGE;

    if (!call) {
        grc_complain("out of memory");
        return GRC_EXIT_FAILED;
    }
    grc_call_begin(call, runtime, plugin);
    if (take_flags(call, command, &argc, argv))
        status = command->run(&call->pub, plugin->options, argc, argv);
    if (status == GRC_EXIT_USAGE)
        print_usage(command, plugin->desc->abi.field_size);
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

static int run_found(struct grc_runtime *runtime, int argc, char **argv,
                     struct grc_spare *ret_spare)
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
    if (!command || !open_store(runtime, owner, ret_spare))
        return GRC_EXIT_FAILED;
    /* argv[0] of the plugin is the last word of the command's name. */
    return run(runtime, owner, command, argc - words + 1, argv + words - 1);
}

bool grc_plugin_command(const struct grc_cli *cli, int argc, char **argv, int *ret_status)
{
    struct asked asked = {.argc = argc, .argv = argv};
    struct grc_spare spare = {NULL};
    struct grc_runtime *runtime;

    grc_plugins_visit(cli, note_known, &asked);
    if (!asked.known)
        return false;
    grc_cli_quiet(GR_LOG_WARN, false);
    runtime = grc_runtime_new(cli->config_dir, GRC_RUNTIME_COMMAND, grc_cli_report, NULL);
    *ret_status = runtime ? run_found(runtime, argc, argv, &spare) : GRC_EXIT_CONFIG;
    grc_runtime_unref(runtime);
    grc_spare_done(&spare);
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

    grc_plugins_visit(cli, print_commands, &begun);
}

bool grc_plugin_command_help(const struct grc_cli *cli, int argc, char **argv)
{
    struct grc_plugin_rows rows;

    grc_plugin_rows_read(cli, &rows);
    const struct grc_command *row = grc_plugin_rows_find(&rows, argv[0]);
    const struct grc_command *part =
        row && row->subs && argc > 1 ? grc_command_sub(row->subs, argv[1]) : NULL;
    bool known = row && (!row->subs || argc == 1 || part);
    if (known)
        grc_help_command(part ? row : NULL, part ? part : row);
    grc_plugin_rows_done(&rows);
    return known;
}
