/*
 * Environment variables as the config sees them, and ${NAME} in its texts.
 *
 * Everything here belongs to the thread that reads the config.
 */
#pragma once

#include <greenroom/plugin.h>

#include "base/buf.h"

/* The variable, or NULL when it is not set or empty. secret: its value goes into a secret key, so
 * grc_env_scrub() removes it. */
const char *grc_env_get(const char *name, bool secret);

/*
 * Takes the variables that held secrets out of the environment and overwrites their bytes, so that
 * /proc/PID/environ and child processes do not have them. grc_env_get() still finds them: a later
 * reload needs them. Before threads start.
 */
void grc_env_scrub(void);
/* Wipes what grc_env_scrub() kept. At the end of the process. */
void grc_env_done(void);

/* For commands that only show tables: a variable that is missing reads as unset instead of being a
 * problem. */
void grc_env_lenient_set(bool lenient);
bool grc_env_lenient(void);

enum grc_expand_result {
    GRC_EXPAND_OK = 0,
    GRC_EXPAND_UNSET,  /* a variable without default is not set */
    GRC_EXPAND_SYNTAX, /* "${" without a name or without its "}" */
    GRC_EXPAND_MEMORY, /* no memory, or longer than the buffer may get */
};

/*
 * Appends text with "${NAME}" and "${NAME:-default}" replaced and "$$" made "$". Another "$" stands
 * for itself. On GRC_EXPAND_UNSET the name is in ret_name (ret_size bytes).
 */
enum grc_expand_result grc_expand(struct grc_buf *buf, gr_str text, bool secret, char *ret_name,
                                  size_t ret_size);

/*
 * Sets the variables that a file of NAME=value lines names and that are not set yet; a value may
 * stand in quotes, lines that begin with "#" are left out, as in a unit's EnvironmentFile. Before
 * there are threads. false with a static reason: the file is there, may be read, and is wrong.
 */
bool grc_env_read_file(const char *path, const char **ret_reason);
