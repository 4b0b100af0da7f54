/* greenroom doc: prints the documents that the build installs beside the program. */
#include "cmd/pages.h"
#include "cmd/plugin_rows.h"

static const struct {
    const char *name;
    grc_page_fn *print;
} pages[] = {
    {"greenroom.8", grc_man_greenroom},     {"greenroom.json.5", grc_man_greenroom_json},
    {"greenroom-plugin.7", grc_man_plugin}, {"greenroom.bash", grc_completion_bash},
    {"_greenroom", grc_completion_zsh},
};

#define COMMANDS_MAX 64u

/* Prints a page with the commands of the host and those of the config's plugins. A plugin's part of
 * a command of the host, such as "token agent", is left out. */
static void print(const struct grc_cli *cli, grc_page_fn *page)
{
    const struct grc_command *all[COMMANDS_MAX + 1] = {NULL};
    struct grc_cli whole = *cli;
    struct grc_plugin_rows rows;
    size_t own = 0;

    grc_plugin_rows_read(cli, &rows);
    for (; cli->commands[own] && own < COMMANDS_MAX; own++)
        all[own] = cli->commands[own];
    size_t count = own;
    for (size_t i = 0; i < rows.count && count < COMMANDS_MAX; i++) {
        bool known = false;

        for (size_t j = 0; j < own; j++)
            known = known || strcmp(all[j]->name, rows.list[i]->name) == 0;
        if (!known)
            all[count++] = rows.list[i];
    }
    whole.commands = all;
    page(&whole);
    grc_plugin_rows_done(&rows);
}

static int run(const struct grc_cli *cli, const void *args, int count, char **words)
{
    (void)args;
    (void)count;
    for (size_t i = 0; i < sizeof(pages) / sizeof(pages[0]); i++) {
        if (strcmp(pages[i].name, words[0]) != 0)
            continue;
        print(cli, pages[i].print);
        return grc_print_done(GRC_EXIT_OK);
    }
    return grc_usage_error(cli, "no page has that name");
}

const struct grc_command grc_command_doc = {
    .name = "doc",
    .words = "greenroom.8|greenroom.json.5|greenroom-plugin.7|greenroom.bash|_greenroom",
    .summary = "Print a man page, or a completion for a shell",
    .run = run,
    .hidden = true,
};
