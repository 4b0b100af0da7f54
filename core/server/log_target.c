#include "server/log_target.h"

#include "base/format.h"
#include "base/log.h"
#include "base/log_file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int prepared = -1; /* -1: standard error */

void grc_log_target_style(const struct grc_settings *settings)
{
    const char *no_color = getenv("NO_COLOR");

    grc_log_level_set(settings->log_level);
    grc_log_plain_set(settings->log_plain);
    grc_log_color_set(!settings->log_file && isatty(STDERR_FILENO) && !(no_color && no_color[0]));
}

bool grc_log_target_prepare(const struct grc_settings *settings, char **ret_reason)
{
    grc_log_target_settle(false);
    *ret_reason = NULL;
    if (!settings->log_file)
        return true;
    prepared = grc_log_file_open(settings->log_file);
    if (prepared < 0)
        return grc_refuse(ret_reason, "log.file: '%s' cannot be opened: %s", settings->log_file,
                          strerror(errno));
    return true;
}

void grc_log_target_settle(bool take_over)
{
    if (take_over)
        grc_log_file_use(prepared);
    else if (prepared >= 0)
        close(prepared);
    prepared = -1;
}

void grc_log_target_reopen(const struct grc_settings *settings)
{
    char *reason = NULL;

    if (!settings->log_file) {
        grc_info("SIGUSR1: there is no log.file to open again");
        return;
    }
    if (grc_log_target_prepare(settings, &reason)) {
        grc_log_target_settle(true);
        grc_info("the log goes on in '%s'", settings->log_file);
    } else {
        grc_error("%s; going on with the file as it was", reason ? reason : "out of memory");
    }
    free(reason);
}
