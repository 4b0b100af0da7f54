/* Percent-encoding, path segments and query strings (RFC 3986). */
#pragma once

#include "base/arena.h"
#include "base/buf.h"

/* Decodes %XX into ret (at least in.len bytes, not NUL-terminated). Returns false for a bad escape,
 * a control character (also NUL), or broken UTF-8 in the result. plus_is_space is for query
 * strings. */
bool grc_uri_decode(gr_str in, bool plus_is_space, char *ret, size_t *ret_len);

/* Appends text as a path segment, a query name or a query value: everything but unreserved
 * characters is percent-encoded. */
enum gr_err grc_uri_encode(struct grc_buf *buf, gr_str text);

/* Appends text as one path segment with everything but the characters of a segment (pchar, RFC
 * 3986, section 3.3) percent-encoded: ':', '@' and sub-delims stay as they are. */
enum gr_err grc_segment_encode(struct grc_buf *buf, gr_str text);

/* Splits "http://host:port/path" into its origin and its path ("/" when there is none), both
 * borrowed. The scheme may be in any case. Returns false for another scheme, an empty host, a user,
 * a query, a fragment, and for characters that no URL has. */
bool grc_url_split(const char *url, gr_str *ret_origin, const char **ret_path);

/* Reads one byte at *at, decoding an escape, and moves *at behind it. Returns -1 at a bad escape.
 */
int grc_uri_byte(gr_str in, size_t *at);

/* True for a decoded value that is safe as one path segment: it is not empty, and neither it nor
 * any piece of it between slashes or backslashes is "." or "..". The pieces count because some
 * servers decode a path before they split it. */
bool grc_segment_safe(gr_str decoded);

/* Splits and decodes a raw query string. The pairs are in the arena, their values are
 * NUL-terminated, and a pair of NULLs follows the last one. Empty pieces ("a=1&&b=2") are skipped.
 * Returns GR_ERR_BAD_REQUEST for a bad escape, GR_ERR_INVALID for more than pairs_max pairs. */
enum gr_err grc_query_parse(struct grc_arena *arena, gr_str raw, size_t pairs_max,
                            struct gr_pair **ret_pairs, size_t *ret_count);
