/* One segment of a path. */
#pragma once

#include <greenroom/plugin.h>

/* Percent-encodes text as one path segment (RFC 3986, section 3.3): ':' and sub-delims stay, '/'
 * and
 * '%' do not. Call memory; NULL without. */
char *mini_encode_path_segment(struct gr_call *call, const char *text);
