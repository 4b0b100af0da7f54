/* The secret that the services of one installation share. */
#pragma once

#include <greenroom/plugin.h>

#include <string.h>

/* The length of the digest of HS256 (RFC 7518, section 3.2). */
#define MINI_SECRET_BYTES 32

/* Returns text when it is not empty, with a warning in the log when it can be guessed, otherwise
 * the content of file. A relative file is in the state directory, and it is made with a random
 * secret when it does not exist. The result is valid as long as the instance; it is empty after an
 * error, which has been logged. */
static inline gr_str mini_secret(struct gr_self *self, const char *text, const char *file)
{
    if (!text || !*text)
        return gr_state_secret(self, file);
    if (strlen(text) < MINI_SECRET_BYTES)
        gr_log_self(
            self, GR_LOG_WARN,
            "secret: a secret of %zu bytes can be guessed; HS256 needs at least %d (RFC 7518, "
            "section 3.2)",
            strlen(text), MINI_SECRET_BYTES);
    return gr_str_of(text);
}
