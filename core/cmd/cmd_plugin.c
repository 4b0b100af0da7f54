/* greenroom plugin: for authors, on a file that no config names. */
#include "cmd/cmd.h"

struct inspect_args {
    bool json;
};

static int inspect(const struct grc_cli *cli, const void *args, int count, char **words)
{
    const struct inspect_args *asked = args;

    (void)cli;
    (void)count;
    grc_cli_quiet(GR_LOG_WARN, false);
    return grc_plugin_inspect(words[0], asked->json);
}

static int test(const struct grc_cli *cli, const void *args, int count, char **words)
{
    (void)cli;
    (void)args;
    (void)count;
    grc_cli_quiet(GR_LOG_WARN, false);
    return grc_plugin_test(words[0], words[1]);
}

static const struct grc_flag inspect_flags[] = {
    GRC_SWITCH(inspect_args, "--json", json, "As JSON"),
    GRC_FLAG_END,
};

static const struct grc_command actions[] = {
    {.name = "inspect",
     .words = "FILE",
     .choices = {&grc_choices_files},
     .summary = "Tell what a plugin's file is and what is wrong with it",
     .detail = "Works on a file that cannot be loaded, too. The exit status is 0 when nothing is "
               "wrong with it.",
     .flags = inspect_flags,
     .args_size = sizeof(struct inspect_args),
     .run = inspect},
    {.name = "test",
     .words = "FILE CASES.json",
     .choices = {&grc_choices_files, &grc_choices_files},
     .summary = "Run contract cases against a plugin's file",
     .detail = "Starts a gateway with this plugin alone in front of a scripted upstream. Each case "
               "that fails is printed with what was expected and found. No config is needed.",
     .run = test},
    {.name = NULL},
};

const struct grc_command grc_command_plugin = {
    .name = "plugin",
    .summary = "For authors: look at a plugin's file, and test it",
    .subs = actions,
};
