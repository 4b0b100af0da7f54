/* Durations and sizes as people write them. Thread-safe. */
#pragma once

#include <greenroom/plugin.h>

/* "250ms", "10s", "5m", "2h", "28d", or a bare number of ms. No sign, no space, no overflow. */
bool grc_duration_parse(const char *text, int64_t *ret_ms);
/* "64k", "1m", "2g" (powers of 1024), or a bare number of bytes. */
bool grc_bytes_parse(const char *text, int64_t *ret_bytes);
/* A whole decimal number, with sign. */
bool grc_integer_parse(const char *text, int64_t *ret_value);

/* The shortest spelling that parses back: "90s", "64k". ret_text has 32 bytes. */
void grc_duration_text(int64_t ms, char ret_text[32]);
void grc_bytes_text(int64_t bytes, char ret_text[32]);
