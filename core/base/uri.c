#include "base/uri.h"

#include "base/secure.h"
#include "base/utf8.h"

#include <strings.h>

int grc_uri_byte(gr_str in, size_t *at)
{
    char c = in.ptr[*at];

    if (c != '%') {
        *at += 1;
        return (unsigned char)c;
    }
    if (in.len - *at < 3)
        return -1;
    int high = grc_hex_digit(in.ptr[*at + 1]);
    int low = grc_hex_digit(in.ptr[*at + 2]);
    if (high < 0 || low < 0)
        return -1;
    *at += 3;
    return high * 16 + low;
}

bool grc_uri_decode(gr_str in, bool plus_is_space, char *ret, size_t *ret_len)
{
    size_t at = 0;
    size_t len = 0;

    while (at < in.len) {
        bool plus = plus_is_space && in.ptr[at] == '+';
        int byte = grc_uri_byte(in, &at);
        if (byte < 0x20 || byte == 0x7f)
            return false;
        ret[len++] = plus ? ' ' : (char)byte;
    }
    if (!grc_utf8_valid((gr_str){ret, len}))
        return false;
    *ret_len = len;
    return true;
}

static bool is_unreserved(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '.' || c == '_' || c == '~';
}

/* The characters of a path segment (pchar of RFC 3986), without the escapes. */
static bool is_segment(char c)
{
    return is_unreserved(c) || (c && strchr(":@!$&'()*+,;=", c));
}

/* Appends text; characters for which `stays` is false are percent-encoded. */
static enum gr_err encode(struct grc_buf *buf, gr_str text, bool (*stays)(char))
{
    static const char digits[] = "0123456789ABCDEF";
    size_t plain = 0; /* start of the run that needs no escape */
    enum gr_err err = GR_OK;

    for (size_t i = 0; i < text.len && err == GR_OK; i++) {
        if (stays(text.ptr[i]))
            continue;
        unsigned char c = (unsigned char)text.ptr[i];
        const char escape[3] = {'%', digits[c >> 4], digits[c & 15]};
        err = grc_buf_add(buf, text.ptr + plain, i - plain);
        if (err == GR_OK)
            err = grc_buf_add(buf, escape, sizeof(escape));
        plain = i + 1;
    }
    if (err == GR_OK && plain < text.len)
        err = grc_buf_add(buf, text.ptr + plain, text.len - plain);
    return err;
}

enum gr_err grc_uri_encode(struct grc_buf *buf, gr_str text)
{
    return encode(buf, text, is_unreserved);
}

enum gr_err grc_segment_encode(struct grc_buf *buf, gr_str text)
{
    return encode(buf, text, is_segment);
}

bool grc_url_split(const char *url, gr_str *ret_origin, const char **ret_path)
{
    size_t scheme = strncasecmp(url, "https://", 8) == 0  ? 8
                    : strncasecmp(url, "http://", 7) == 0 ? 7
                                                          : 0;
    size_t host = scheme ? strcspn(url + scheme, "/") : 0;

    if (host == 0 || memchr(url + scheme, '@', host) || strpbrk(url, "?#{}\\\"<>^`|"))
        return false;
    for (const char *c = url; *c; c++) {
        if (*c <= ' ' || *c > '~')
            return false;
    }
    *ret_origin = (gr_str){url, scheme + host};
    *ret_path = url[scheme + host] ? url + scheme + host : "/";
    return true;
}

bool grc_segment_safe(gr_str decoded)
{
    size_t start = 0;

    if (decoded.len == 0)
        return false;
    if (!memchr(decoded.ptr, '.', decoded.len))
        return true; /* so are most ids */
    for (size_t i = 0; i <= decoded.len; i++) {
        if (i < decoded.len && decoded.ptr[i] != '/' && decoded.ptr[i] != '\\')
            continue;
        gr_str piece = {decoded.ptr + start, i - start};
        if (gr_str_eq(piece, GR_STR(".")) || gr_str_eq(piece, GR_STR("..")))
            return false;
        start = i + 1;
    }
    return true;
}

/* Returns the text up to the next '&', and moves rest behind that. */
static gr_str next_piece(gr_str *rest)
{
    const char *end = memchr(rest->ptr, '&', rest->len);
    gr_str piece = {rest->ptr, end ? (size_t)(end - rest->ptr) : rest->len};
    size_t used = piece.len + (end ? 1 : 0);

    rest->ptr += used;
    rest->len -= used;
    return piece;
}

static enum gr_err decode_copy(struct grc_arena *arena, gr_str raw, gr_str *ret_text)
{
    char *text = grc_arena_alloc(arena, raw.len + 1);
    size_t len;

    if (!text)
        return GR_ERR_NO_MEMORY;
    if (!grc_uri_decode(raw, true, text, &len))
        return GR_ERR_BAD_REQUEST;
    text[len] = '\0';
    *ret_text = (gr_str){text, len};
    return GR_OK;
}

static enum gr_err decode_pair(struct grc_arena *arena, gr_str piece, struct gr_pair *ret_pair)
{
    const char *equals = memchr(piece.ptr, '=', piece.len);
    gr_str name = {piece.ptr, equals ? (size_t)(equals - piece.ptr) : piece.len};
    gr_str value = {"", 0};

    if (equals)
        value = (gr_str){equals + 1, piece.len - name.len - 1};
    enum gr_err err = decode_copy(arena, name, &ret_pair->name);
    if (err != GR_OK)
        return err;
    return decode_copy(arena, value, &ret_pair->value);
}

static size_t count_pieces(gr_str raw)
{
    size_t count = 0;

    while (raw.len)
        count += next_piece(&raw).len > 0;
    return count;
}

enum gr_err grc_query_parse(struct grc_arena *arena, gr_str raw, size_t pairs_max,
                            struct gr_pair **ret_pairs, size_t *ret_count)
{
    size_t count = count_pieces(raw);
    size_t filled = 0;

    if (count > pairs_max)
        return GR_ERR_INVALID;
    struct gr_pair *pairs = grc_arena_alloc(arena, (count + 1) * sizeof(*pairs));
    if (!pairs)
        return GR_ERR_NO_MEMORY;
    while (raw.len) {
        gr_str piece = next_piece(&raw);
        if (piece.len == 0)
            continue;
        enum gr_err err = decode_pair(arena, piece, &pairs[filled]);
        if (err != GR_OK)
            return err;
        filled++;
    }
    *ret_pairs = pairs;
    *ret_count = filled;
    return GR_OK;
}
