/* Addresses of clients, as limits count them. */
#pragma once

#include <greenroom/plugin.h>

#define GRC_ADDRESS_KEY_SIZE 64

/*
 * What of an address counts as one client: all of IPv4 (also when it is mapped into IPv6), and of
 * IPv6 its first 64 bits, since one client can have as many addresses in there as it likes:
 * "2001:db8:0:7::/64". Any other text as it is, cut to what ret holds.
 */
gr_str grc_address_key(gr_str peer, char ret[GRC_ADDRESS_KEY_SIZE]);
