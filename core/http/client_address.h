/*
 * Finds the client of a request that has passed proxies: the last address in the header that is not
 * one of a trusted proxy. The client may have forged all addresses before that. Thread-safe.
 */
#pragma once

#include "config/settings.h"
#include "http/message.h"

/* Sets request->peer to the address of the client, from the header that the trusted proxies of the
 * config write. Keeps the connection's address when it does not belong to a trusted proxy. */
void grc_client_address(struct grc_request *request, const struct grc_proxies *proxies);
