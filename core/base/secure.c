#include "base/secure.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/random.h>

void grc_random(void *bytes, size_t count)
{
    unsigned char *at = bytes;

    while (count > 0) {
        size_t step = count < 256 ? count : 256;
        ssize_t got = getrandom(at, step, 0);

        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            abort();
        at += got;
        count -= (size_t)got;
    }
}

/* xorshift64*: Marsaglia 2003, Vigna 2014. Seeded per thread. */
uint64_t grc_random_fast(void)
{
    static _Thread_local uint64_t state;

    while (state == 0)
        grc_random(&state, sizeof(state));
    state ^= state >> 12;
    state ^= state << 25;
    state ^= state >> 27;
    return state * 0x2545f4914f6cdd1dULL;
}

void grc_hex(const void *bytes, size_t count, char *ret_text)
{
    static const char digits[] = "0123456789abcdef";
    const unsigned char *in = bytes;

    for (size_t i = 0; i < count; i++) {
        ret_text[2 * i] = digits[in[i] >> 4];
        ret_text[2 * i + 1] = digits[in[i] & 15];
    }
    ret_text[2 * count] = '\0';
}

int grc_hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

bool grc_unhex(gr_str text, void *ret_bytes, size_t count)
{
    unsigned char *out = ret_bytes;

    if (text.len / 2 != count || text.len % 2 != 0)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        if (grc_hex_digit(text.ptr[i]) < 0)
            return false;
    }
    for (size_t i = 0; i < count; i++)
        out[i] = (unsigned char)(grc_hex_digit(text.ptr[2 * i]) << 4 |
                                 grc_hex_digit(text.ptr[2 * i + 1]));
    return true;
}

/* Random bytes are fetched for many identifiers at once, to save system calls. Bytes that were
 * handed out are wiped from the pool, so that memory does not disclose earlier ones. */
static void random_pooled(void *bytes, size_t count)
{
    static _Thread_local unsigned char pool[256];
    static _Thread_local size_t left;

    if (left < count) {
        grc_random(pool, sizeof(pool));
        left = sizeof(pool);
    }
    left -= count;
    memcpy(bytes, pool + left, count);
    memset(pool + left, 0, count);
}

/* RFC 9562, section 5.4. */
void grc_uuid(char ret_text[37])
{
    static const unsigned char groups[] = {4, 2, 2, 2, 6}; /* bytes between the hyphens */
    unsigned char raw[16];
    const unsigned char *in = raw;
    char *out = ret_text;

    random_pooled(raw, sizeof(raw));
    raw[6] = (unsigned char)((raw[6] & 0x0f) | 0x40);
    raw[8] = (unsigned char)((raw[8] & 0x3f) | 0x80);
    for (size_t i = 0; i < sizeof(groups); i++) {
        grc_hex(in, groups[i], out);
        in += groups[i];
        out += 2 * groups[i];
        *out++ = '-';
    }
    out[-1] = '\0';
}

bool grc_secret_equal(gr_str a, gr_str b)
{
    /* The length of a secret is not a secret; its content is. */
    if (a.len != b.len)
        return false;
    return a.len == 0 || CRYPTO_memcmp(a.ptr, b.ptr, a.len) == 0;
}

void grc_wipe(void *bytes, size_t count)
{
    if (bytes && count)
        OPENSSL_cleanse(bytes, count);
}

void grc_wipe_free(char *text)
{
    if (text)
        grc_wipe(text, strlen(text));
    free(text);
}

static EVP_MD *sha256;
static pthread_once_t sha256_once = PTHREAD_ONCE_INIT;

/* Kept, because looking the algorithm up by name takes longer than the digest of a short text. */
static void fetch_sha256(void)
{
    sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
}

void grc_sha256(gr_str data, unsigned char ret_digest[32])
{
    /* Fails only without memory. A wrong digest would be worse than the end of the process. */
    pthread_once(&sha256_once, fetch_sha256);
    if (!sha256 || EVP_Digest(data.ptr, data.len, ret_digest, NULL, sha256, NULL) != 1)
        abort();
}

void grc_hmac_sha256(gr_str key, gr_str data, unsigned char ret_digest[32])
{
    unsigned len = 32;
    const void *key_bytes = key.ptr ? key.ptr : "";

    if (!HMAC(EVP_sha256(), key_bytes, (int)key.len, (const unsigned char *)data.ptr, data.len,
              ret_digest, &len))
        abort();
}

size_t grc_b64url_len(size_t count)
{
    return (count / 3) * 4 + (count % 3 ? count % 3 + 1 : 0);
}

void grc_b64url(const void *bytes, size_t count, char *ret_text)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    const unsigned char *in = bytes;
    char *out = ret_text;

    for (; count >= 3; count -= 3, in += 3) {
        unsigned value = (unsigned)in[0] << 16 | (unsigned)in[1] << 8 | in[2];

        *out++ = digits[value >> 18];
        *out++ = digits[value >> 12 & 63];
        *out++ = digits[value >> 6 & 63];
        *out++ = digits[value & 63];
    }
    if (count > 0) {
        unsigned value = (unsigned)in[0] << 8 | (count > 1 ? in[1] : 0u);

        *out++ = digits[value >> 10];
        *out++ = digits[value >> 4 & 63];
        if (count > 1)
            *out++ = digits[value << 2 & 63];
    }
    *out = '\0';
}

static int b64url_digit(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    if (c == '-')
        return 62;
    return c == '_' ? 63 : -1;
}

bool grc_b64url_decode(gr_str text, unsigned char *ret_bytes, size_t *ret_count)
{
    unsigned bits = 0;
    unsigned value = 0;
    size_t out = 0;

    if (text.len % 4 == 1)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        int digit = b64url_digit(text.ptr[i]);

        if (digit < 0)
            return false;
        value = (value << 6 | (unsigned)digit) & 0xffffu;
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            ret_bytes[out++] = (unsigned char)(value >> bits);
        }
    }
    /* The unused bits must be zero, or one value would have several encodings. */
    if (value & ((1u << bits) - 1u))
        return false;
    *ret_count = out;
    return true;
}
