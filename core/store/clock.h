/* The clock that all gateways on one store have in common. */
#pragma once

#include "store/store.h"

/* The time of the store's machine in milliseconds since 1970. Thread-safe. After an error *ret_ms
 * is the time of this machine. */
enum gr_err grc_store_clock(struct grc_store *store, int64_t *ret_ms);
