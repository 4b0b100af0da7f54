#include "cmd/cmd.h"
#include "server/run.h"

int grc_cmd_run(const struct grc_cli *cli, int argc, char **argv)
{
    const struct grc_run_options options = {.config_dir = cli->config_dir};

    if (!grc_flags_take((const struct grc_flag[]){{NULL, NULL, NULL}}, &argc, argv) || argc > 1)
        return grc_usage_error(cli, NULL);
    return grc_run(&options);
}
