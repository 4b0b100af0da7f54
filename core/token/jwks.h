/*
 * JSON Web Key Sets (RFC 7517): parsed into keys that fix their algorithm, and fetched from where
 * an issuer publishes them.
 */
#pragma once

#include "token/jwt.h"

/* Longest text of a set, and most keys that are taken from one. */
#define GRC_JWKS_BYTES_MAX (256u << 10)
#define GRC_JWKS_KEYS_MAX 64u

/* A parsed set: counted, immutable. */
struct grc_jwks {
    _Atomic unsigned refs;
    struct grc_jwt_key **keys;
    size_t count;
    size_t skipped; /* keys for other purposes, or of other kinds */
};

/*
 * Takes RSA keys (alg RS256 to RS512; RS256 when the key does not say) and EC keys (the algorithm
 * of the curve). Symmetric keys ("oct") are taken only with secrets_ok, which is for files on this
 * machine, and with an alg of their own. Keys with another use, another alg or of another type are
 * skipped; a private key makes the set wrong. NULL with a static reason.
 */
struct grc_jwks *grc_jwks_parse(gr_str text, bool secrets_ok, const char **ret_reason);
struct grc_jwks *grc_jwks_ref(struct grc_jwks *set);
void grc_jwks_unref(struct grc_jwks *set);

/* One key as DER (SubjectPublicKeyInfo): in jwks_key.c. NULL, or a static reason; der is malloc'ed
 * by OpenSSL's allocator: free with grc_jwks_der_free(). */
const char *grc_jwks_rsa_der(const json_t *jwk, unsigned char **ret_der, size_t *ret_len);
const char *grc_jwks_ec_der(const json_t *jwk, const char *curve, unsigned char **ret_der,
                            size_t *ret_len);
void grc_jwks_der_free(unsigned char *der);

/* --- a set that is fetched --- */

/*
 * Where a set comes from. There is one of each URL in the process, whichever providers use it and
 * however often the config is read again, so neither a reload nor a second provider fetches twice.
 */
struct grc_jwks_source;

struct grc_jwks_source *grc_jwks_source_get(const char *url);
void grc_jwks_source_put(struct grc_jwks_source *source);

/* The set at hand (a reference), or NULL: none was fetched yet. */
struct grc_jwks *grc_jwks_source_set(struct grc_jwks_source *source);
/* True when the set is older than max_age_ms. */
bool grc_jwks_source_stale(struct grc_jwks_source *source, int64_t now_ms, int64_t max_age_ms);

/* Fetches the text into malloc'ed memory; NULL with a static reason. Called without any lock. */
typedef char *grc_jwks_fetch_fn(void *arg, size_t *ret_len, const char **ret_reason);

enum grc_jwks_refresh {
    GRC_JWKS_FETCHED = 1, /* there is a newer set */
    GRC_JWKS_FAILED,      /* it was tried just now */
    GRC_JWKS_TOO_SOON,    /* the last try is less than 30 s ago */
    GRC_JWKS_BUSY,        /* another thread is fetching it, and too many wait for that */
};

/* Fetches the set, unless that was tried less than 30 s ago. When another thread is fetching it,
 * waits for that thread if wait is set (a few seconds, and only so many threads at a time). After a
 * failure the old set is kept. now_ms is monotonic. */
enum grc_jwks_refresh grc_jwks_source_refresh(struct grc_jwks_source *source, int64_t now_ms,
                                              bool wait, grc_jwks_fetch_fn *fetch, void *arg);
