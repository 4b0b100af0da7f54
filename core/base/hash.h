/* A fast, seeded hash for tables in memory. It does not withstand keys that an attacker chooses;
 * see siphash.h for those. */
#pragma once

#include <greenroom/plugin.h>

/* Several texts are hashed one after the other, each with the result of the one before as its seed.
 * The length goes into the hash, so that "ab" and "c" differ from "a" and "bc". */
static inline uint64_t grc_hash(uint64_t seed, gr_str text)
{
    const uint64_t odd = 0x9e3779b97f4a7c15u;
    uint64_t hash = (seed ^ text.len) * odd;
    size_t at = 0;

    while (at < text.len) {
        uint64_t word = 0;
        size_t take = text.len - at < sizeof(word) ? text.len - at : sizeof(word);

        memcpy(&word, text.ptr + at, take);
        hash = (hash ^ word) * odd;
        hash ^= hash >> 29;
        at += take;
    }
    hash = (hash ^ (hash >> 32)) * odd;
    return hash ^ (hash >> 32);
}
