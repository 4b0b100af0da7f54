#include "cmd/cmd.h"
#include "server/run.h"

static int run(const struct grc_cli *cli, const void *args, int count, char **words)
{
    (void)args;
    (void)count;
    (void)words;
    return grc_run(cli->config_dir);
}

const struct grc_command grc_command_run = {
    .name = "run",
    .summary = "Run the gateway until SIGTERM or SIGINT; SIGHUP reloads the config",
    .detail = "This is the default without a command. The log goes to standard error.",
    .run = run,
};
