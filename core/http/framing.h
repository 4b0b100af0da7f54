/*
 * Strict framing (RFC 9112) of request heads.
 *
 * A head is judged here, on the connection's own buffer, before CivetWeb sees a byte of it: what
 * two readers could read in two ways never gets to its parser, which is lenient. No CivetWeb type
 * and no socket appear here, so that tables of heads can test it.
 */
#pragma once

#include "http/message.h"

/* How much of a head may be there, in bytes. */
struct grc_framing_limits {
    size_t uri_max;     /* of the request target */
    size_t headers_max; /* of the header lines with their line ends */
};

/* The most bytes that a head within the limits can have. */
size_t grc_framing_head_max(const struct grc_framing_limits *limits);

/*
 * Looks for the end of a head in bytes[0..len), going on at *scanned, which it moves. Returns the
 * head's length with its empty line, 0 when that has not come yet, or -1 at a byte that no head may
 * have: a control character other than a tab, CR without LF, LF without CR.
 */
long grc_framing_scan(const char *bytes, size_t len, size_t *scanned);

/*
 * Reads a head that grc_framing_scan() found whole, and fills in method, head, options,
 * method_text, path, query, headers, content_length, expect_continue, http_1_0 and steering. All
 * slices point into bytes. A target in absolute form is written over, so that its path stands
 * directly behind the method: *ret_skipped bytes at the front no longer belong to the head.
 *
 * On failure also sets broken and broken_reason (a literal, for the client) and returns broken; the
 * connection must then be closed after the answer. method_text, path and query are set as far as
 * the request line could be read.
 */
enum gr_err grc_framing_read(char *bytes, size_t len, const struct grc_framing_limits *limits,
                             struct grc_request *request, size_t *ret_skipped);

/* Fills in the same failure for bytes that are no head, or a head without an end. */
enum gr_err grc_framing_refuse(const char *bytes, size_t len, struct grc_request *request,
                               enum gr_err err, const char *reason);

/*
 * Copies a head that was read to where CivetWeb parses it. What would make CivetWeb look for a
 * body, close the connection or change the protocol (the names in steering, version 1.0) is made
 * harmless, since all of that is decided elsewhere, and tabs, which its parser refuses, become
 * blanks. The copy is exactly as long.
 */
void grc_framing_copy(char *into, const char *bytes, size_t len, const struct grc_request *request);

/* Puts a NUL behind names, values, path and query of a head in bytes that was read without an
 * error, for readers of C strings. It cannot be copied to CivetWeb any more. */
void grc_framing_terminate(char *bytes, const struct grc_request *request);

/* True when the connection may stay open as far as the client is concerned. */
bool grc_framing_keep_alive(const struct grc_request *request);
