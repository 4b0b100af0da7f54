/* The clock that all gateways on one store have in common. */
#pragma once

#include "store/store.h"

/*
 * The time of the store's machine in milliseconds since 1970. It is asked for every ten seconds,
 * and goes on with this machine's time since boot meanwhile, and while the store does not answer;
 * so a wall clock that is wrong or is set changes nothing. Before the first answer, and for a store
 * on this machine, it is the wall clock. session: of the transaction that the thread is in; NULL:
 * none. Thread-safe.
 */
int64_t grc_store_now_ms(struct grc_store *store, struct grc_store_session *session);
