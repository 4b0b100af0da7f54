/* Shared by the files behind jwt.h, and used by core/auth. */
#pragma once

#include "token/jwt.h"

#include <openssl/types.h>

enum grc_jwt_family { GRC_JWT_HS = 1, GRC_JWT_RS, GRC_JWT_ES };

/* A supported algorithm (RFC 7518, section 3.1). */
struct grc_jwt_alg {
    const char *name;
    enum grc_jwt_family family;
    unsigned bits;       /* of the digest */
    const char *curve;   /* ES: OpenSSL's name of the curve */
    size_t number_bytes; /* ES: of r and of s in a signature */
};

struct grc_jwt_key {
    const struct grc_jwt_alg *alg;
    char *kid;             /* NULL: for tokens without kid */
    unsigned char *secret; /* HS */
    size_t secret_bytes;
    struct grc_jwt_mac *mac; /* HS: the key as OpenSSL's HMAC has prepared it */
    EVP_PKEY *pkey;          /* RS, ES */
    bool can_sign;
    size_t signature_bytes;
    char *head; /* how the tokens that it signs begin: base64url of their header, and a dot */
    size_t head_len;
};

/* The longest token that is accepted. */
#define GRC_JWT_TOKEN_MAX 8192u

/* --- jwt_hs.c, the only file that includes libjwt's header --- */

/* Copies the secret into the key. Returns NULL, or a static reason on failure. */
const char *grc_jwt_hs_load(struct grc_jwt_key *key, gr_str secret);
/* Writes the key's signature_bytes. */
enum gr_err grc_jwt_hs_sign(const struct grc_jwt_key *key, gr_str text, unsigned char *ret_bytes);
void grc_jwt_hs_free(struct grc_jwt_key *key);
/* token is NUL-terminated. The caller has compared the algorithm in its header with the key's. */
bool grc_jwt_hs_verify(const struct grc_jwt_key *key, const char *token);

/* --- jwt_evp.c, RS* and ES* through OpenSSL --- */

/* Parses the key into key->pkey. Returns NULL, or a static reason on failure. */
const char *grc_jwt_evp_load(struct grc_jwt_key *key, gr_str text);
/* Writes the key's signature_bytes in the form of JWS (for ES*, r and s of fixed width). */
enum gr_err grc_jwt_evp_sign(const struct grc_jwt_key *key, gr_str text, unsigned char *ret_bytes);
bool grc_jwt_evp_verify(const struct grc_jwt_key *key, gr_str text, const unsigned char *signature,
                        size_t count);
void grc_jwt_evp_free(struct grc_jwt_key *key);

/* --- jwt_claims.c --- */

enum grc_jwt_fault grc_jwt_claims_check(const json_t *claims, const struct gr_jwt_rules *rules,
                                        int64_t now_s);
