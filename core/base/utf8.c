#include "base/utf8.h"

static bool is_tail(unsigned char c)
{
    return (c & 0xc0) == 0x80;
}

size_t grc_utf8_step(const char *text, size_t left)
{
    const unsigned char *p = (const unsigned char *)text;

    if (p[0] < 0x80)
        return 1;
    if (p[0] >= 0xc2 && p[0] <= 0xdf)
        return left >= 2 && is_tail(p[1]) ? 2 : 0;
    if (p[0] >= 0xe0 && p[0] <= 0xef) {
        if (left < 3 || !is_tail(p[1]) || !is_tail(p[2]))
            return 0;
        /* overlong, surrogate */
        return (p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) ? 0 : 3;
    }
    if (p[0] >= 0xf0 && p[0] <= 0xf4) {
        if (left < 4 || !is_tail(p[1]) || !is_tail(p[2]) || !is_tail(p[3]))
            return 0;
        /* overlong, above U+10FFFF */
        return (p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f) ? 0 : 4;
    }
    return 0;
}

bool grc_utf8_valid(gr_str text)
{
    size_t at = 0;

    while ((at = grc_utf8_plain(text, at)) < text.len) {
        size_t step = grc_utf8_step(text.ptr + at, text.len - at);
        if (step == 0)
            return false;
        at += step;
    }
    return true;
}

static bool is_plain(unsigned char c)
{
    return c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
}

/* Looks at eight characters as one number. Returns false when one of them may not be plain. */
static bool eight_plain(const unsigned char *bytes)
{
#define EACH(byte) ((byte)*0x0101010101010101u)
#define ZERO_IN(eight) (((eight)-EACH(0x01)) & ~(eight))
    uint64_t eight;

    memcpy(&eight, bytes, sizeof(eight));
    uint64_t odd = ZERO_IN(eight ^ EACH('"')) | ZERO_IN(eight ^ EACH('\\')) |
                   ZERO_IN(eight ^ EACH(0x7f)) | (eight - EACH(0x20)) | eight;
    return (odd & EACH(0x80)) == 0;
#undef ZERO_IN
#undef EACH
}

size_t grc_utf8_plain(gr_str text, size_t from)
{
    const unsigned char *bytes = (const unsigned char *)text.ptr;
    size_t at = from;

    while (text.len - at >= 8 && eight_plain(bytes + at))
        at += 8;
    /* The last eight overlap with those before, which is quicker than one by one. */
    if (at >= 8 && text.len - at < 8 && eight_plain(bytes + text.len - 8))
        return text.len;
    while (at < text.len && is_plain(bytes[at]))
        at++;
    return at;
}

size_t grc_utf8_count(gr_str text)
{
    size_t count = 0;

    for (size_t i = 0; i < text.len; i++)
        count += !is_tail((unsigned char)text.ptr[i]);
    return count;
}

size_t grc_utf8_put(uint32_t code, char *ret_bytes)
{
    size_t tails = code < 0x80 ? 0 : code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
    static const unsigned char first[] = {0, 0xc0, 0xe0, 0xf0};

    ret_bytes[0] = (char)(first[tails] | code >> (6 * tails));
    for (size_t i = 1; i <= tails; i++)
        ret_bytes[i] = (char)(0x80 | (code >> (6 * (tails - i)) & 0x3f));
    return tails + 1;
}

void grc_utf8_place(gr_str text, size_t at, unsigned *ret_line, unsigned *ret_column)
{
    *ret_line = 1;
    *ret_column = 1;
    for (size_t i = 0; i < at && i < text.len; i++) {
        if (text.ptr[i] == '\n') {
            ++*ret_line;
            *ret_column = 1;
        } else if (!is_tail((unsigned char)text.ptr[i])) {
            ++*ret_column;
        }
    }
}
