#include "http/tls.h"

#include "base/clock.h"
#include "base/format.h"
#include "base/log.h"
#include "http/http.h"
#include "http/tls_files.h"

#include <openssl/err.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* Ciphers of TLS 1.2 with forward secrecy and authenticated encryption, which TLS 1.3 always has.
 * The best come first. */
#define CIPHERS                                                                                    \
    "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"                                   \
    "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305:"                                   \
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256"

#define FILES_MAX 3

/* Identifies a version of a file. */
struct mark {
    dev_t device;
    ino_t inode;
    off_t size;
    struct timespec changed;
};

struct marks {
    struct mark files[FILES_MAX];
};

/* A copy of the settings, which outlives them. */
struct kept {
    struct grc_tls_settings settings;
    char *texts[FILES_MAX + 2];
};

struct grc_tls {
    pthread_mutex_t lock;
    SSL_CTX *current; /* for new connections; protected by lock */
    /* only for the thread that reloads: */
    struct kept kept;
    struct marks loaded; /* of the files when they were last read, with or without success */
    struct marks seen;   /* of the files at the last call of grc_tls_watch() */
    /* prepared by grc_tls_prepare(): */
    SSL_CTX *next; /* NULL: none */
    struct kept next_kept;
    struct marks next_marks;
};

/* --- handshakes --- */

SSL *grc_tls_accept(struct grc_tls *tls, int fd)
{
    pthread_mutex_lock(&tls->lock);
    SSL *ssl = SSL_new(tls->current); /* has a reference of the context */
    pthread_mutex_unlock(&tls->lock);
    if (ssl && SSL_set_fd(ssl, fd) == 1) {
        SSL_set_accept_state(ssl);
        return ssl;
    }
    SSL_free(ssl);
    ERR_clear_error();
    return NULL;
}

/* ALPN: refuses clients that only offer other protocols than HTTP/1, also to prevent cross-protocol
 * attacks. */
static int choose_protocol(SSL *ssl, const unsigned char **out, unsigned char *out_len,
                           const unsigned char *in, unsigned in_len, void *arg)
{
    static const char *const spoken[] = {"http/1.1", "http/1.0"};

    (void)ssl;
    (void)arg;
    for (size_t i = 0; i < sizeof(spoken) / sizeof(spoken[0]); i++) {
        size_t len = strlen(spoken[i]);

        for (unsigned at = 0; at < in_len && in[at] < in_len - at; at += in[at] + 1u) {
            if (in[at] == len && memcmp(in + at + 1, spoken[i], len) == 0) {
                *out = in + at + 1;
                *out_len = in[at];
                return SSL_TLSEXT_ERR_OK;
            }
        }
    }
    return SSL_TLSEXT_ERR_ALERT_FATAL;
}

/* --- contexts --- */

static bool use_ciphers(SSL_CTX *ctx, const struct grc_tls_settings *settings, char **ret_reason)
{
    static const char key[] = "ciphers";
    const char *list = settings->ciphers ? settings->ciphers : CIPHERS;

    if (SSL_CTX_set_cipher_list(ctx, list) != 1) {
        ERR_clear_error();
        return grc_tls_refuse(settings, key, ret_reason, "'%s' has no valid cipher", list);
    }
    STACK_OF(SSL_CIPHER) *ciphers = SSL_CTX_get_ciphers(ctx);
    for (int i = 0; i < sk_SSL_CIPHER_num(ciphers); i++) {
        const SSL_CIPHER *cipher = sk_SSL_CIPHER_value(ciphers, i);
        int exchange = SSL_CIPHER_get_kx_nid(cipher);
        bool forward = exchange == NID_kx_any || exchange == NID_kx_ecdhe || exchange == NID_kx_dhe;
        int proof = SSL_CIPHER_get_auth_nid(cipher);
        bool proven = proof != NID_auth_null && proof != NID_auth_psk;

        if (forward && proven && SSL_CIPHER_is_aead(cipher))
            continue;
        return grc_tls_refuse(settings, key, ret_reason, "%s has no %s",
                              SSL_CIPHER_get_name(cipher),
                              !forward  ? "forward secrecy"
                              : !proven ? "certificate"
                                        : "authenticated encryption");
    }
    return true;
}

static void use_sessions(SSL_CTX *ctx, bool clients_known)
{
    static const unsigned char id[] = "greenroom";

    SSL_CTX_set_session_id_context(ctx, id, sizeof(id) - 1);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF); /* tickets need no state here */
    if (!clients_known)
        return;
    /* No resumption: a resumed session would not be verified again, although its authority may no
     * longer be trusted. */
    SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET);
    SSL_CTX_set_num_tickets(ctx, 0);
}

static SSL_CTX *new_context(const struct grc_tls_settings *settings, char **ret_reason)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
    int oldest = settings->min_version == GRC_TLS_1_3 ? TLS1_3_VERSION : TLS1_2_VERSION;

    if (!ctx || SSL_CTX_set_min_proto_version(ctx, oldest) != 1) {
        *ret_reason = grc_format("server.tls: %s", grc_tls_last_error());
        SSL_CTX_free(ctx);
        return NULL;
    }
    SSL_CTX_set_options(ctx, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION |
                                 SSL_OP_CIPHER_SERVER_PREFERENCE);
    SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                              SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_read_ahead(ctx, 1); /* one system call for a record instead of two */
    SSL_CTX_set_alpn_select_cb(ctx, choose_protocol, NULL);
    use_sessions(ctx, settings->client_certificate > GRC_CLIENT_CERTIFICATE_NONE);
    if (use_ciphers(ctx, settings, ret_reason) && grc_tls_files_use(ctx, settings, ret_reason))
        return ctx;
    SSL_CTX_free(ctx);
    return NULL;
}

