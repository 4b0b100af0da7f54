/* The transport that uses libcurl's HTTP, for "transport": "curl" and for several exchanges in one
 * multi handle. */
#pragma once

#include "upstream/transfer.h"

/* Takes and prepares a handle for a transfer that was launched. The transfer keeps it. */
enum gr_err grc_curl_begin(struct grc_transfer *transfer);
/* Gives the handle back when libcurl has finished with this code. With GR_OK in the outcome the
 * exchange has its answer. */
struct grc_outcome grc_curl_end(struct grc_transfer *transfer, CURLcode code);

/* Returns why an attempt ends before libcurl has finished it, or GR_OK: the wait of its call was
 * cancelled or has failed, or the client has left. */
enum gr_err grc_curl_early(enum grc_woken woken, struct grc_handle *handle);

/* Makes one attempt of a transfer that was launched. With GR_OK in the outcome the exchange has its
 * answer. On a fiber it waits without holding a thread. */
struct grc_outcome grc_curl_attempt(struct grc_transfer *transfer);
