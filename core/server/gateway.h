/*
 * What stands between the listeners and the runtime: which runtime serves at this moment, and the
 * memory of each worker's call.
 */
#pragma once

#include "http/http.h"
#include "server/runtime_build.h"

struct grc_gateway;

/* Takes over the reference. NULL without memory. */
struct grc_gateway *grc_gateway_new(struct grc_runtime *stolen);
/* What listeners call: grc_http_start() takes a copy. */
struct grc_http_handler grc_gateway_handler(struct grc_gateway *gateway);
/* The serving runtime; for the thread that swaps. */
struct grc_runtime *grc_gateway_runtime(struct grc_gateway *gateway);
/* Requests that begin from now on get the new runtime. The old one ends its timers, and goes on a
 * thread of its own when its last request has ended. */
void grc_gateway_swap(struct grc_gateway *gateway, struct grc_runtime *stolen);
/* After the listeners have stopped: waits for old runtimes, and frees all. */
void grc_gateway_free(struct grc_gateway *gateway);
