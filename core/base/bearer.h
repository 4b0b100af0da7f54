/* The credentials of an Authorization header. */
#pragma once

#include <greenroom/plugin.h>

/* Returns the token of a header value with the scheme Bearer, in any case (RFC 9110, section 11.1),
 * borrowed from value. Returns an empty string for another scheme, when the token is missing, and
 * when something follows it. */
gr_str grc_bearer_token(gr_str value);
