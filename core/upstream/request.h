/* The head of a request to an upstream, for both transports. Pure functions. */
#pragma once

#include "upstream/upstream.h"

#include <greenroom/version.h>

/* Header lines that are the same in every request. */
#define GRC_REQUEST_ACCEPT "Accept: application/json"
#define GRC_REQUEST_AGENT "User-Agent: greenroom/" GR_VERSION

/* True for an encoded path and query of visible ASCII that begins with a slash. */
bool grc_request_target_good(gr_str target);

/* Called for each field. The value consists of prefix and value. */
typedef enum gr_err grc_request_field_fn(void *arg, gr_str name, const char *prefix, gr_str value);

/*
 * Calls put() for the fields of the exchange, in the order in which they are sent, except the
 * length, those that are the same in every request, and the token of the upstream's credential;
 * with_token tells that there is one. Stops at the first error and returns it. GR_ERR_INTERNAL for
 * a name or value that must not be sent.
 */
enum gr_err grc_request_fields(const struct grc_exchange *exchange, bool with_token,
                               grc_request_field_fn *put, void *arg);

/* True when the request needs a length: it has a body, or a method that is expected to have one. */
bool grc_request_has_length(const struct grc_exchange *exchange);
