/* Key sets from an issuer: what comes out is bounded, and each key refuses the tokens of others. */
#include "auth/jwks.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* {"alg":"none"} and {"alg":"HS256"}, with the claims {} and a signature of nothing. */
static const char *const forged[] = {
    "eyJhbGciOiJub25lIn0.e30.",    "eyJhbGciOiJub25lIn0.e30.AA",  "eyJhbGciOiJIUzI1NiJ9.e30.AA",
    "eyJhbGciOiJSUzI1NiJ9.e30.AA", "eyJhbGciOiJFUzI1NiJ9.e30.AA",
};

static void use(const struct grc_jwks *set)
{
    const struct gr_jwt_rules rules = {.issuer = NULL};

    if (set->count > GRC_JWKS_KEYS_MAX)
        abort();
    for (size_t i = 0; i < set->count; i++) {
        if (!set->keys[i])
            abort();
        (void)grc_jwt_key_kid(set->keys[i]);
    }
    for (size_t i = 0; i < sizeof(forged) / sizeof(forged[0]); i++) {
        json_t *claims = NULL;

        if (grc_jwt_verify((const struct grc_jwt_key *const *)set->keys, set->count, &rules,
                           gr_str_of(forged[i]), 0, &claims) == GRC_JWT_OK)
            abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    gr_str text = {(const char *)data, size};

    for (int secrets_ok = 0; secrets_ok < 2; secrets_ok++) {
        const char *reason = NULL;
        struct grc_jwks *set = grc_jwks_parse(text, secrets_ok, &reason);

        if (!set && !reason)
            abort();
        if (!set)
            continue;
        use(set);
        grc_jwks_unref(set);
    }
    return 0;
}
