/* The credentials of an Authorization header. */
#pragma once

#include <greenroom/plugin.h>

/* The token of a header value whose scheme is Bearer, in any case (RFC 9110, section 11.1),
 * borrowed from value. Empty for another scheme, without a token, and when something follows the
 * token. */
gr_str grc_bearer_token(gr_str value);
