#include "server/log_target.h"

#include "base/format.h"
#include "base/log.h"
#include "base/log_file.h"
#include "base/log_journal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int prepared = -1;      /* -1: standard error */
static char *prepared_journal; /* the path of its socket; NULL: it is not used */

/* A path is the operator's choice, so the journal must listen there. With "auto", standard error is
 * as good when it does not, since it leads to the journal too. */
static bool prepare_journal(const struct grc_settings *settings, char **ret_reason)
{
    const char *path = settings->log_journal;
    bool found_out = strcmp(path, "auto") == 0;

    if (settings->log_file || strcmp(path, "off") == 0 || (found_out && !grc_journal_is_stderr()))
        return true;
    if (found_out)
        path = GRC_JOURNAL_SOCKET;
    if (!grc_journal_listens(path))
        return found_out || grc_refuse(ret_reason, "log.journal: '%s' cannot be reached: %s", path,
                                       strerror(errno));
    prepared_journal = strdup(path);
    return prepared_journal || grc_refuse(ret_reason, "out of memory");
}

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
        return prepare_journal(settings, ret_reason);
    prepared = grc_log_file_open(settings->log_file);
    if (prepared < 0)
        return grc_refuse(ret_reason, "log.file: '%s' cannot be opened: %s", settings->log_file,
                          strerror(errno));
    return true;
}

void grc_log_target_settle(bool take_over)
{
    if (take_over) {
        grc_log_file_use(prepared);
        grc_journal_use(prepared_journal);
    } else if (prepared >= 0) {
        close(prepared);
    }
    prepared = -1;
    free(prepared_journal);
    prepared_journal = NULL;
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
        grc_error("%s; still writing to the old file", reason ? reason : "out of memory");
    }
    free(reason);
}
