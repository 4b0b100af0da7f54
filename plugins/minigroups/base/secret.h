/* The secret that the services of one installation share. */
#pragma once

#include <greenroom/plugin.h>

#include <stdlib.h>
#include <string.h>

/* Logs a warning when a secret is shorter than the digest of its algorithm, for example "HS256"
 * (RFC 7518, section 3.2). issuer: the issuer whose tokens it signs; NULL: the gateway. */
static inline void mini_secret_warn(struct gr_self *self, const char *issuer,
                                    const struct gr_jwt_key *key)
{
    const size_t wanted = strncmp(key->alg, "HS", 2) == 0 ? strtoul(key->alg + 2, NULL, 10) / 8 : 0;

    if (key->key.len < wanted)
        gr_log_self(self, GR_LOG_WARN,
                    "%s%s%s: a secret of %zu byte%s can be guessed; %s needs at least %zu (RFC "
                    "7518, section 3.2)",
                    issuer ? "authn of '" : "secret", issuer ? issuer : "", issuer ? "'" : "",
                    key->key.len, key->key.len == 1 ? "" : "s", key->alg, wanted);
}

/* Returns text when it is not empty, otherwise the content of file. A relative file is in the state
 * directory, and it is made with a random secret when it does not exist. The result is valid as
 * long as the instance; it is empty after an error, which has been logged. */
static inline gr_str mini_secret(struct gr_self *self, const char *text, const char *file)
{
    if (!text || !*text)
        return gr_state_secret(self, file);
    const struct gr_jwt_key key = {.alg = "HS256", .key = gr_str_of(text)};
    mini_secret_warn(self, NULL, &key);
    return key.key;
}
