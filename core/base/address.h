/* Addresses of clients, as limits count them. */
#pragma once

#include <greenroom/plugin.h>

#define GRC_ADDRESS_KEY_SIZE 64

/*
 * Returns the part of an address that identifies a client: a whole IPv4 address (also one mapped
 * into IPv6), or the first 64 bits of an IPv6 address ("2001:db8:0:7::/64"), since a client can use
 * any address within its network. Any other text is returned as it is, cut to the size of ret.
 */
gr_str grc_address_key(gr_str peer, char ret[GRC_ADDRESS_KEY_SIZE]);
