/*
 * Hashes one password: with bcrypt ($2b$), and with yescrypt ($y$) above 72 bytes, where bcrypt
 * would cut it off. This takes a third of a second on purpose and runs on the threads of hasher.c.
 */
#include "rig.h"

#include <crypt.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

_Static_assert(RIG_HASH_SIZE == CRYPT_OUTPUT_SIZE, "size of a hash");

/*
 * The password for crypt_rn(): NUL-terminated, and one byte shorter than the longest password that
 * rig allows. The longest one is replaced by its digest, so that all its bytes count.
 */
static void phrase_of(const struct gr_host *host, gr_str password, char *ret_phrase)
{
    unsigned char digest[32];

    if (password.len < CRYPT_MAX_PASSPHRASE_SIZE) {
        if (password.len)
            memcpy(ret_phrase, password.ptr, password.len);
        ret_phrase[password.len] = '\0';
        return;
    }
    gr_sha256(host, password, digest);
    gr_hex(host, digest, sizeof(digest), ret_phrase);
    gr_wipe(host, digest, sizeof(digest));
}

/* Allocates 32 KiB of work memory. */
static bool crypt_into(const struct gr_host *host, gr_str password, const char *setting,
                       char ret_hash[RIG_HASH_SIZE])
{
    struct crypt_data *data = calloc(1, sizeof(*data));
    char *phrase = malloc(RIG_PASSWORD_MAX_BYTES + 1);
    bool ok = false;

    if (data && phrase && password.len <= RIG_PASSWORD_MAX_BYTES) {
        phrase_of(host, password, phrase);
        /* On a failure crypt_rn() returns NULL, where crypt_r() returns a text like a hash. */
        const char *hash = crypt_rn(phrase, setting, data, (int)sizeof(*data));
        if (hash && strlen(hash) < RIG_HASH_SIZE) {
            (void)snprintf(ret_hash, RIG_HASH_SIZE, "%s", hash);
            ok = true;
        }
    }
    if (phrase)
        gr_wipe(host, phrase, RIG_PASSWORD_MAX_BYTES + 1);
    if (data)
        gr_wipe(host, data, sizeof(*data));
    free(phrase);
    free(data);
    return ok;
}

bool rig_hash_make(const struct gr_host *host, gr_str password, int64_t cost,
                   char ret_hash[RIG_HASH_SIZE])
{
    char setting[CRYPT_GENSALT_OUTPUT_SIZE];
    char salt[16];
    bool bcrypt = password.len <= RIG_BCRYPT_MAX_BYTES;

    if (getrandom(salt, sizeof(salt), 0) != (ssize_t)sizeof(salt))
        return false;
    /* Cost 0 is yescrypt's default. */
    if (!crypt_gensalt_rn(bcrypt ? "$2b$" : "$y$", bcrypt ? (unsigned long)cost : 0, salt,
                          (int)sizeof(salt), setting, (int)sizeof(setting)))
        return false;
    return crypt_into(host, password, setting, ret_hash);
}

bool rig_hash_verify(const struct gr_host *host, gr_str password, const char *hash)
{
    char again[RIG_HASH_SIZE];

    return crypt_into(host, password, hash, again) &&
           gr_secret_equal(host, gr_str_of(hash), gr_str_of(again));
}

bool rig_hash_stale(const char *hash, gr_str password, int64_t cost)
{
    if (password.len > RIG_BCRYPT_MAX_BYTES)
        return strncmp(hash, "$y$", 3) != 0;
    return strncmp(hash, "$2b$", 4) != 0 || strtol(hash + 4, NULL, 10) < cost;
}
