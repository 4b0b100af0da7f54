/* Random bytes, digests, constant-time comparison, encodings, by way of OpenSSL. Thread-safe. */
#pragma once

#include <greenroom/plugin.h>

/* Aborts the process when the system has no randomness: there is nothing safe to do then. */
void grc_random(void *bytes, size_t count);
/* A random 64-bit number from a fast per-thread generator; not for keys or tokens. */
uint64_t grc_random_fast(void);
/* Writes a random UUID (version 4): an identifier, not a secret. */
void grc_uuid(char ret_text[37]);
bool grc_secret_equal(gr_str a, gr_str b);
void grc_wipe(void *bytes, size_t count);
/* Wipes and frees a C string; NULL is fine. */
void grc_wipe_free(char *text);
void grc_sha256(gr_str data, unsigned char ret_digest[32]);
void grc_hmac_sha256(gr_str key, gr_str data, unsigned char ret_digest[32]);
/* Lower-case hex; ret_text has 2 * count + 1 bytes. */
void grc_hex(const void *bytes, size_t count, char *ret_text);
/* Returns the value of a hex digit of either case, or -1. */
int grc_hex_digit(char c);
/* Reads exactly 2 * count hex digits. For anything else it returns false and leaves ret_bytes as it
 * is. */
bool grc_unhex(gr_str text, void *ret_bytes, size_t count);
/* base64url without padding (RFC 4648, section 5). ret_text has grc_b64url_len(count) + 1 bytes. */
size_t grc_b64url_len(size_t count);
void grc_b64url(const void *bytes, size_t count, char *ret_text);
/* Returns false for padding, for another alphabet and for unused bits that are not zero. ret_bytes
 * has room for at least text.len bytes. */
bool grc_b64url_decode(gr_str text, unsigned char *ret_bytes, size_t *ret_count);
