/* greenroom doc: what the build installs beside the program. */
#include "cmd/pages.h"

static const struct {
    const char *name;
    grc_page_fn *print;
} pages[] = {
    {"greenroom.8", grc_man_greenroom},     {"greenroom.json.5", grc_man_greenroom_json},
    {"greenroom-plugin.7", grc_man_plugin}, {"greenroom.bash", grc_completion_bash},
    {"_greenroom", grc_completion_zsh},
};

static int run(const struct grc_cli *cli, const void *args, int count, char **words)
{
    (void)args;
    (void)count;
    for (size_t i = 0; i < sizeof(pages) / sizeof(pages[0]); i++) {
        if (strcmp(pages[i].name, words[0]) != 0)
            continue;
        pages[i].print(cli);
        return grc_print_done(GRC_EXIT_OK);
    }
    return grc_usage_error(cli, "no page has that name");
}

const struct grc_command grc_command_doc = {
    .name = "doc",
    .words = "greenroom.8|greenroom.json.5|greenroom-plugin.7|greenroom.bash|_greenroom",
    .summary = "Print a man page, or a completion for a shell",
    .words_min = 1,
    .words_max = 1,
    .run = run,
    .hidden = true,
};
