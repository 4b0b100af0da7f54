/* Which headers travel, either way. Pure functions. */
#pragma once

#include "upstream/upstream.h"

/* Printable ASCII, blanks and tabs; nothing that could end the line. */
bool grc_header_value_good(gr_str value);
/* May a caller of an upstream set it? Not the hop-by-hop ones, nor those that the host writes. */
bool grc_header_outgoing(gr_str name, bool with_authorization);

enum grc_header_kind {
    GRC_HEADER_DROP = 0,
    GRC_HEADER_PASS, /* goes back to the client as it came */
    GRC_HEADER_TYPE,
    GRC_HEADER_RETRY_AFTER, /* passes, too */
    GRC_HEADER_ENCODING,
};
/* What to do with a header of an upstream's answer. */
enum grc_header_kind grc_header_incoming(gr_str name);

/* Splits "Name: value\r\n"; value without blanks around. false: no such line, or unfit to pass. */
bool grc_header_split(gr_str line, struct gr_pair *ret_pair);
/* True when the value may go on to a client: of printable ASCII, and not too long. */
bool grc_header_passable(const struct gr_pair *pair);

/* Takes in what a header says about keeping the answer. */
void grc_header_freshness(const struct gr_pair *pair, struct grc_freshness *freshness);
/* The seconds of a Retry-After that is a number; -1: it is a date, or nonsense. */
int64_t grc_header_seconds(gr_str value);
