/*
 * JSON Web Tokens (RFC 7519, RFC 7515). The key determines the algorithm, never the token. libjwt
 * verifies HS*; all else is done by OpenSSL with keys that are prepared once. Thread-safe.
 */
#pragma once

#include "base/arena.h"

#include <jansson.h>

enum grc_jwt_fault {
    GRC_JWT_OK = 0,
    GRC_JWT_MALFORMED,
    GRC_JWT_ALGORITHM, /* an unknown algorithm, or not the key's */
    GRC_JWT_KEY,       /* no key for this kid */
    GRC_JWT_SIGNATURE,
    GRC_JWT_EXPIRED,
    GRC_JWT_NOT_YET,
    GRC_JWT_ISSUER,
    GRC_JWT_AUDIENCE,
    GRC_JWT_CLAIM, /* a claim of the wrong type, or exp missing */
};

struct grc_jwt_key; /* immutable */

/* Parses a key. Returns NULL with a static reason for an empty, weak or broken key and for an
 * unknown algorithm. */
struct grc_jwt_key *grc_jwt_key_new(const struct gr_jwt_key *key, const char **ret_reason);
void grc_jwt_key_free(struct grc_jwt_key *key);
/* Warns in the log of a secret that is shorter than the digest of its algorithm (RFC 7518, section
 * 3.2). place: where the config has it, as the log is to name it. */
void grc_jwt_key_warn(const struct grc_jwt_key *key, const char *place);

/* A claim that is given without a JSON value. */
struct grc_jwt_claim {
    const char *name; /* NULL ends a list */
    const char *text; /* NULL: the value is the number */
    int64_t number;
};

/* Signs the claims and those in own (may be NULL), which replace claims of the same name. The token
 * is in the arena. */
enum gr_err grc_jwt_sign(struct grc_arena *arena, const struct grc_jwt_key *key,
                         const json_t *claims, const struct grc_jwt_claim *own, char **ret_token);
/* Verifies the signature, and checks the claims at wall time now_s. *ret_claims is a new reference;
 * ret_claims may be NULL. */
enum grc_jwt_fault grc_jwt_verify(const struct grc_jwt_key *const *keys, size_t count,
                                  const struct gr_jwt_rules *rules, gr_str token, int64_t now_s,
                                  json_t **ret_claims);
/* Reads a token without verifying it. Returns new references to two objects, or false when it is
 * malformed or too long. */
bool grc_jwt_peek(gr_str token, json_t **ret_header, json_t **ret_claims);
const char *grc_jwt_fault_text(enum grc_jwt_fault fault);
const char *grc_jwt_library(void);
