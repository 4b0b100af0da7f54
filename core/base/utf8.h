/* UTF-8 as RFC 3629 has it: no surrogates, no overlong forms, nothing above U+10FFFF. */
#pragma once

#include <greenroom/plugin.h>

/* Length of the valid sequence at the start of the `left` bytes at p (at least one), or 0. */
size_t grc_utf8_step(const char *p, size_t left);
bool grc_utf8_valid(gr_str text);
/* Number of code points in valid UTF-8. */
size_t grc_utf8_count(gr_str text);
