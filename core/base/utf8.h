/* UTF-8 as in RFC 3629: no surrogates, no overlong forms, nothing above U+10FFFF. */
#pragma once

#include <greenroom/plugin.h>

/* Returns the length of the valid sequence at the start of the `left` bytes at p (at least one
 * byte), or 0. */
size_t grc_utf8_step(const char *p, size_t left);
bool grc_utf8_valid(gr_str text);
/* Returns the place of the first byte at or behind `from` that is not printable ASCII, or is '"' or
 * '\\'; the length of the text if there is none. It looks at eight bytes at a time, so those who
 * have to look closer at some bytes come past the others quickly. */
size_t grc_utf8_plain(gr_str text, size_t from);
/* Returns the number of code points in valid UTF-8. */
size_t grc_utf8_count(gr_str text);
/* Writes a code point up to U+10FFFF, one to four bytes. Returns their number. */
size_t grc_utf8_put(uint32_t code, char *ret_bytes);
/* Line and column of a byte, both from 1; the column counts code points. */
void grc_utf8_place(gr_str text, size_t at, unsigned *ret_line, unsigned *ret_column);
