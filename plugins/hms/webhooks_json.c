/*
 * Parses an event. JSON allows values that the host's parser refuses: the character U+0000, half of
 * a surrogate pair, and numbers outside the range of a double (RFC 8259, sections 8.2 and 6).
 * Refusing an event with one of them would lose it. The event is therefore stored as received, and
 * only for parsing these values are replaced by harmless ones.
 */
#include "webhooks.h"

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static size_t skip_digits(gr_str text, size_t at)
{
    while (at < text.len && is_digit(text.ptr[at]))
        at++;
    return at;
}

/* Returns the end of the number that begins at start (RFC 8259, section 6), or start itself when no
 * number begins there. */
static size_t number_end(gr_str text, size_t start)
{
    size_t at = start;

    if (at < text.len && text.ptr[at] == '-')
        at++;
    if (at == text.len || !is_digit(text.ptr[at]))
        return start;
    at = text.ptr[at] == '0' ? at + 1 : skip_digits(text, at);
    if (at + 1 < text.len && text.ptr[at] == '.' && is_digit(text.ptr[at + 1]))
        at = skip_digits(text, at + 1);
    if (at < text.len && (text.ptr[at] == 'e' || text.ptr[at] == 'E')) {
        size_t digits = at + 1;

        if (digits < text.len && (text.ptr[digits] == '+' || text.ptr[digits] == '-'))
            digits++;
        if (digits < text.len && is_digit(text.ptr[digits]))
            at = skip_digits(text, digits);
    }
    return at;
}

/* Returns the code unit of the escape \uXXXX at the given position, or -1 when there is none. */
static int escaped_unit(const struct gr_host *host, gr_str text, size_t at)
{
    unsigned char bytes[2];

    if (text.len - at < 6 || text.ptr[at] != '\\' || text.ptr[at + 1] != 'u' ||
        !gr_unhex(host, (gr_str){text.ptr + at + 2, 4}, bytes, sizeof(bytes)))
        return -1;
    return bytes[0] << 8 | bytes[1];
}

/* Replaces the escape at the given position when the parser would refuse it. Returns the position
 * after it. */
static size_t relax_escape(const struct gr_host *host, char *text, size_t len, size_t at)
{
    gr_str all = {text, len};
    int unit = escaped_unit(host, all, at);

    if (unit < 0)
        return at + 2;
    if (unit >= 0xd800 && unit <= 0xdbff) {
        int next = at + 6 < len ? escaped_unit(host, all, at + 6) : -1;

        if (next >= 0xdc00 && next <= 0xdfff)
            return at + 12;
    }
    if (unit == 0 || (unit >= 0xd800 && unit <= 0xdfff))
        memcpy(text + at, "\\ufffd", 6);
    return at + 6;
}

/* Replaces every number by 0 and every escape that the parser would refuse by U+FFFD, in place. */
static void relax(const struct gr_host *host, char *text, size_t len)
{
    bool in_string = false;
    size_t at = 0;

    while (at < len) {
        size_t end = in_string ? at : number_end((gr_str){text, len}, at);

        if (end > at) {
            memset(text + at, ' ', end - at);
            text[at] = '0';
            at = end;
        } else if (in_string && text[at] == '\\') {
            at = relax_escape(host, text, len, at);
        } else {
            in_string ^= text[at] == '"';
            at++;
        }
    }
}

const json_t *webhooks_parse(struct gr_call *call, gr_str body)
{
    const json_t *event = gr_parse_json(call, body);
    char *copy = event ? NULL : gr_copy(call, body);

    if (!copy)
        return event;
    relax(call->host, copy, body.len);
    return gr_parse_json(call, (gr_str){copy, body.len});
}