/* --- copies of settings, and marks of files --- */

static void forget(struct kept *kept)
{
    for (size_t i = 0; i < sizeof(kept->texts) / sizeof(kept->texts[0]); i++)
        free(kept->texts[i]);
    memset(kept, 0, sizeof(*kept));
}

static const char *keep_text(struct kept *kept, size_t slot, const char *text, bool *ret_fine)
{
    kept->texts[slot] = text ? strdup(text) : NULL;
    *ret_fine = *ret_fine && (!text || kept->texts[slot]);
    return kept->texts[slot];
}

static bool keep(struct kept *kept, const struct grc_tls_settings *settings)
{
    bool fine = true;

    memset(kept, 0, sizeof(*kept));
    kept->settings = *settings;
    kept->settings.certificate = keep_text(kept, 0, settings->certificate, &fine);
    kept->settings.key = keep_text(kept, 1, settings->key, &fine);
    kept->settings.client_ca = keep_text(kept, 2, settings->client_ca, &fine);
    kept->settings.ciphers = keep_text(kept, 3, settings->ciphers, &fine);
    kept->settings.dir = keep_text(kept, 4, settings->dir, &fine);
    if (!fine)
        forget(kept);
    return fine;
}

static void take_marks(const struct kept *kept, struct marks *ret_marks)
{
    struct stat info;

    memset(ret_marks, 0, sizeof(*ret_marks));
    for (size_t i = 0; i < FILES_MAX; i++) {
        struct mark *mark = &ret_marks->files[i];

        if (!kept->texts[i] || stat(kept->texts[i], &info) != 0)
            continue;
        mark->device = info.st_dev;
        mark->inode = info.st_ino;
        mark->size = info.st_size;
        mark->changed = info.st_mtim;
    }
}

static bool same_marks(const struct marks *a, const struct marks *b)
{
    for (size_t i = 0; i < FILES_MAX; i++) {
        const struct mark *one = &a->files[i];
        const struct mark *two = &b->files[i];

        if (one->device != two->device || one->inode != two->inode || one->size != two->size ||
            one->changed.tv_sec != two->changed.tv_sec ||
            one->changed.tv_nsec != two->changed.tv_nsec)
            return false;
    }
    return true;
}

/* --- life --- */

/* Of the certificate in use. All listeners of a process have the same. */
static _Atomic int64_t certificate_end_s;

static void note_end(const SSL_CTX *ctx)
{
    const X509 *certificate = SSL_CTX_get0_certificate(ctx);
    int days = 0;
    int seconds = 0;

    if (certificate && ASN1_TIME_diff(&days, &seconds, NULL, X509_get0_notAfter(certificate)) == 1)
        atomic_store(&certificate_end_s, grc_now_ms() / 1000 + days * 86400LL + seconds);
}

int64_t grc_http_certificate_end_s(void)
{
    return atomic_load(&certificate_end_s);
}

bool grc_tls_prepare(struct grc_tls *tls, const struct grc_tls_settings *settings,
                     char **ret_reason)
{
    grc_tls_settle(tls, false);
    *ret_reason = NULL;
    if (!keep(&tls->next_kept, settings))
        return false;
    take_marks(&tls->next_kept, &tls->next_marks); /* first, so that later changes are noticed */
    tls->next = new_context(&tls->next_kept.settings, ret_reason);
    if (!tls->next)
        forget(&tls->next_kept);
    return tls->next != NULL;
}

static void take_next(struct grc_tls *tls)
{
    forget(&tls->kept);
    tls->kept = tls->next_kept;
    tls->loaded = tls->next_marks;
    tls->seen = tls->next_marks;
    pthread_mutex_lock(&tls->lock);
    SSL_CTX *old = tls->current;
    tls->current = tls->next;
    pthread_mutex_unlock(&tls->lock);
    note_end(tls->current);
    SSL_CTX_free(old); /* connections have references of their own */
}

void grc_tls_settle(struct grc_tls *tls, bool take_over)
{
    if (!tls->next)
        return;
    if (take_over) {
        take_next(tls);
    } else {
        SSL_CTX_free(tls->next);
        forget(&tls->next_kept);
    }
    tls->next = NULL;
}

static bool reload(struct grc_tls *tls, const struct grc_tls_settings *settings, char **ret_reason)
{
    bool fine = grc_tls_prepare(tls, settings, ret_reason);

    grc_tls_settle(tls, fine);
    return fine;
}

void grc_tls_watch(struct grc_tls *tls)
{
    struct marks now;
    char *reason = NULL;

    take_marks(&tls->kept, &now);
    bool quiet = same_marks(&now, &tls->seen); /* else a process may still write the files */
    tls->seen = now;
    if (!quiet || same_marks(&now, &tls->loaded))
        return;
    tls->loaded = now; /* even if the files are wrong, so that it is logged only once */
    if (reload(tls, &tls->kept.settings, &reason))
        grc_info("the certificate of HTTPS listeners was read again");
    else
        grc_error("%s; going on with the certificate in use", reason ? reason : "out of memory");
    free(reason);
}

struct grc_tls *grc_tls_new(const struct grc_tls_settings *settings, char **ret_reason)
{
    struct grc_tls *tls = calloc(1, sizeof(*tls));

    *ret_reason = NULL;
    if (!tls)
        return NULL;
    pthread_mutex_init(&tls->lock, NULL);
    if (!reload(tls, settings, ret_reason)) {
        grc_tls_free(tls);
        return NULL;
    }
    return tls;
}

void grc_tls_free(struct grc_tls *tls)
{
    if (!tls)
        return;
    grc_tls_settle(tls, false);
    SSL_CTX_free(tls->current);
    forget(&tls->kept);
    pthread_mutex_destroy(&tls->lock);
    free(tls);
}
