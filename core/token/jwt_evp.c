/*
 * RS256/384/512 and ES256/384/512 with OpenSSL keys that are parsed once. Many threads may use an
 * EVP_PKEY at the same time as long as none changes it.
 */
#include "token/jwt_key.h"

#include <openssl/bio.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdlib.h>

#define RSA_BITS_MIN 2048
#define POINT_BYTES 65u /* an uncompressed point of P-256 */

/* The SubjectPublicKeyInfo of a P-256 key up to its point (RFC 5480). */
static const unsigned char p256_spki_head[] = {
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01,
    0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
};

/* Makes an encrypted key an error. Otherwise OpenSSL would ask for the passphrase at the terminal.
 */
static int no_passphrase(char *buf, int size, int writing, void *arg)
{
    (void)buf;
    (void)size;
    (void)writing;
    (void)arg;
    return -1;
}

static EVP_PKEY *read_pem(gr_str text, bool is_private)
{
    BIO *bio = BIO_new_mem_buf(text.ptr, (int)text.len);
    EVP_PKEY *pkey = NULL;

    if (!bio)
        return NULL;
    if (is_private)
        pkey = PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL);
    else
        pkey = PEM_read_bio_PUBKEY(bio, NULL, no_passphrase, NULL);
    BIO_free(bio);
    return pkey;
}

/* Reads a private key (PKCS#8 or traditional) or a public one (SubjectPublicKeyInfo). Refuses bytes
 * behind it. */
static EVP_PKEY *read_der(gr_str text, bool is_private)
{
    const unsigned char *at = (const unsigned char *)text.ptr;
    const unsigned char *end = at + text.len;
    EVP_PKEY *pkey = is_private ? d2i_AutoPrivateKey(NULL, &at, (long)text.len)
                                : d2i_PUBKEY(NULL, &at, (long)text.len);

    if (pkey && at != end) {
        EVP_PKEY_free(pkey);
        return NULL;
    }
    return pkey;
}

static EVP_PKEY *read_point(gr_str text)
{
    unsigned char spki[sizeof(p256_spki_head) + POINT_BYTES];

    memcpy(spki, p256_spki_head, sizeof(p256_spki_head));
    memcpy(spki + sizeof(p256_spki_head), text.ptr, POINT_BYTES);
    return read_der((gr_str){(const char *)spki, sizeof(spki)}, false);
}

static EVP_PKEY *read_any(const struct grc_jwt_alg *alg, gr_str text, bool *ret_private)
{
    bool pem = memmem(text.ptr, text.len, "-----BEGIN ", 11) != NULL;
    EVP_PKEY *pkey;

    *ret_private = false;
    if (alg->family == GRC_JWT_ES && alg->bits == 256 && text.len == POINT_BYTES &&
        text.ptr[0] == 0x04)
        return read_point(text);
    pkey = pem ? read_pem(text, true) : read_der(text, true);
    *ret_private = pkey != NULL;
    if (!pkey)
        pkey = pem ? read_pem(text, false) : read_der(text, false);
    return pkey;
}

static const char *check_kind(const struct grc_jwt_alg *alg, const EVP_PKEY *pkey)
{
    char curve[64];
    size_t len = 0;

    if (alg->family == GRC_JWT_RS) {
        if (!EVP_PKEY_is_a(pkey, "RSA"))
            return "not an RSA key";
        return EVP_PKEY_get_bits(pkey) < RSA_BITS_MIN ? "an RSA key below 2048 bits" : NULL;
    }
    if (!EVP_PKEY_is_a(pkey, "EC"))
        return "not an elliptic curve key";
    if (EVP_PKEY_get_group_name(pkey, curve, sizeof(curve), &len) != 1 ||
        strcmp(curve, alg->curve) != 0)
        return "a key on another curve than the algorithm's";
    return NULL;
}

static const char *check_sound(const EVP_PKEY *pkey)
{
    EVP_PKEY *mutable_pkey = (EVP_PKEY *)(uintptr_t)pkey;
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(mutable_pkey, NULL);
    bool good = ctx && EVP_PKEY_public_check(ctx) == 1;

    EVP_PKEY_CTX_free(ctx);
    return good ? NULL : "a key with invalid numbers";
}

