/* Turns public keys of a JSON Web Key Set into DER (RFC 7518, section 6). */
#include "token/jwks.h"

#include "base/secure.h"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/x509.h>
#include <stdlib.h>

/* 8192 bits. Larger keys would only make each check slow. */
#define MODULUS_BYTES_MAX 1024u
#define EXPONENT_BYTES_MAX 8u
#define COORDINATE_BYTES_MAX 66u

/* Decodes a member of at most max bytes into malloc'ed memory. Returns NULL when it is missing, too
 * long or not base64url. */
static unsigned char *member_bytes(const json_t *jwk, const char *name, size_t max, size_t *ret_len)
{
    const json_t *value = json_object_get(jwk, name);
    gr_str text = {json_string_value(value), json_string_length(value)};
    unsigned char *bytes;

    if (!json_is_string(value) || text.len == 0 || text.len > grc_b64url_len(max) + 2)
        return NULL;
    bytes = malloc(text.len);
    if (bytes && (!grc_b64url_decode(text, bytes, ret_len) || *ret_len > max)) {
        free(bytes);
        bytes = NULL;
    }
    return bytes;
}

static EVP_PKEY *pkey_of(const char *type, OSSL_PARAM *params)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
    EVP_PKEY *pkey = NULL;

    if (!ctx || !params || EVP_PKEY_fromdata_init(ctx) != 1 ||
        EVP_PKEY_fromdata(ctx, &pkey, EVP_PKEY_PUBLIC_KEY, params) != 1)
        pkey = NULL;
    EVP_PKEY_CTX_free(ctx);
    return pkey;
}

static const char *der_of(EVP_PKEY *pkey, unsigned char **ret_der, size_t *ret_len)
{
    unsigned char *der = NULL;
    int len = pkey ? i2d_PUBKEY(pkey, &der) : -1;

    EVP_PKEY_free(pkey);
    ERR_clear_error();
    if (len <= 0)
        return "its numbers are not a valid key";
    *ret_der = der;
    *ret_len = (size_t)len;
    return NULL;
}

static EVP_PKEY *rsa_pkey(const unsigned char *n, size_t n_len, const unsigned char *e,
                          size_t e_len)
{
    OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
    BIGNUM *modulus = BN_bin2bn(n, (int)n_len, NULL);
    BIGNUM *exponent = BN_bin2bn(e, (int)e_len, NULL);
    OSSL_PARAM *params = NULL;
    EVP_PKEY *pkey;

    if (build && modulus && exponent &&
        OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_N, modulus) == 1 &&
        OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_E, exponent) == 1)
        params = OSSL_PARAM_BLD_to_param(build);
    pkey = pkey_of("RSA", params);
    OSSL_PARAM_free(params);
    OSSL_PARAM_BLD_free(build);
    BN_free(modulus);
    BN_free(exponent);
    return pkey;
}

const char *grc_jwks_rsa_der(const json_t *jwk, unsigned char **ret_der, size_t *ret_len)
{
    size_t n_len = 0;
    size_t e_len = 0;
    unsigned char *n = member_bytes(jwk, "n", MODULUS_BYTES_MAX, &n_len);
    unsigned char *e = member_bytes(jwk, "e", EXPONENT_BYTES_MAX, &e_len);
    EVP_PKEY *pkey = NULL;
    /* An even exponent, or 1, is not a valid RSA exponent. */
    bool fine = n && e && (e[e_len - 1] & 1) && !(e_len == 1 && e[0] == 1);

    if (fine)
        pkey = rsa_pkey(n, n_len, e, e_len);
    free(n);
    free(e);
    return fine ? der_of(pkey, ret_der, ret_len) : "n or e is missing or out of bounds";
}

const char *grc_jwks_ec_der(const json_t *jwk, const char *curve, unsigned char **ret_der,
                            size_t *ret_len)
{
    size_t x_len = 0;
    size_t y_len = 0;
    unsigned char *x = member_bytes(jwk, "x", COORDINATE_BYTES_MAX, &x_len);
    unsigned char *y = member_bytes(jwk, "y", COORDINATE_BYTES_MAX, &y_len);
    unsigned char point[1 + 2 * COORDINATE_BYTES_MAX];
    EVP_PKEY *pkey = NULL;
    bool fine = x && y && x_len == y_len;

    if (fine) {
        /* OpenSSL reads the group's name, and does not write to it. */
        OSSL_PARAM params[] = {
            OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, (char *)(uintptr_t)curve,
                                             0),
            OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, point, 1 + 2 * x_len),
            OSSL_PARAM_construct_end(),
        };

        point[0] = 0x04; /* uncompressed: both coordinates follow */
        memcpy(point + 1, x, x_len);
        memcpy(point + 1 + x_len, y, y_len);
        pkey = pkey_of("EC", params);
    }
    free(x);
    free(y);
    return fine ? der_of(pkey, ret_der, ret_len) : "x or y is missing or out of bounds";
}

void grc_jwks_der_free(unsigned char *der)
{
    OPENSSL_free(der);
}
