#include "http/proxy_header.h"

#include <string.h>

/* Version 1: "PROXY TCP4 192.0.2.1 198.51.100.1 56324 443\r\n". */
#define LINE_MAX_BYTES 107u
/* Version 2: twelve bytes that no text begins with, version and command, family, length. */
#define HEAD_BYTES 16u

static const char mark_1[] = "PROXY ";
static const char mark_2[] = "\r\n\r\n\0\r\nQUIT\n";

/* True when the bytes are the mark, or its beginning. */
static bool may_begin_with(const char *bytes, size_t len, const char *mark, size_t mark_len)
{
    return memcmp(bytes, mark, len < mark_len ? len : mark_len) == 0;
}

/* --- version 1 --- */

/* The next word; words stand apart by one space. */
static gr_str next_word(gr_str *line)
{
    const char *space = line->len ? memchr(line->ptr, ' ', line->len) : NULL;
    gr_str word = {line->ptr, space ? (size_t)(space - line->ptr) : line->len};

    line->ptr += word.len + (space ? 1 : 0);
    line->len -= word.len + (space ? 1 : 0);
    return word;
}

static bool is_port(gr_str word)
{
    unsigned port = 0;

    if (word.len == 0 || word.len > 5 || (word.len > 1 && word.ptr[0] == '0'))
        return false;
    for (size_t i = 0; i < word.len; i++) {
        if (word.ptr[i] < '0' || word.ptr[i] > '9')
            return false;
        port = port * 10 + (unsigned)(word.ptr[i] - '0');
    }
    return port <= 65535;
}

static bool is_v4(gr_str word)
{
    return memchr(word.ptr, ':', word.len) == NULL;
}

/* Reads what stands between the mark and the line's end. */
static bool read_words(gr_str line, struct grc_proxy_header *header)
{
    struct grc_ip proxy;
    gr_str protocol = next_word(&line);

    if (gr_str_eq(protocol, GR_STR("UNKNOWN")))
        return true;
    bool v4 = gr_str_eq(protocol, GR_STR("TCP4"));
    if (!v4 && !gr_str_eq(protocol, GR_STR("TCP6")))
        return false;
    gr_str from = next_word(&line);
    gr_str to = next_word(&line);
    gr_str from_port = next_word(&line);

    header->names_client = true;
    return grc_ip_parse(from, &header->client) && grc_ip_parse(to, &proxy) && is_v4(from) == v4 &&
           is_v4(to) == v4 && is_port(from_port) && is_port(line);
}

static enum grc_proxy_verdict read_line(const char *bytes, size_t len,
                                        struct grc_proxy_header *header)
{
    const size_t mark = sizeof(mark_1) - 1;
    const char *end = memchr(bytes, '\n', len < LINE_MAX_BYTES ? len : LINE_MAX_BYTES);

    if (!end)
        return len < LINE_MAX_BYTES ? GRC_PROXY_MORE : GRC_PROXY_WRONG;
    header->len = (size_t)(end - bytes) + 1;
    if (header->len < mark + 2 || end[-1] != '\r')
        return GRC_PROXY_WRONG;
    return read_words((gr_str){bytes + mark, header->len - mark - 2}, header) ? GRC_PROXY_WHOLE
                                                                              : GRC_PROXY_WRONG;
}

/* --- version 2 --- */

enum { COMMAND_LOCAL = 0x20, COMMAND_PROXY = 0x21, STREAM_V4 = 0x11, STREAM_V6 = 0x21 };

static void take_v4(const unsigned char *at, struct grc_ip *ret)
{
    *ret = (struct grc_ip){{[10] = 0xff, [11] = 0xff}};
    memcpy(ret->bytes + 12, at, 4);
}

static enum grc_proxy_verdict read_binary(const char *text, size_t len,
                                          struct grc_proxy_header *header)
{
    const unsigned char *bytes = (const unsigned char *)text;

    if (len < HEAD_BYTES)
        return GRC_PROXY_MORE;
    size_t rest = (size_t)bytes[14] << 8 | bytes[15];
    header->len = HEAD_BYTES + rest;
    if ((bytes[12] != COMMAND_LOCAL && bytes[12] != COMMAND_PROXY) ||
        header->len > GRC_PROXY_HEADER_MAX)
        return GRC_PROXY_WRONG;
    if (len < header->len)
        return GRC_PROXY_MORE;
    /* With a local command, or another family than TCP, the addresses name no client. */
    if (bytes[12] == COMMAND_LOCAL || (bytes[13] != STREAM_V4 && bytes[13] != STREAM_V6))
        return GRC_PROXY_WHOLE;
    if (rest < (bytes[13] == STREAM_V4 ? 12u : 36u))
        return GRC_PROXY_WRONG;
    header->names_client = true;
    if (bytes[13] == STREAM_V4)
        take_v4(bytes + HEAD_BYTES, &header->client);
    else
        memcpy(header->client.bytes, bytes + HEAD_BYTES, sizeof(header->client.bytes));
    return GRC_PROXY_WHOLE;
}

enum grc_proxy_verdict grc_proxy_header_read(const char *bytes, size_t len,
                                             struct grc_proxy_header *ret)
{
    *ret = (struct grc_proxy_header){.len = 0};
    if (len == 0)
        return GRC_PROXY_MORE;
    if (may_begin_with(bytes, len, mark_2, sizeof(mark_2) - 1))
        return read_binary(bytes, len, ret);
    if (may_begin_with(bytes, len, mark_1, sizeof(mark_1) - 1))
        return read_line(bytes, len, ret);
    return GRC_PROXY_WRONG;
}
