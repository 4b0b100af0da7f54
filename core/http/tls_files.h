/* Loads the certificate, its key and the client CAs into an OpenSSL context. */
#pragma once

#include "config/settings.h"

#include <openssl/ssl.h>

/* On failure returns false with a reason (malloc'ed) that has the key and the file. Warns like
 * grc_tls_new(). */
bool grc_tls_files_use(SSL_CTX *ctx, const struct grc_tls_settings *settings, char **ret_reason);
/* Makes the reason "FILE:LINE:COLUMN: server.tls.MEMBER: TEXT". Returns false. */
bool grc_tls_refuse(const struct grc_tls_settings *settings, const char *member, char **ret_reason,
                    const char *format, ...) __attribute__((format(printf, 4, 5)));
/* The text of OpenSSL's last error, never NULL. Clears all errors. */
const char *grc_tls_last_error(void);
