/* Asks the running gateway. */
#include "cmd/cmd.h"
#include "server/admin_socket.h"

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
    return answer;
}
