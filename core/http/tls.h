/*
 * The OpenSSL context of HTTPS listeners, made from the config and its files, and its replacement
 * while they serve.
 */
#pragma once

#include "config/settings.h"

#include <openssl/ssl.h>

struct grc_tls;

/* Reads and checks the files. On failure returns NULL with a reason of one line (malloc'ed):
 * "server.tls.key: 'key.pem': …". Logs a warning about an expired certificate and a key that other
 * users can read. */
struct grc_tls *grc_tls_new(const struct grc_tls_settings *settings, char **ret_reason);
void grc_tls_free(struct grc_tls *tls);
/* Makes the server's side of a new connection on a non-blocking socket. The first reads do the
 * handshake. Free it with SSL_free(). NULL without memory. Thread-safe. */
SSL *grc_tls_accept(struct grc_tls *tls, int fd);
/* Reads and checks the files of new settings, and keeps the context for grc_tls_settle(). On
 * failure returns false with a reason, and keeps nothing. This function and those below are for one
 * thread at a time. */
bool grc_tls_prepare(struct grc_tls *tls, const struct grc_tls_settings *settings,
                     char **ret_reason);
/* Uses the prepared context for new handshakes, or drops it. Does nothing if there is none. */
void grc_tls_settle(struct grc_tls *tls, bool take_over);
/*
 * Reads the files again if they have changed since they were read and were the same at the last two
 * calls. To be called about every second by the thread that reloads. Logs the outcome.
 */
void grc_tls_watch(struct grc_tls *tls);
