#include "base/network.h"

#include "base/field.h"

#include <arpa/inet.h>

#define MAPPED_BITS 96u

static const unsigned char mapped[12] = {[10] = 0xff, [11] = 0xff};

static bool is_mapped(const struct grc_ip *ip)
{
    return memcmp(ip->bytes, mapped, sizeof(mapped)) == 0;
}

bool grc_ip_parse(gr_str text, struct grc_ip *ret)
{
    char copy[GRC_IP_TEXT_SIZE];
    struct in_addr v4;
    struct in6_addr v6;

    if (text.len == 0 || text.len >= sizeof(copy) || memchr(text.ptr, '\0', text.len))
        return false;
    memcpy(copy, text.ptr, text.len);
    copy[text.len] = '\0';
    if (inet_pton(AF_INET, copy, &v4) == 1) {
        memcpy(ret->bytes, mapped, sizeof(mapped));
        memcpy(ret->bytes + sizeof(mapped), &v4, sizeof(v4));
        return true;
    }
    if (inet_pton(AF_INET6, copy, &v6) != 1)
        return false;
    memcpy(ret->bytes, &v6, sizeof(v6));
    return true;
}

gr_str grc_ip_text(const struct grc_ip *ip, char ret[GRC_IP_TEXT_SIZE])
{
    const char *text = is_mapped(ip)
                           ? inet_ntop(AF_INET, ip->bytes + sizeof(mapped), ret, GRC_IP_TEXT_SIZE)
                           : inet_ntop(AF_INET6, ip->bytes, ret, GRC_IP_TEXT_SIZE);

    return gr_str_of(text);
}

/* Reads a number from 0 to max, of at most three digits. */
static bool parse_bits(gr_str text, unsigned max, unsigned *ret)
{
    int64_t bits = 0;

    if (text.len > 3 || !grc_field_number(text, &bits) || bits > (int64_t)max)
        return false;
    *ret = (unsigned)bits;
    return true;
}

static bool bit_is_set(const struct grc_ip *ip, unsigned bit)
{
    return ip->bytes[bit / 8] & (0x80u >> bit % 8);
}

bool grc_network_parse(gr_str text, struct grc_network *ret)
{
    const char *slash = text.len ? memchr(text.ptr, '/', text.len) : NULL;
    gr_str address = {text.ptr, slash ? (size_t)(slash - text.ptr) : text.len};
    struct grc_network network = {.bits = 128};

    if (!grc_ip_parse(address, &network.ip))
        return false;
    bool v4 = is_mapped(&network.ip) && !memchr(address.ptr, ':', address.len);
    if (slash) {
        gr_str bits = {slash + 1, text.len - address.len - 1};

        if (!parse_bits(bits, v4 ? 32 : 128, &network.bits))
            return false;
        network.bits += v4 ? MAPPED_BITS : 0;
    }
    for (unsigned bit = network.bits; bit < 128; bit++) {
        if (bit_is_set(&network.ip, bit))
            return false;
    }
    *ret = network;
    return true;
}

bool grc_network_has(const struct grc_network *network, const struct grc_ip *ip)
{
    unsigned whole = network->bits / 8;
    unsigned rest = network->bits % 8;

    if (memcmp(network->ip.bytes, ip->bytes, whole) != 0)
        return false;
    unsigned differ = rest ? (unsigned)(network->ip.bytes[whole] ^ ip->bytes[whole]) : 0;
    return (differ >> (8 - rest)) == 0;
}
