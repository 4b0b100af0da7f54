#include "base/siphash.h"

#include "base/secure.h"

#include <endian.h>
#include <pthread.h>

static uint64_t process_key[2];
static pthread_once_t process_key_once = PTHREAD_ONCE_INIT;

static void make_key(void)
{
    grc_random(process_key, sizeof(process_key));
}

static uint64_t turn(uint64_t word, unsigned bits)
{
    return word << bits | word >> (64 - bits);
}

static void rounds(uint64_t v[4], unsigned count)
{
    while (count-- > 0) {
        v[0] += v[1];
        v[2] += v[3];
        v[1] = turn(v[1], 13) ^ v[0];
        v[3] = turn(v[3], 16) ^ v[2];
        v[0] = turn(v[0], 32);
        v[2] += v[1];
        v[0] += v[3];
        v[1] = turn(v[1], 17) ^ v[2];
        v[3] = turn(v[3], 21) ^ v[0];
        v[2] = turn(v[2], 32);
    }
}

static void add_word(struct grc_siphash *hash, uint64_t word)
{
    hash->v[3] ^= word;
    rounds(hash->v, 2);
    hash->v[0] ^= word;
}

void grc_siphash_begin_with(struct grc_siphash *hash, uint64_t k0, uint64_t k1)
{
    *hash = (struct grc_siphash){
        .v = {k0 ^ 0x736f6d6570736575u, k1 ^ 0x646f72616e646f6du, k0 ^ 0x6c7967656e657261u,
              k1 ^ 0x7465646279746573u},
    };
}

void grc_siphash_begin(struct grc_siphash *hash)
{
    pthread_once(&process_key_once, make_key);
    grc_siphash_begin_with(hash, process_key[0], process_key[1]);
}

static void add_byte(struct grc_siphash *hash, unsigned char byte)
{
    unsigned at = (unsigned)(hash->bytes++ & 7);

    hash->tail |= (uint64_t)byte << (8 * at);
    if (at == 7) {
        add_word(hash, hash->tail);
        hash->tail = 0;
    }
}

void grc_siphash_add(struct grc_siphash *hash, gr_str bytes)
{
    size_t at = 0;

    while (at < bytes.len) {
        uint64_t word;

        if (hash->bytes % sizeof(word) || bytes.len - at < sizeof(word)) {
            add_byte(hash, (unsigned char)bytes.ptr[at++]);
            continue;
        }
        memcpy(&word, bytes.ptr + at, sizeof(word));
        add_word(hash, le64toh(word));
        hash->bytes += sizeof(word);
        at += sizeof(word);
    }
}

uint64_t grc_siphash_end(struct grc_siphash *hash)
{
    add_word(hash, hash->tail | hash->bytes << 56);
    hash->v[2] ^= 0xff;
    rounds(hash->v, 4);
    return hash->v[0] ^ hash->v[1] ^ hash->v[2] ^ hash->v[3];
}
