/*
 * The TLS side of HTTPS listeners: an OpenSSL context made from the config and its files, and its
 * replacement while connections come in.
 */
#pragma once

#include "config/settings.h"

#include <openssl/ssl.h>

struct grc_tls;

/* Of handshakes that failed. Called on the thread that serves the connection. */
typedef void grc_tls_failed_fn(void *connection, int fd, bool spoke_http, const char *reason);

/* Reads and checks the files. NULL with a reason (malloc'ed, one line: "server.tls.key: 'key.pem':
 * …"). failed may be NULL. Warns in the log about what is odd but works: an expired certificate, a
 * key that others can read. */
struct grc_tls *grc_tls_new(const struct grc_tls_settings *settings, grc_tls_failed_fn *failed,
                            char **ret_reason);
void grc_tls_free(struct grc_tls *tls);
/* The context that CivetWeb makes connections of; lives as long as tls. */
SSL_CTX *grc_tls_context(struct grc_tls *tls);
/* New handshakes follow these settings. false with a reason: everything stays as it was. One thread
 * at a time. */
bool grc_tls_reload(struct grc_tls *tls, const struct grc_tls_settings *settings,
                    char **ret_reason);
/*
 * Looks whether the files changed since they were read, and reads them again once they have stayed
 * the same between two calls. To be called every second or so, by the thread that reloads. Logs
 * what it did.
 */
void grc_tls_watch(struct grc_tls *tls);
