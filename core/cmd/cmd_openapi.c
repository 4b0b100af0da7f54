#include "cmd/cmd.h"
#include "doc/openapi.h"
#include "server/runtime_build.h"

static int openapi(const struct grc_cli *cli, const void *args, int count, char **words)
{
    struct grc_runtime *runtime;
    int status;

    (void)args;
    grc_cli_quiet(GR_LOG_WARN, true);
    runtime = grc_runtime_new(cli->config_dir, GRC_RUNTIME_TABLES, grc_cli_report, NULL);
    if (!runtime)
        return GRC_EXIT_CONFIG;
    const struct grc_openapi_options options = {.group = count > 0 ? words[0] : NULL,
                                                .internal = true};
    if (options.group && !grc_openapi_has_group(runtime, options.group)) {
        grc_complain("openapi: no group '%s' is served; see greenroom plugins", options.group);
        grc_runtime_unref(runtime);
        return GRC_EXIT_FAILED;
    }
    status = grc_print_json(grc_openapi(runtime, &options));
    grc_runtime_unref(runtime);
    return status;
}

const struct grc_command grc_command_openapi = {
    .name = "openapi",
    .words = "[GROUP]",
    .choices = {&grc_choices_groups},
    .summary = "Print an OpenAPI 3.1 description of what is served, or of one group",
    .run = openapi,
};