const char *grc_jwt_evp_load(struct grc_jwt_key *key, gr_str text)
{
    const char *reason;

    if (text.len > 65536)
        return "a key file of more than 64 KiB";
    key->pkey = read_any(key->alg, text, &key->can_sign);
    ERR_clear_error();
    if (!key->pkey)
        return "neither PEM nor DER, or encrypted";
    reason = check_kind(key->alg, key->pkey);
    if (!reason)
        reason = check_sound(key->pkey);
    ERR_clear_error();
    key->signature_bytes = key->alg->family == GRC_JWT_ES ? 2 * key->alg->number_bytes
                                                          : (size_t)EVP_PKEY_get_size(key->pkey);
    return reason;
}

void grc_jwt_evp_free(struct grc_jwt_key *key)
{
    EVP_PKEY_free(key->pkey);
    key->pkey = NULL;
}

static const EVP_MD *digest_of(const struct grc_jwt_alg *alg)
{
    if (alg->bits == 256)
        return EVP_sha256();
    return alg->bits == 384 ? EVP_sha384() : EVP_sha512();
}

/* Writes r and s of the DER signature with fixed width (RFC 7518, section 3.4). */
static bool der_to_jws(const struct grc_jwt_alg *alg, const unsigned char *der, size_t count,
                       unsigned char *ret_bytes)
{
    ECDSA_SIG *sig = d2i_ECDSA_SIG(NULL, &der, (long)count);
    int width = (int)alg->number_bytes;
    bool good = sig && BN_bn2binpad(ECDSA_SIG_get0_r(sig), ret_bytes, width) == width &&
                BN_bn2binpad(ECDSA_SIG_get0_s(sig), ret_bytes + width, width) == width;

    ECDSA_SIG_free(sig);
    return good;
}

enum gr_err grc_jwt_evp_sign(const struct grc_jwt_key *key, gr_str text, unsigned char *ret_bytes)
{
    const unsigned char *in = (const unsigned char *)text.ptr;
    const bool elliptic = key->alg->family == GRC_JWT_ES;
    size_t count = (size_t)EVP_PKEY_get_size(key->pkey);
    unsigned char *der = elliptic ? malloc(count) : NULL;
    unsigned char *bytes = elliptic ? der : ret_bytes;
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool good = ctx && bytes &&
                EVP_DigestSignInit(ctx, NULL, digest_of(key->alg), NULL, key->pkey) == 1 &&
                EVP_DigestSign(ctx, bytes, &count, in, text.len) == 1;

    EVP_MD_CTX_free(ctx);
    good = good &&
           (elliptic ? der_to_jws(key->alg, der, count, ret_bytes) : count == key->signature_bytes);
    free(der);
    ERR_clear_error();
    return good ? GR_OK : GR_ERR_INTERNAL;
}

/* Turns r and s of fixed width into DER, to be released with OPENSSL_free(). Returns NULL when the
 * width is wrong. */
static unsigned char *jws_to_der(const struct grc_jwt_alg *alg, const unsigned char *signature,
                                 size_t count, size_t *ret_count)
{
    size_t width = alg->number_bytes;
    unsigned char *der = NULL;
    int len = -1;

    if (count != 2 * width)
        return NULL;
    ECDSA_SIG *sig = ECDSA_SIG_new();
    BIGNUM *r = BN_bin2bn(signature, (int)width, NULL);
    BIGNUM *s = BN_bin2bn(signature + width, (int)width, NULL);
    if (sig && r && s && ECDSA_SIG_set0(sig, r, s) == 1) {
        r = NULL; /* the signature owns them now */
        s = NULL;
        len = i2d_ECDSA_SIG(sig, &der);
    }
    BN_free(r);
    BN_free(s);
    ECDSA_SIG_free(sig);
    if (len <= 0)
        return NULL;
    *ret_count = (size_t)len;
    return der;
}

bool grc_jwt_evp_verify(const struct grc_jwt_key *key, gr_str text, const unsigned char *signature,
                        size_t count)
{
    unsigned char *der = NULL;
    bool good = false;

    if (key->alg->family == GRC_JWT_ES) {
        der = jws_to_der(key->alg, signature, count, &count);
        if (!der)
            return false;
        signature = der;
    } else if (count != (size_t)EVP_PKEY_get_size(key->pkey)) {
        return false;
    }
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    if (ctx && EVP_DigestVerifyInit(ctx, NULL, digest_of(key->alg), NULL, key->pkey) == 1)
        good =
            EVP_DigestVerify(ctx, signature, count, (const unsigned char *)text.ptr, text.len) == 1;
    EVP_MD_CTX_free(ctx);
    OPENSSL_free(der);
    ERR_clear_error();
    return good;
}
