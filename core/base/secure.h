/* Random bytes, digests, constant-time comparison, encodings. All thread-safe. OpenSSL behind. */
#pragma once

#include <greenroom/plugin.h>

/* Aborts the process when the system has no randomness: there is nothing safe to do then. */
void grc_random(void *bytes, size_t count);
/* A random 64-bit number from a fast per-thread generator; not for keys or tokens. */
uint64_t grc_random_fast(void);
/* From the system's randomness, fetched for several at once. An identifier, not a secret. */
void grc_uuid(char ret_text[37]);
bool grc_secret_equal(gr_str a, gr_str b);
void grc_wipe(void *bytes, size_t count);
/* Wipes and frees a C string; NULL is fine. */
void grc_wipe_free(char *text);
void grc_sha256(gr_str data, unsigned char ret_digest[32]);
void grc_hmac_sha256(gr_str key, gr_str data, unsigned char ret_digest[32]);
/* Lower-case hex; ret_text has 2 * count + 1 bytes. */
void grc_hex(const void *bytes, size_t count, char *ret_text);
/* Value of a hex digit of either case, or -1. */
int grc_hex_digit(char c);
/* Reads exactly 2 * count hex digits. false, with ret_bytes untouched, for anything else. */
bool grc_unhex(gr_str text, void *ret_bytes, size_t count);
/* base64url without padding (RFC 4648, section 5). ret_text has grc_b64url_len(count) + 1 bytes. */
size_t grc_b64url_len(size_t count);
void grc_b64url(const void *bytes, size_t count, char *ret_text);
/* Strict: no padding, no other alphabet, no stray bits. ret_bytes holds text.len bytes at least. */
bool grc_b64url_decode(gr_str text, unsigned char *ret_bytes, size_t *ret_count);
