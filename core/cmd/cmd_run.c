#include "cmd/cmd.h"
#include "server/run.h"

static int run(const struct grc_cli *cli, const void *args, int count, char **words)
{
    const struct grc_run_options options = {.config_dir = cli->config_dir};

    (void)args;
    (void)count;
    (void)words;
    return grc_run(&options);
}

const struct grc_command grc_command_run = {
    .name = "run",
    .summary = "Serve until SIGTERM or SIGINT; SIGHUP reads the config again",
    .detail = "This is also what greenroom does without a command. The log goes to standard error.",
    .run = run,
};
