/* Hashes for tables in memory. Fast, seeded, not for anything that has to hold against forgery. */
#pragma once

#include <greenroom/plugin.h>

/* Chains: feed a result back as the seed. The length counts, so that "ab", "c" is not "a", "bc". */
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
