/* Decides which headers are sent to an upstream and passed back from it. Pure functions. */
#pragma once

#include "upstream/upstream.h"

/* True for printable ASCII, blanks and tabs, so that nothing can end the line. */
bool grc_header_value_good(gr_str value);
/* Tells whether a handler may set a header for an upstream: not the hop-by-hop ones, nor those that
 * the host writes. */
bool grc_header_outgoing(gr_str name, bool with_authorization);

enum grc_header_kind {
    GRC_HEADER_DROP = 0,
    GRC_HEADER_PASS, /* passed to the client unchanged */
    GRC_HEADER_TYPE,
    GRC_HEADER_RETRY_AFTER, /* passed too */
    GRC_HEADER_ENCODING,
};
/* What to do with a header of an upstream's answer. */
enum grc_header_kind grc_header_incoming(gr_str name);

/* Splits "Name: value\r\n" and trims the value. Returns false when the line is malformed, or must
 * not be passed on. */
bool grc_header_split(gr_str line, struct gr_pair *ret_pair);
/* True when the value may be passed to a client: printable ASCII, and not too long. */
bool grc_header_passable(const struct gr_pair *pair);

/* Reads what a header says about caching the answer. */
void grc_header_freshness(const struct gr_pair *pair, struct grc_freshness *freshness);
/* Returns the seconds of a header that is a number; -1 for a date and for anything malformed. */
int64_t grc_header_seconds(gr_str value);
