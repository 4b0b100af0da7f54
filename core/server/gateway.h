/*
 * Connects the listeners with the runtime: keeps the runtime that serves at this moment, and the
 * memory of calls.
 */
#pragma once

#include "http/http.h"
#include "server/runtime_build.h"

struct grc_gateway;

/* Steals the reference. NULL without memory. */
struct grc_gateway *grc_gateway_new(struct grc_runtime *stolen);
/* The functions that listeners call; grc_http_start() copies the struct. */
struct grc_http_handler grc_gateway_handler(struct grc_gateway *gateway);
/* The runtime that serves. Only for the thread that swaps. */
struct grc_runtime *grc_gateway_runtime(struct grc_gateway *gateway);
/* Requests that begin from now on get the new runtime. A thread of its own stops the timers of the
 * old one, waits for its last request, and frees it. */
void grc_gateway_swap(struct grc_gateway *gateway, struct grc_runtime *stolen);
/* Waits for old runtimes, and frees everything. Call it after the listeners have stopped. */
void grc_gateway_free(struct grc_gateway *gateway);
