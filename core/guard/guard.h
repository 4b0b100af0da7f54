/*
 * Who may call, and how often. The steps of a request's way that stand between routing and the
 * body: see server/pipeline.c for their order.
 */
#pragma once

#include "call/call.h"

/* Finds the caller of a GR_ACCESS_CALLER route; fails the call with 401 when there is none. */
enum gr_err grc_guard_authenticate(struct grc_call *call);
/* 403 naming the missing scope. */
enum gr_err grc_guard_scope(struct grc_call *call);
/* 429 with Retry-After. */
enum gr_err grc_guard_rate(struct grc_call *call);
/* True when the caller holds the scope ("rooms:read"; "rooms:*" and "*" cover it). */
bool grc_guard_has_scope(const struct grc_call *call, const char *scope);
/* False when the caller is bound to other values of this kind. */
bool grc_guard_may(const struct grc_call *call, const char *binds, gr_str value);
