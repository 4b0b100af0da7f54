#include "http/tls_files.h"

#include "base/clock.h"
#include "base/format.h"
#include "base/log.h"
#include "config/setting.h"
#include "config/source.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* Certificates are usually renewed some weeks before they expire. With less time than this left,
 * renewal has probably failed. */
#define LATE_SECONDS (7 * 24 * 60 * 60)

const char *grc_tls_last_error(void)
{
    const char *text = ERR_reason_error_string(ERR_peek_last_error());

    ERR_clear_error();
    return text ? text : "unknown error";
}

bool grc_tls_refuse(const struct grc_tls_settings *settings, const char *member, char **ret_reason,
                    const char *format, ...)
{
    const struct grc_path server = {.name = "server"};
    const struct grc_path tls = {.up = &server, .name = "tls"};
    const struct grc_path path = {.up = &tls, .name = member};
    char *place = grc_source_place_main(settings->dir, &path);
    va_list args;

    va_start(args, format);
    char *text = grc_format_args(format, args);
    va_end(args);
    *ret_reason = place && text ? grc_format("%s: %s", place, text) : NULL;
    free(text);
    free(place);
    return false;
}

/* The gateway cannot ask for a passphrase. Sets *arg, a bool, since one is needed. */
static int no_passphrase(char *buffer, int size, int writing, void *arg)
{
    (void)buffer;
    (void)size;
    (void)writing;
    *(bool *)arg = true;
    return 0;
}

static bool is_readable(const struct grc_tls_settings *settings, const char *member,
                        const char *path, char **ret_reason)
{
    FILE *file = fopen(path, "re");

    if (!file)
        return grc_tls_refuse(settings, member, ret_reason, "'%s': %s", path, strerror(errno));
    fclose(file);
    return true;
}

static void warn_of_mode(const char *path)
{
    struct stat info;

    if (stat(path, &info) == 0 && (info.st_mode & (S_IROTH | S_IWOTH)))
        grc_warn("server.tls.key: '%s' can be read or written by all users (mode %03o)", path,
                 (unsigned)(info.st_mode & 0777));
}

static bool use_certificate(SSL_CTX *ctx, const struct grc_tls_settings *settings,
                            char **ret_reason)
{
    static const char member[] = "certificate";
    const char *path = settings->certificate;

    if (!is_readable(settings, member, path, ret_reason))
        return false;
    ERR_clear_error();
    if (SSL_CTX_use_certificate_chain_file(ctx, path) == 1)
        return true;
    bool none = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE ||
                ERR_GET_REASON(ERR_peek_error()) == PEM_R_NO_START_LINE;
    grc_tls_refuse(settings, member, ret_reason, "'%s': %s", path,
                   none ? "has no certificate in PEM form" : grc_tls_last_error());
    ERR_clear_error();
    return false;
}

static EVP_PKEY *read_key(const struct grc_tls_settings *settings, const char *member,
                          const char *path, char **ret_reason)
{
    bool asked = false;
    BIO *bio = BIO_new_file(path, "r");
    EVP_PKEY *pkey = bio ? PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, &asked) : NULL;

    BIO_free(bio);
    if (pkey)
        return pkey;
    grc_tls_refuse(settings, member, ret_reason, "'%s': %s", path,
                   asked ? "is encrypted; the gateway cannot ask for the passphrase, so store "
                           "the key without one"
                         : "has no private key in PEM form");
    ERR_clear_error();
    return NULL;
}

static bool use_key(SSL_CTX *ctx, const struct grc_tls_settings *settings, char **ret_reason)
{
    const char *member = settings->key ? "key" : "certificate";
    const char *path = settings->key ? settings->key : settings->certificate;
    X509 *certificate = SSL_CTX_get0_certificate(ctx);

    if (!is_readable(settings, member, path, ret_reason))
        return false;
    warn_of_mode(path);
    EVP_PKEY *pkey = read_key(settings, member, path, ret_reason);
    if (!pkey)
        return false;
    bool fits = X509_check_private_key(certificate, pkey) == 1;
    if (!fits)
        grc_tls_refuse(settings, member, ret_reason,
                       "'%s' is not the key of the certificate in '%s'", path,
                       settings->certificate);
    bool used = fits && SSL_CTX_use_PrivateKey(ctx, pkey) == 1;
    if (fits && !used)
        grc_tls_refuse(settings, member, ret_reason, "'%s': %s", path, grc_tls_last_error());
    EVP_PKEY_free(pkey);
    ERR_clear_error();
    return used;
}

static bool use_client_ca(SSL_CTX *ctx, const struct grc_tls_settings *settings, char **ret_reason)
{
    static const char member[] = "client_ca";
    int mode = SSL_VERIFY_PEER;

    if (settings->client_certificate <= GRC_CLIENT_CERTIFICATE_NONE)
        return true;
    if (!is_readable(settings, member, settings->client_ca, ret_reason))
        return false;
    STACK_OF(X509_NAME) *names = SSL_load_client_CA_file(settings->client_ca);
    if (!names || SSL_CTX_load_verify_file(ctx, settings->client_ca) != 1) {
        grc_tls_refuse(settings, member, ret_reason, "'%s': has no certificate in PEM form",
                       settings->client_ca);
        sk_X509_NAME_pop_free(names, X509_NAME_free);
        ERR_clear_error();
        return false;
    }
    SSL_CTX_set_client_CA_list(ctx, names);
    if (settings->client_certificate == GRC_CLIENT_CERTIFICATE_REQUIRED)
        mode |= SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
    SSL_CTX_set_verify(ctx, mode, NULL);
    return true;
}

/* Logs how long the certificate is valid, as a warning if it expires soon or has expired. */
static void say_validity(const SSL_CTX *ctx, const char *path)
{
    const X509 *certificate = SSL_CTX_get0_certificate(ctx);
    const ASN1_TIME *begin = certificate ? X509_get0_notBefore(certificate) : NULL;
    const ASN1_TIME *end = certificate ? X509_get0_notAfter(certificate) : NULL;
    time_t soon = (time_t)(grc_now_ms() / 1000) + LATE_SECONDS;
    int days = 0;
    int seconds = 0;

    if (!begin || !end || ASN1_TIME_diff(&days, &seconds, NULL, end) != 1)
        return;
    if (X509_cmp_current_time(begin) > 0)
        grc_warn("server.tls.certificate: '%s' is not valid yet", path);
    else if (X509_cmp_current_time(end) < 0)
        grc_warn("server.tls.certificate: '%s' expired %d day%s ago", path, -days,
                 grc_plural((size_t)-days));
    else if (X509_cmp_time(end, &soon) < 0)
        grc_warn("server.tls.certificate: '%s' expires in %d day%s", path, days,
                 grc_plural((size_t)days));
    else
        grc_info("server.tls.certificate: '%s' is valid for %d day%s", path, days,
                 grc_plural((size_t)days));
}

bool grc_tls_files_use(SSL_CTX *ctx, const struct grc_tls_settings *settings, char **ret_reason)
{
    if (!use_certificate(ctx, settings, ret_reason) || !use_key(ctx, settings, ret_reason) ||
        !use_client_ca(ctx, settings, ret_reason))
        return false;
    say_validity(ctx, settings->certificate);
    return true;
}
