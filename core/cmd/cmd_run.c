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
    .summary = "Run the gateway until SIGTERM or SIGINT; SIGHUP reloads the config",
    .detail = "This is the default without a command. The log goes to standard error.",
    .run = run,
};
