/*
 * JSON Web Key Sets (RFC 7517): parsing them into keys, each with its algorithm, and fetching them
 * from the URL where an issuer publishes them.
 */
#pragma once

#include "token/jwt.h"

/* The longest text of a set, and the most keys that it may have. */
#define GRC_JWKS_BYTES_MAX (256u << 10)
#define GRC_JWKS_KEYS_MAX 64u

/* A parsed set. Reference-counted, immutable. */
struct grc_jwks {
    _Atomic unsigned refs;
    struct grc_jwt_key **keys;
    size_t count;
    size_t skipped; /* number of keys for other purposes or of other kinds */
};

/*
 * Takes RSA keys (alg RS256 to RS512; RS256 when the key has no alg) and EC keys (with the
 * algorithm of the curve). Symmetric keys ("oct") are only taken with secrets_ok, which is for
 * files on this machine, and when they have an alg. Keys with another use, alg or type are skipped.
 * A private key makes the whole set wrong. Returns NULL with a static reason.
 */
struct grc_jwks *grc_jwks_parse(gr_str text, bool secrets_ok, const char **ret_reason);
struct grc_jwks *grc_jwks_ref(struct grc_jwks *set);
void grc_jwks_unref(struct grc_jwks *set);

/* Write a key as DER (SubjectPublicKeyInfo), to be released with grc_jwks_der_free(). Return NULL,
 * or a static reason on failure. In jwks_key.c. */
const char *grc_jwks_rsa_der(const json_t *jwk, unsigned char **ret_der, size_t *ret_len);
const char *grc_jwks_ec_der(const json_t *jwk, const char *curve, unsigned char **ret_der,
                            size_t *ret_len);
void grc_jwks_der_free(unsigned char *der);

/* --- a set that is fetched --- */

/*
 * The source of a fetched set. The process has one source for each URL, which all providers and all
 * readings of the config share, so that neither a reload nor a second provider fetches it again.
 */
struct grc_jwks_source;

struct grc_jwks_source *grc_jwks_source_get(const char *url);
void grc_jwks_source_put(struct grc_jwks_source *source);

/* Returns a reference to the current set, or NULL when none was fetched yet. */
struct grc_jwks *grc_jwks_source_set(struct grc_jwks_source *source);
/* True when the set is older than max_age_ms. */
bool grc_jwks_source_stale(struct grc_jwks_source *source, int64_t now_ms, int64_t max_age_ms);

/* Fetches the text into malloc'ed memory; returns NULL with a static reason. Called with no lock
 * held. */
typedef char *grc_jwks_fetch_fn(void *arg, size_t *ret_len, const char **ret_reason);

enum grc_jwks_refresh {
    GRC_JWKS_FETCHED = 1, /* there is a new set */
    GRC_JWKS_FAILED,      /* a fetch has just failed */
    GRC_JWKS_TOO_SOON,    /* the last fetch was less than 30 s ago */
    GRC_JWKS_BUSY,        /* another call is fetching it, and this one did not wait for the end */
};

/* Fetches the set, unless that was tried less than 30 s ago. When another call is fetching it and
 * wait is set, this call waits for that one, up to 5 s; at most 16 calls wait. After a failure the
 * old set is kept. now_ms is monotonic. */
enum grc_jwks_refresh grc_jwks_source_refresh(struct grc_jwks_source *source, int64_t now_ms,
                                              bool wait, grc_jwks_fetch_fn *fetch, void *arg);
