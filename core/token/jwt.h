/*
 * JSON Web Tokens (RFC 7519, RFC 7515). The key fixes the algorithm, the token never does. libjwt
 * signs and verifies HS*; RS* and ES* go through cached OpenSSL keys. Thread-safe.
 */
#pragma once

#include "base/arena.h"

#include <jansson.h>

enum grc_jwt_fault {
    GRC_JWT_OK = 0,
    GRC_JWT_MALFORMED,
    GRC_JWT_ALGORITHM, /* none, or not the key's */
    GRC_JWT_KEY,       /* no key for this kid */
    GRC_JWT_SIGNATURE,
    GRC_JWT_EXPIRED,
    GRC_JWT_NOT_YET,
    GRC_JWT_ISSUER,
    GRC_JWT_AUDIENCE,
    GRC_JWT_CLAIM, /* a claim of the wrong type, or exp missing */
};

struct grc_jwt_key; /* parsed once, then immutable */

/* Parses a key; NULL with a static reason: empty key, unknown algorithm, weak or broken key. */
struct grc_jwt_key *grc_jwt_key_new(const struct gr_jwt_key *key, const char **ret_reason);
void grc_jwt_key_free(struct grc_jwt_key *key);
const char *grc_jwt_key_kid(const struct grc_jwt_key *key);

/* A claim beside those of a JSON object, which needs no JSON value made for it. */
struct grc_jwt_claim {
    const char *name; /* NULL ends a list */
    const char *text; /* NULL: the number counts */
    int64_t number;
};

/* Signs claims as they are, but for those that own (may be NULL) has as well; text in the arena. */
enum gr_err grc_jwt_sign(struct grc_arena *arena, const struct grc_jwt_key *key,
                         const json_t *claims, const struct grc_jwt_claim *own, char **ret_token);
/* Verifies and checks claims at wall time now_s. ret_claims: a new reference. */
enum grc_jwt_fault grc_jwt_verify(const struct grc_jwt_key *const *keys, size_t count,
                                  const struct gr_jwt_rules *rules, gr_str token, int64_t now_s,
                                  json_t **ret_claims);
const char *grc_jwt_fault_text(enum grc_jwt_fault fault);
const char *grc_jwt_library(void);
