/* Where the log goes: the file that "log.file" names, or standard error. For the main thread. */
#pragma once

#include "config/settings.h"

/* Sets the least level of lines and their format. Text on a terminal has colours, unless the
 * variable NO_COLOR is set (https://no-color.org). */
void grc_log_target_style(const struct grc_settings *settings);
/* Opens the file of the settings, if they name one. false with a reason (malloc'ed). */
bool grc_log_target_prepare(const struct grc_settings *settings, char **ret_reason);
/* Lines go where was prepared; or what was prepared is forgotten. */
void grc_log_target_settle(bool take_over);
/* The file is opened again under its name, after another program has moved it away. What went wrong
 * is logged where lines went so far. */
void grc_log_target_reopen(const struct grc_settings *settings);
