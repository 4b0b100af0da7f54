#include "base/seal.h"

#include "base/secure.h"

#include <limits.h>
#include <openssl/evp.h>

/* Each key encrypts only one value, so the nonce may be constant. */
static const unsigned char nonce[12];

/* Begins with the value's own key, and the place. */
static bool begin(EVP_CIPHER_CTX *context, bool encrypts, const unsigned char key[GRC_SEAL_KEY],
                  const unsigned char *salt, gr_str place)
{
    unsigned char own[GRC_SEAL_KEY];
    int count = 0;

    grc_hmac_sha256((gr_str){(const char *)key, GRC_SEAL_KEY},
                    (gr_str){(const char *)salt, GRC_SEAL_SALT}, own);
    bool fine = EVP_CipherInit_ex(context, EVP_aes_256_gcm(), NULL, own, nonce, encrypts) == 1 &&
                place.len <= INT_MAX &&
                EVP_CipherUpdate(context, NULL, &count, (const unsigned char *)place.ptr,
                                 (int)place.len) == 1;
    grc_wipe(own, sizeof(own));
    return fine;
}

static bool run(EVP_CIPHER_CTX *context, gr_str in, unsigned char *out)
{
    int count = 0;

    return in.len <= INT_MAX &&
           (in.len == 0 || EVP_CipherUpdate(context, out, &count, (const unsigned char *)in.ptr,
                                            (int)in.len) == 1);
}

bool grc_seal(const unsigned char key[GRC_SEAL_KEY], gr_str place, gr_str plain,
              unsigned char *ret_sealed)
{
    EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
    unsigned char *text = ret_sealed + GRC_SEAL_SALT;
    int count = 0;

    grc_random(ret_sealed, GRC_SEAL_SALT);
    bool fine =
        context && begin(context, true, key, ret_sealed, place) && run(context, plain, text) &&
        EVP_CipherFinal_ex(context, text + plain.len, &count) == 1 &&
        EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_GCM_GET_TAG, GRC_SEAL_TAG, text + plain.len) == 1;
    EVP_CIPHER_CTX_free(context);
    return fine;
}

bool grc_unseal(const unsigned char key[GRC_SEAL_KEY], gr_str place, gr_str sealed,
                unsigned char *ret_plain)
{
    if (sealed.len < GRC_SEAL_EXTRA)
        return false;
    const unsigned char *salt = (const unsigned char *)sealed.ptr;
    gr_str text = {sealed.ptr + GRC_SEAL_SALT, sealed.len - GRC_SEAL_EXTRA};
    unsigned char tag[GRC_SEAL_TAG];
    unsigned char none[16];
    int count = 0;
    EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();

    memcpy(tag, text.ptr + text.len, sizeof(tag));
    bool fine = context && begin(context, false, key, salt, place) &&
                run(context, text, ret_plain) &&
                EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_GCM_SET_TAG, GRC_SEAL_TAG, tag) == 1 &&
                EVP_CipherFinal_ex(context, none, &count) == 1;
    EVP_CIPHER_CTX_free(context);
    return fine;
}
