/*
 * Environment variables of the config, and the expansion of ${NAME} in its texts.
 *
 * Only the thread that reads the config may call these functions.
 */
#pragma once

#include <greenroom/plugin.h>

#include "base/buf.h"

/* Returns the value, or NULL when the variable is not set or empty. With secret, the value is for a
 * secret key, and grc_env_scrub() will remove the variable. */
const char *grc_env_get(const char *name, bool secret);

/*
 * Removes the variables that held secrets from the environment and overwrites their bytes, so that
 * neither /proc/PID/environ nor child processes have them. grc_env_get() still finds their values,
 * which a reload needs. Called before threads start.
 */
void grc_env_scrub(void);
/* Wipes the values that grc_env_scrub() kept. Called at the end of the process. */
void grc_env_done(void);

/* For commands that only show tables: a missing variable leaves its key unset and is no problem. */
void grc_env_lenient_set(bool lenient);
bool grc_env_lenient(void);

enum grc_expand_result {
    GRC_EXPAND_OK = 0,
    GRC_EXPAND_UNSET,  /* a variable without default is not set */
    GRC_EXPAND_SYNTAX, /* "${" without a name or without its "}" */
    GRC_EXPAND_MEMORY, /* out of memory, or over the buffer's limit */
};

/*
 * Appends text in which "${NAME}" and "${NAME:-default}" are replaced and "$$" becomes "$". Any
 * other "$" stays. On GRC_EXPAND_UNSET the name is in ret_name (ret_size bytes).
 */
enum grc_expand_result grc_expand(struct grc_buf *buf, gr_str text, bool secret, char *ret_name,
                                  size_t ret_size);

/*
 * Reads a file of NAME=value lines, like systemd's EnvironmentFile: values may have quotes, lines
 * that begin with "#" are comments. Sets the variables that are not set yet. A file that is missing
 * or may not be read is ignored; for one that is wrong it returns false with a static reason, and
 * with the number of the line; 0: the file itself. Called before there are threads.
 */
bool grc_env_read_file(const char *path, size_t *ret_line, const char **ret_reason);
