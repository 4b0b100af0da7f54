/*
 * Idempotency-Key (draft-ietf-httpapi-idempotency-key-header-07) on routes whose rows have
 * GR_ROUTE_IDEMPOTENCY_KEY, in groups whose file has "idempotency". A request with a key is carried
 * out once: the same caller gets the first answer again when it repeats the request, on any gateway
 * with the same store.
 *
 *     the first request with this key         is carried out
 *     the same request, which was answered    the first answer, with Idempotent-Replayed: true
 *     another request with this key           422
 *     the first one is still being served     409 with Retry-After
 *     how the first one ended is not known    504; it is not carried out again
 *     the store does not answer               503; it is not carried out
 *
 * An answer is not kept, and the key can be used again, where nothing was done and a repeat may
 * succeed: a 429 or 5xx before anything was sent to an upstream or changed in the store.
 */
#pragma once

#include "call/call.h"

struct grc_keeper;

/* Header of an answer that was given before. */
#define GRC_IDEMPOTENT_REPLAYED "Idempotent-Replayed"

/* The setting of the group when a route takes keys, else NULL. */
const struct grc_idempotency_settings *grc_idempotency_of(const struct grc_route *route);

/* True when a group of the runtime has Idempotency-Keys switched on. */
bool grc_idempotency_wanted(const struct grc_runtime *runtime);
/* Migrates the store and starts the keeper. On failure *ret_reason is a malloc'ed line, or NULL
 * without memory. */
struct grc_keeper *grc_idempotency_start(struct grc_runtime *runtime, char **ret_reason);

/*
 * The step before a request is handled. GR_OK without a reply means that the request is to be
 * handled; if call->claim is set then, grc_idempotency_settle() has to follow. Until then the call
 * goes on when its client leaves, since the client may come back for the answer.
 */
enum gr_err grc_idempotency_claim(struct grc_call *call);
/* Call it when the answer is complete, with its error rendered, and before it is sent. cancelled:
 * the call was given up. */
void grc_idempotency_settle(struct grc_call *call, bool cancelled);
