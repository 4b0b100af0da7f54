/* Scopes: "resource:action". A scope that a caller holds may have '*' on either side, or be "*",
 * which covers everything. */
#pragma once

#include <greenroom/plugin.h>

/* True for "*", and for two words of letters, digits, '_', '-' and '.' (or '*') around a ':'. */
bool grc_scope_valid(gr_str scope);
/* True when a scope that a caller holds ("rooms:*") covers the one that a route wants. */
bool grc_scope_covers(gr_str held, gr_str wanted);
