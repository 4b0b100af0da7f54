/*
 * The header of the PROXY protocol, versions 1 and 2, in which a proxy first names the client that
 * it connects for (haproxy.org, "The PROXY protocol", revision of 2020/03/05). Thread-safe.
 */
#pragma once

#include "base/network.h"

/* Room for the longest header that is taken: version 2 with 500 bytes of addresses and of fields
 * that are passed over, or the longest line of version 1. */
#define GRC_PROXY_HEADER_MAX 516u

enum grc_proxy_verdict {
    GRC_PROXY_MORE = 0, /* so far it is good */
    GRC_PROXY_WHOLE,
    GRC_PROXY_WRONG,
};

struct grc_proxy_header {
    size_t len;
    bool names_client; /* false: the proxy speaks for itself, or does not know (LOCAL, UNKNOWN) */
    struct grc_ip client;
};

/* Looks at what a connection began with. ret is set for GRC_PROXY_WHOLE. */
enum grc_proxy_verdict grc_proxy_header_read(const char *bytes, size_t len,
                                             struct grc_proxy_header *ret);
