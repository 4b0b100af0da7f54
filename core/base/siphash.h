/*
 * SipHash-2-4 (Aumasson and Bernstein, 2012) under a random key of the process, for tables with
 * keys that clients choose. Thread-safe. Not for signatures.
 */
#pragma once

#include <greenroom/plugin.h>

struct grc_siphash {
    uint64_t v[4];
    uint64_t tail; /* bytes that do not make a word yet */
    uint64_t bytes;
};

void grc_siphash_begin(struct grc_siphash *hash);
/* Begins with a given key, for tests. */
void grc_siphash_begin_with(struct grc_siphash *hash, uint64_t k0, uint64_t k1);
void grc_siphash_add(struct grc_siphash *hash, gr_str bytes);
uint64_t grc_siphash_end(struct grc_siphash *hash);
