/*
 * Strict framing (RFC 9112) on top of CivetWeb's lenient parser.
 *
 * CivetWeb splits a head in place: it overwrites the byte after each name and value with NUL and
 * drops what it does not understand. The bytes between the parsed pieces still tell what stood
 * there, so this module looks at them, and at nothing outside of the buffer. No CivetWeb type
 * appears here, so that a table of heads can test it.
 */
#pragma once

#include "http/message.h"

/* Where the pieces of a parsed head lie. */
struct grc_framing {
    const char *base;    /* start of the buffer the head was read into; NULL: not known */
    const char *limit;   /* first byte behind the buffer, or the best known bound below it */
    const char *version; /* "1.1", behind "HTTP/" */
    size_t uri_max;
};

/*
 * Checks a request whose method_text, path, query, headers and header_count are filled in with
 * slices of the buffer, values not yet trimmed. Trims the values and fills in method, head,
 * options, content_length, expect_continue, http_1_0. On failure also sets broken and broken_reason
 * (a literal, for the client) and returns broken; the connection must then be closed after the
 * answer.
 */
enum gr_err grc_framing_check(struct grc_request *request, const struct grc_framing *framing);

/* True when the connection may stay open as far as the client is concerned. */
bool grc_framing_keep_alive(const struct grc_request *request);
