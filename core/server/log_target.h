/* Where the log goes: the file that "log.file" names, or standard error. For the main thread. */
#pragma once

#include "config/settings.h"

/* Sets the least level of lines and their format. Text on a terminal has colours, unless the
 * variable NO_COLOR is set (https://no-color.org). */
void grc_log_target_style(const struct grc_settings *settings);
/* Opens the file of the settings, if they name one. false with a reason (malloc'ed). */
bool grc_log_target_prepare(const struct grc_settings *settings, char **ret_reason);
/* Makes lines go to the prepared target, or, without take_over, closes it unused. */
void grc_log_target_settle(bool take_over);
/* Opens the file under its name again, after another program has moved it away. A failure is logged
 * to the old file. */
void grc_log_target_reopen(const struct grc_settings *settings);
