/* The transport of libcurl's own: for HTTP/2, and for exchanges side by side in one multi. */
#pragma once

#include "upstream/transfer.h"

/* Takes a handle for a transfer that was launched and makes it ready; the transfer holds it. */
enum gr_err grc_curl_begin(struct grc_transfer *transfer);
/* Gives it back when libcurl has said its word; with GR_OK the exchange has its answer. */
struct grc_outcome grc_curl_end(struct grc_transfer *transfer, CURLcode code);

/* Makes one attempt of a transfer that was launched. With GR_OK in the outcome the exchange has its
 * answer. It waits without holding a thread where the caller is on a fiber. */
struct grc_outcome grc_curl_attempt(struct grc_transfer *transfer);
