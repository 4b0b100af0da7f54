#include "base/address.h"

#include <arpa/inet.h>
#include <stdio.h>

gr_str grc_address_key(gr_str peer, char ret[GRC_ADDRESS_KEY_SIZE])
{
    char network[INET6_ADDRSTRLEN];
    char text[GRC_ADDRESS_KEY_SIZE];
    struct in6_addr v6;

    if (peer.len >= sizeof(text))
        peer.len = sizeof(text) - 1;
    if (peer.len)
        memcpy(text, peer.ptr, peer.len);
    text[peer.len] = '\0';
    if (inet_pton(AF_INET6, text, &v6) != 1) {
        memcpy(ret, text, peer.len + 1);
        return (gr_str){ret, peer.len};
    }
    if (IN6_IS_ADDR_V4MAPPED(&v6)) {
        inet_ntop(AF_INET, &v6.s6_addr[12], ret, GRC_ADDRESS_KEY_SIZE);
        return gr_str_of(ret);
    }
    memset(v6.s6_addr + 8, 0, 8);
    inet_ntop(AF_INET6, &v6, network, sizeof(network));
    (void)snprintf(ret, GRC_ADDRESS_KEY_SIZE, "%s/64", network);
    return gr_str_of(ret);
}
