/* IP addresses and networks as numbers. Thread-safe. */
#pragma once

#include <greenroom/plugin.h>

/* An address. IPv4 is kept as an IPv4-mapped IPv6 address (RFC 4291, section 2.5.5.2). */
struct grc_ip {
    unsigned char bytes[16];
};

/* All addresses that have the same first bits. */
struct grc_network {
    struct grc_ip ip;
    unsigned bits; /* 0 to 128; a network of IPv4 counts those of the mapped form: 96 to 128 */
};

/* Room for the text of an address with its NUL. */
#define GRC_IP_TEXT_SIZE 46

/* Reads "192.0.2.1" or "2001:db8::1", without brackets, port or zone. Returns false for any other
 * text. */
bool grc_ip_parse(gr_str text, struct grc_ip *ret);
/* Writes the usual text of an address; a mapped one as IPv4. */
gr_str grc_ip_text(const struct grc_ip *ip, char ret[GRC_IP_TEXT_SIZE]);
/* Reads "10.0.0.0/8", "2001:db8::/32" or a single address. Returns false when the text is malformed
 * or when the address has bits set behind those of the network. */
bool grc_network_parse(gr_str text, struct grc_network *ret);
bool grc_network_has(const struct grc_network *network, const struct grc_ip *ip);
