/*
 * SipHash-2-4 (Aumasson and Bernstein, 2012) under a random key of the process: for tables whose
 * keys strangers choose. Thread-safe. Not for signatures.
 */
#pragma once

#include <greenroom/plugin.h>

struct grc_siphash {
    uint64_t v[4];
    uint64_t tail; /* bytes that do not make a word yet */
    uint64_t bytes;
};

void grc_siphash_begin(struct grc_siphash *hash);
/* With a key of the caller's, for tests. */
void grc_siphash_begin_with(struct grc_siphash *hash, uint64_t k0, uint64_t k1);
void grc_siphash_add(struct grc_siphash *hash, gr_str bytes);
uint64_t grc_siphash_end(struct grc_siphash *hash);
