/* A certificate, its key and the authorities of clients, put into an OpenSSL context. */
#pragma once

#include "config/settings.h"

#include <openssl/ssl.h>

/* false with a reason (malloc'ed) that names key and file. Warns as grc_tls_new() says. */
bool grc_tls_files_use(SSL_CTX *ctx, const struct grc_tls_settings *settings, char **ret_reason);
/* The text of OpenSSL's last error, which is forgotten with all others. Never NULL. */
const char *grc_tls_last_error(void);
