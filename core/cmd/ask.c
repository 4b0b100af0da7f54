/* Asks the running gateway. */
#include "base/format.h"
#include "cmd/cmd.h"
#include "server/admin_socket.h"

#include <stdlib.h>

/* A config that cannot be read may name another directory for the socket. */
static void add_doubt(const struct grc_cli *cli, char **reason)
{
    struct grc_settings *settings = grc_settings_load(cli->config_dir, NULL, NULL);
    char *longer = settings || !*reason
                       ? NULL
                       : grc_format("%s; the config has mistakes, see greenroom check", *reason);

    grc_settings_free(settings);
    if (!longer)
        return;
    free(*reason);
    *reason = longer;
}

json_t *grc_cli_ask(const struct grc_cli *cli, const char *word, const json_t *details,
                    char **ret_reason)
{
    struct grc_settings *settings;
    json_t *answer = NULL;

    grc_cli_quiet(GR_LOG_ERROR, true);
    settings = grc_settings_peek(cli->config_dir);
    if (settings)
        answer = grc_admin_socket_ask(settings, word, details, ret_reason);
    grc_settings_free(settings);
    if (!answer)
        add_doubt(cli, ret_reason);
    return answer;
}
