/* GET /readyz. */
#pragma once

#include "call/call.h"

/* 200 when upstreams, store and groups can work, else 503. Thread-safe. */
enum gr_err grc_readiness_handle(struct gr_call *pub);
