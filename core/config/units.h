/* Durations and sizes as people write them. Thread-safe. */
#pragma once

#include <greenroom/plugin.h>

/* Parses "250ms", "10s", "5m", "2h", "28d", or a bare number of ms, without sign or space. */
bool grc_duration_parse(const char *text, int64_t *ret_ms);
/* Whether a text is a number other than 0 without a unit. grc_duration_parse() takes it as
 * milliseconds, and people who know other programs mean seconds. */
bool grc_duration_lacks_unit(const char *text);
/* Parses "64k", "1m", "2g" (powers of 1024), or a bare number of bytes. */
bool grc_bytes_parse(const char *text, int64_t *ret_bytes);
/* Parses a whole decimal number, which may be negative. */
bool grc_integer_parse(const char *text, int64_t *ret_value);

/* These write the value with the largest unit that divides it: "90s", "64k". */
void grc_duration_text(int64_t ms, char ret_text[32]);
void grc_bytes_text(int64_t bytes, char ret_text[32]);
