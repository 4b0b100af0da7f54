/* IP addresses and networks as numbers. Thread-safe. */
#pragma once

#include <greenroom/plugin.h>

/* An address; IPv4 as IPv6 has it, mapped (RFC 4291, section 2.5.5.2). */
struct grc_ip {
    unsigned char bytes[16];
};

/* All addresses that share their first bits. */
struct grc_network {
    struct grc_ip ip;
    unsigned bits; /* 0 to 128; those of IPv4 count from the mapped form */
};

/* Room for the text of an address with its NUL. */
#define GRC_IP_TEXT_SIZE 46

/* Reads "192.0.2.1" or "2001:db8::1", without brackets, port or zone. false: it is neither. */
bool grc_ip_parse(gr_str text, struct grc_ip *ret);
/* The usual text; a mapped address as IPv4. */
gr_str grc_ip_text(const struct grc_ip *ip, char ret[GRC_IP_TEXT_SIZE]);
/* Reads "10.0.0.0/8", "2001:db8::/32" or a single address. false: malformed, or bits are set behind
 * the network's own. */
bool grc_network_parse(gr_str text, struct grc_network *ret);
bool grc_network_has(const struct grc_network *network, const struct grc_ip *ip);
