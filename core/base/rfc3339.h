/* Timestamps as RFC 3339 writes them: "2026-11-22T10:11:12.345+01:00". Thread-safe. */
#pragma once

#include <greenroom/plugin.h>

/* Milliseconds since the Unix epoch into ret_ms (may be NULL), finer digits cut off. false when
 * text is not a full date and time with a zone and at most nine digits of fraction, or names a day
 * that does not exist. Leap seconds are refused, as most readers of such texts do. */
bool grc_rfc3339_parse(gr_str text, int64_t *ret_ms);
