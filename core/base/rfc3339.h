/* Timestamps as RFC 3339 writes them: "2026-11-22T10:11:12.345+01:00". Thread-safe. */
#pragma once

#include <greenroom/plugin.h>

/* Writes milliseconds since the Unix epoch to ret_ms (may be NULL); further digits are cut off.
 * Returns false when text is not a full date and time with a zone and at most nine digits of
 * fraction, or names a day that does not exist. A leap second is refused, as by most parsers. */
bool grc_rfc3339_parse(gr_str text, int64_t *ret_ms);
