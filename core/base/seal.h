/*
 * Encrypts bytes that leave the gateway, so that only a holder of the key can read or make them:
 * AES-256-GCM (NIST SP 800-38D), by way of OpenSSL. Each value has a key of its own, HMAC-SHA256 of
 * a random salt under the given key, so that the number of values under one key is not limited by
 * the length of GCM's nonces. Thread-safe.
 */
#pragma once

#include <greenroom/plugin.h>

#define GRC_SEAL_KEY 32u
#define GRC_SEAL_SALT 16u
#define GRC_SEAL_TAG 16u
/* How much longer a sealed value is. */
#define GRC_SEAL_EXTRA (GRC_SEAL_SALT + GRC_SEAL_TAG)

/* Writes plain.len + GRC_SEAL_EXTRA bytes. place tells where the value belongs; to open the value,
 * the same bytes are needed. Returns false when OpenSSL fails. */
bool grc_seal(const unsigned char key[GRC_SEAL_KEY], gr_str place, gr_str plain,
              unsigned char *ret_sealed);
/* Writes sealed.len - GRC_SEAL_EXTRA bytes. Returns false when the value was not made with this key
 * for this place; the bytes are then to be ignored. */
bool grc_unseal(const unsigned char key[GRC_SEAL_KEY], gr_str place, gr_str sealed,
                unsigned char *ret_plain);
