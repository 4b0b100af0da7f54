#include "token/jwks.h"

#include "base/json.h"
#include "base/secure.h"

#include <stdatomic.h>
#include <stdlib.h>

#define DEPTH_MAX 8u

struct grc_jwks *grc_jwks_ref(struct grc_jwks *set)
{
    atomic_fetch_add_explicit(&set->refs, 1, memory_order_relaxed);
    return set;
}

void grc_jwks_unref(struct grc_jwks *set)
{
    if (!set || atomic_fetch_sub_explicit(&set->refs, 1, memory_order_acq_rel) != 1)
        return;
    for (size_t i = 0; i < set->count; i++)
        grc_jwt_key_free(set->keys[i]);
    free(set->keys);
    free(set);
}

/* False when the key states another purpose than checking signatures (RFC 7517, sections 4.2 and
 * 4.3). */
static bool for_verifying(const json_t *jwk)
{
    const json_t *use = json_object_get(jwk, "use");
    const json_t *ops = json_object_get(jwk, "key_ops");
    const json_t *op;
    size_t i;

    if (use && (!json_is_string(use) || strcmp(json_string_value(use), "sig") != 0))
        return false;
    if (!ops)
        return true;
    json_array_foreach(ops, i, op) {
        if (json_is_string(op) && strcmp(json_string_value(op), "verify") == 0)
            return true;
    }
    return false;
}

static const struct {
    const char *crv;
    const char *alg;
    const char *openssl;
} curves[] = {
    {"P-256", "ES256", "prime256v1"},
    {"P-384", "ES384", "secp384r1"},
    {"P-521", "ES512", "secp521r1"},
};

/* Returns the algorithm of a key, or NULL when it is not supported. *ret_curve is OpenSSL's name of
 * the curve of an EC key. */
static const char *alg_of(const json_t *jwk, const char *kty, const char **ret_curve)
{
    const char *alg = grc_json_member(jwk, "alg");
    const char *crv = grc_json_member(jwk, "crv");

    if (strcmp(kty, "RSA") == 0 && !alg)
        return "RS256";
    if (strcmp(kty, "RSA") == 0 &&
        (strcmp(alg, "RS256") == 0 || strcmp(alg, "RS384") == 0 || strcmp(alg, "RS512") == 0))
        return alg;
    for (size_t i = 0; strcmp(kty, "EC") == 0 && crv && i < sizeof(curves) / sizeof(curves[0]);
         i++) {
        if (strcmp(crv, curves[i].crv) == 0 && (!alg || strcmp(alg, curves[i].alg) == 0)) {
            *ret_curve = curves[i].openssl;
            return curves[i].alg;
        }
    }
    if (strcmp(kty, "oct") == 0 && alg &&
        (strcmp(alg, "HS256") == 0 || strcmp(alg, "HS384") == 0 || strcmp(alg, "HS512") == 0))
        return alg;
    return NULL;
}

static struct grc_jwt_key *secret_key(const json_t *jwk, struct gr_jwt_key *key,
                                      const char **ret_reason)
{
    gr_str text = gr_str_of(grc_json_member(jwk, "k"));
    unsigned char *bytes = malloc(text.len + 1);
    struct grc_jwt_key *made = NULL;
    size_t len = 0;

    /* At least as long as the shortest digest (RFC 7518, section 3.2). */
    if (bytes && grc_b64url_decode(text, bytes, &len) && len >= 32) {
        key->key = (gr_str){(const char *)bytes, len};
        made = grc_jwt_key_new(key, ret_reason);
    } else {
        *ret_reason = "a secret is shorter than 32 bytes";
    }
    grc_wipe(bytes, len);
    free(bytes);
    return made;
}

static struct grc_jwt_key *public_key(const json_t *jwk, const char *curve, struct gr_jwt_key *key,
                                      const char **ret_reason)
{
    unsigned char *der = NULL;
    struct grc_jwt_key *made = NULL;
    size_t len = 0;

    *ret_reason =
        curve ? grc_jwks_ec_der(jwk, curve, &der, &len) : grc_jwks_rsa_der(jwk, &der, &len);
    if (!*ret_reason) {
        key->key = (gr_str){(const char *)der, len};
        made = grc_jwt_key_new(key, ret_reason);
    }
    grc_jwks_der_free(der);
    return made;
}

/* Adds a key or counts it as skipped. Returns NULL, or why the whole set must be refused. */
static const char *take_key(struct grc_jwks *set, const json_t *jwk, bool secrets_ok)
{
    const char *kty = grc_json_member(jwk, "kty");
    const char *curve = NULL;
    const char *reason = NULL;
    struct gr_jwt_key key = {.kid = grc_json_member(jwk, "kid")};
    struct grc_jwt_key *made = NULL;

    if (json_object_get(jwk, "d"))
        return "a private key, which must not be published";
    bool secret = kty && strcmp(kty, "oct") == 0;
    /* Keys that are not understood are skipped (RFC 7517, section 5). */
    key.alg = kty ? alg_of(jwk, kty, &curve) : NULL;
    if (key.alg && for_verifying(jwk) && (!secret || secrets_ok))
        made = secret ? secret_key(jwk, &key, &reason) : public_key(jwk, curve, &key, &reason);
    if (made)
        set->keys[set->count++] = made;
    else
        set->skipped++;
    return NULL;
}

static const char *take_keys(struct grc_jwks *set, const json_t *root, bool secrets_ok)
{
    const json_t *list = json_object_get(root, "keys");
    const json_t *jwk;
    size_t i;

    if (!json_is_array(list))
        return "no list \"keys\"";
    if (json_array_size(list) > GRC_JWKS_KEYS_MAX)
        return "more than 64 keys";
    set->keys = calloc(json_array_size(list) + 1, sizeof(struct grc_jwt_key *));
    if (!set->keys)
        return "out of memory";
    json_array_foreach(list, i, jwk) {
        const char *reason = take_key(set, jwk, secrets_ok);

        if (reason)
            return reason;
    }
    return set->count > 0 ? NULL : "no key that can check signatures";
}

struct grc_jwks *grc_jwks_parse(gr_str text, bool secrets_ok, const char **ret_reason)
{
    struct grc_jwks *set = NULL;
    const char *reason = "larger than 256 KiB";
    json_t *root = NULL;

    if (text.len <= GRC_JWKS_BYTES_MAX)
        root = grc_json_parse(text, DEPTH_MAX, &reason);
    if (root) {
        set = calloc(1, sizeof(*set));
        reason = set ? take_keys(set, root, secrets_ok) : "out of memory";
    }
    json_decref(root);
    if (set)
        atomic_init(&set->refs, 1);
    if (!reason)
        return set;
    grc_jwks_unref(set);
    *ret_reason = reason;
    return NULL;
}
