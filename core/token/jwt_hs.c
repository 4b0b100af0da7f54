/*
 * HS256, HS384 and HS512.
 *
 * libjwt verifies. It takes the algorithm from the token, and with a NULL key it accepts any token,
 * so jwt.c compares the token's header with the key before it calls grc_jwt_hs_verify().
 *
 * OpenSSL's HMAC signs, for which the key is prepared once: libjwt prepares it for each token, and
 * copies each claim into a JSON tree of its own, which was 60 % of the work of POST /token.
 */
#include "token/jwt_key.h"

#include "base/secure.h"

#include <jwt.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

/* A signature needs a context of its own. Making one takes longer than the signature of a short
 * text, so the last signer leaves its own for the next one. */
struct grc_jwt_mac {
    EVP_MAC_CTX *keyed;           /* is copied, never used itself */
    _Atomic(EVP_MAC_CTX *) spare; /* a copy that has been used, as good as new; NULL: none */
};

static jwt_alg_t libjwt_alg(const struct grc_jwt_key *key)
{
    switch (key->alg->bits) {
    case 256:
        return JWT_ALG_HS256;
    case 384:
        return JWT_ALG_HS384;
    default:
        return JWT_ALG_HS512;
    }
}

const char *grc_jwt_hs_load(struct grc_jwt_key *key, gr_str secret)
{
    char digest[16];

    if (secret.len > 65536)
        return "a secret of more than 64 KiB";
    /* A public key as the secret would let any client sign tokens, since it is not secret. */
    if (memmem(secret.ptr, secret.len, "-----BEGIN ", 11))
        return "a PEM key, but the algorithm needs a secret";
    key->secret = malloc(secret.len);
    if (!key->secret)
        return "out of memory";
    memcpy(key->secret, secret.ptr, secret.len);
    key->secret_bytes = secret.len;

    key->mac = calloc(1, sizeof(*key->mac));
    if (!key->mac)
        return "out of memory";
    snprintf(digest, sizeof(digest), "SHA%u", key->alg->bits);
    const OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_end(),
    };
    EVP_MAC *hmac = EVP_MAC_fetch(NULL, OSSL_MAC_NAME_HMAC, NULL);
    EVP_MAC_CTX *keyed = hmac ? EVP_MAC_CTX_new(hmac) : NULL;
    EVP_MAC_free(hmac); /* the context holds a reference */
    key->mac->keyed = keyed;
    if (!keyed || EVP_MAC_init(keyed, key->secret, key->secret_bytes, params) != 1)
        return "OpenSSL has no HMAC for it";
    key->can_sign = true;
    key->signature_bytes = key->alg->bits / 8;
    return NULL;
}

void grc_jwt_hs_free(struct grc_jwt_key *key)
{
    if (key->mac) {
        EVP_MAC_CTX_free(key->mac->keyed);
        EVP_MAC_CTX_free(atomic_load(&key->mac->spare));
    }
    free(key->mac);
    if (key->secret)
        grc_wipe(key->secret, key->secret_bytes);
    free(key->secret);
}

static EVP_MAC_CTX *take_context(struct grc_jwt_mac *mac)
{
    EVP_MAC_CTX *context = atomic_exchange(&mac->spare, NULL);

    return context ? context : EVP_MAC_CTX_dup(mac->keyed);
}

/* Without a key, EVP_MAC_init() goes back to the state behind the key, and forgets the text. */
static void give_context(struct grc_jwt_mac *mac, EVP_MAC_CTX *context)
{
    if (context && EVP_MAC_init(context, NULL, 0, NULL) == 1)
        context = atomic_exchange(&mac->spare, context);
    EVP_MAC_CTX_free(context);
}

enum gr_err grc_jwt_hs_sign(const struct grc_jwt_key *key, gr_str text, unsigned char *ret_bytes)
{
    EVP_MAC_CTX *context = take_context(key->mac);
    size_t count = 0;
    bool good = context &&
                EVP_MAC_update(context, (const unsigned char *)text.ptr, text.len) == 1 &&
                EVP_MAC_final(context, ret_bytes, &count, key->signature_bytes) == 1;

    give_context(key->mac, context);
    return good ? GR_OK : GR_ERR_INTERNAL;
}

bool grc_jwt_hs_verify(const struct grc_jwt_key *key, const char *token)
{
    jwt_t *jwt = NULL;
    bool good = jwt_decode(&jwt, token, key->secret, (int)key->secret_bytes) == 0 && jwt &&
                jwt_get_alg(jwt) == libjwt_alg(key);

    jwt_free(jwt);
    return good;
}
