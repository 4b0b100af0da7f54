/* GET /readyz. */
#pragma once

#include "call/call.h"

/* Answers 200 if upstreams, store and groups work, else 503. Thread-safe. */
enum gr_err grc_readiness_handle(struct gr_call *pub);
