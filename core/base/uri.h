/* Percent-encoding, path segments and query strings (RFC 3986). */
#pragma once

#include "base/arena.h"
#include "base/buf.h"

/* Decodes %XX into ret (in.len bytes at least, not NUL-terminated). false: a bad escape, a NUL, a
 * control character, or broken UTF-8 in the result. plus_is_space for query strings. */
bool grc_uri_decode(gr_str in, bool plus_is_space, char *ret, size_t *ret_len);

/* Appends text with everything but unreserved characters percent-encoded: one path segment or one
 * query name or value. */
enum gr_err grc_uri_encode(struct grc_buf *buf, gr_str text);

/* Appends text as one path segment with everything but the characters of a segment (pchar, RFC
 * 3986, section 3.3) percent-encoded: ':', '@' and sub-delims stay as they are. */
enum gr_err grc_segment_encode(struct grc_buf *buf, gr_str text);

/* Splits "http://host:port/path" into its origin and its path ("/" when there is none), both
 * borrowed. The scheme may be in any case. false for another scheme, an empty host, a user, a
 * query, a fragment, and for characters that no URL has. */
bool grc_url_split(const char *url, gr_str *ret_origin, const char **ret_path);

/* One byte of text at *at, escape resolved, and moves *at behind it. -1 at a bad escape. */
int grc_uri_byte(gr_str in, size_t *at);

/* True for a decoded value that is safe as one path segment: not empty, not "." or "..", and no
 * such piece between slashes or backslashes, for servers that decode a path before they split it.
 */
bool grc_segment_safe(gr_str decoded);

/* Splits and decodes a raw query string. Pairs are in arena memory, values NUL-terminated, and a
 * pair of NULLs follows the last one. Empty pieces ("a=1&&b=2") are skipped.
 * GR_ERR_BAD_REQUEST for a bad escape, GR_ERR_INVALID over pairs_max. */
enum gr_err grc_query_parse(struct grc_arena *arena, gr_str raw, size_t pairs_max,
                            struct gr_pair **ret_pairs, size_t *ret_count);
