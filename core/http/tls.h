/*
 * The TLS side of HTTPS listeners: an OpenSSL context made from the config and its files, and its
 * replacement while connections come in.
 */
#pragma once

#include "config/settings.h"

#include <openssl/ssl.h>

struct grc_tls;

/* Reads and checks the files. NULL with a reason (malloc'ed, one line: "server.tls.key: 'key.pem':
 * …"). Warns in the log about what is odd but works: an expired certificate, a key that others can
 * read. */
struct grc_tls *grc_tls_new(const struct grc_tls_settings *settings, char **ret_reason);
void grc_tls_free(struct grc_tls *tls);
/* The server's side of a new connection on a socket that does not block; its handshake goes on with
 * its first reads. The caller's, to be freed with SSL_free(). NULL without memory. Thread-safe. */
SSL *grc_tls_accept(struct grc_tls *tls, int fd);
/* Reads and checks the files of these settings, and keeps what came of it for grc_tls_settle().
 * false with a reason: nothing is kept. One thread at a time, as with the functions below. */
bool grc_tls_prepare(struct grc_tls *tls, const struct grc_tls_settings *settings,
                     char **ret_reason);
/* What was prepared is taken over, so that new handshakes follow it, or forgotten. Does nothing
 * where nothing was prepared. */
void grc_tls_settle(struct grc_tls *tls, bool take_over);
/*
 * Looks whether the files changed since they were read, and reads them again once they have stayed
 * the same between two calls. To be called every second or so, by the thread that reloads. Logs
 * what it did.
 */
void grc_tls_watch(struct grc_tls *tls);
