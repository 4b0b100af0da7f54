/* UTF-8 as in RFC 3629: no surrogates, no overlong forms, nothing above U+10FFFF. */
#pragma once

#include <greenroom/plugin.h>

/* Returns the length of the valid sequence at the start of the `left` bytes at p (at least one
 * byte), or 0. */
size_t grc_utf8_step(const char *p, size_t left);
bool grc_utf8_valid(gr_str text);
/* Returns the number of code points in valid UTF-8. */
size_t grc_utf8_count(gr_str text);
