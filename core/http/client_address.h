/*
 * Which client a request comes from when proxies stand between: the last address on its way that is
 * not a trusted proxy's. What stands left of that was written by the client itself, who may write
 * what it likes. Thread-safe.
 */
#pragma once

#include "config/settings.h"
#include "http/message.h"

/* Makes request->peer the address of the client, by the header that the config's trusted proxies
 * write. Without such proxies, or when the connection is not one's, it stays the connection's. */
void grc_client_address(struct grc_request *request, const struct grc_proxies *proxies);
