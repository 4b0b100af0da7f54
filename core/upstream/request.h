/* The head of a request to an upstream, as every transport sends it. Pure functions. */
#pragma once

#include "upstream/upstream.h"

#include <greenroom/version.h>

/* What every request says, as lines. */
#define GRC_REQUEST_ACCEPT "Accept: application/json"
#define GRC_REQUEST_AGENT "User-Agent: greenroom/" GR_VERSION

/* An encoded path and query of visible ASCII that begins with a slash. */
bool grc_request_target_good(gr_str target);

/* Called for each field; the value is prefix and value, one behind the other. */
typedef enum gr_err grc_request_field_fn(void *arg, gr_str name, const char *prefix, gr_str value);

/*
 * Calls put() for every field of the exchange, in the order in which they go out, but the ones that
 * are the same in every request, the length, and a token that the upstream's credential supplies:
 * with_token says that there is one. Stops at the first failure and returns it. GR_ERR_INTERNAL: a
 * name or value that must not be sent.
 */
enum gr_err grc_request_fields(const struct grc_exchange *exchange, bool with_token,
                               grc_request_field_fn *put, void *arg);

/* True when the request has a body or has to say that it has none. */
bool grc_request_has_length(const struct grc_exchange *exchange);
