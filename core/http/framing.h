/*
 * Strict framing (RFC 9112) of request heads.
 *
 * A head is checked here, in the connection's own buffer, before CivetWeb gets it: its parser is
 * lenient, and a head that two parsers could understand differently must not reach it. This file
 * uses no CivetWeb type and no socket, so that unit tests can run it on tables of heads.
 */
#pragma once

#include "http/message.h"

/* Limits of a head, in bytes. */
struct grc_framing_limits {
    size_t uri_max;     /* of the request target */
    size_t headers_max; /* of all header lines with their line ends */
};

/* The most bytes that a head within the limits can have. */
size_t grc_framing_head_max(const struct grc_framing_limits *limits);

/*
 * Looks for the end of a head in bytes[0..len). Continues at *scanned, and updates it. Returns the
 * head's length with its empty line, 0 if the head is not complete yet, or -1 at a byte that no
 * head may have: a control character other than a tab, CR without LF, LF without CR.
 */
long grc_framing_scan(const char *bytes, size_t len, size_t *scanned);

/*
 * Reads a head that grc_framing_scan() found complete, and fills in method, head, options,
 * method_text, path, query, headers, content_length, expect_continue and http_1_0. All slices
 * point into bytes. In a target in absolute form, scheme and host are overwritten, so that
 * the path follows the method: the first *ret_skipped bytes no longer belong to the head.
 *
 * On failure it also sets broken and broken_reason (a literal, for the client) and returns broken;
 * the connection must then be closed after the answer. method_text, path and query are set as far
 * as the request line could be read.
 */
enum gr_err grc_framing_read(char *bytes, size_t len, const struct grc_framing_limits *limits,
                             struct grc_request *request, size_t *ret_skipped);

/* Fills in such a failure for bytes that are not a head, or not a complete one. */
enum gr_err grc_framing_refuse(const char *bytes, size_t len, struct grc_request *request,
                               enum gr_err err, const char *reason);

/*
 * Writes the head that CivetWeb parses for a head that was read, which is not longer, and returns
 * its length. It has the same method and target, but no headers: CivetWeb must not look for a body,
 * close the connection or change the protocol, nobody asks it for a header, and it reads a long
 * head slowly. For the same reasons its version is always 1.1.
 */
size_t grc_framing_copy(char *into, const char *bytes, size_t len);

/* Puts a NUL after the names, values, path and query of a head that was read without an error, so
 * that they are C strings. grc_framing_copy() cannot be used afterwards. */
void grc_framing_terminate(char *bytes, const struct grc_request *request);

/* Whether the request allows the connection to stay open. */
bool grc_framing_keep_alive(const struct grc_request *request);
