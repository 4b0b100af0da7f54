#include "base/field.h"

#include "base/utf8.h"

#include <strings.h>

/* One bit for each of the first 128 characters: set for those that a token may have. */
static bool is_token_char(unsigned char c)
{
    static const uint32_t bits[4] = {0, 0x03ff6cfa, 0xc7fffffe, 0x57ffffff};

    return c < 128 && (bits[c / 32] >> (c % 32) & 1) != 0;
}

bool grc_field_token(gr_str text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (!is_token_char((unsigned char)text.ptr[i]))
            return false;
    }
    return text.len > 0;
}

bool grc_field_value(gr_str text)
{
    size_t at = 0;

    while ((at = grc_utf8_plain(text, at)) < text.len) {
        unsigned char c = (unsigned char)text.ptr[at++];

        if ((c < 0x20 && c != '\t') || c == 0x7f)
            return false;
    }
    return true;
}

gr_str grc_field_trim(gr_str text)
{
    while (text.len && (text.ptr[0] == ' ' || text.ptr[0] == '\t')) {
        text.ptr++;
        text.len--;
    }
    while (text.len && (text.ptr[text.len - 1] == ' ' || text.ptr[text.len - 1] == '\t'))
        text.len--;
    return text;
}

bool grc_field_next(gr_str *list, gr_str *ret_member)
{
    if (!list->ptr)
        return false;
    const char *comma = list->len ? memchr(list->ptr, ',', list->len) : NULL;
    size_t len = comma ? (size_t)(comma - list->ptr) : list->len;

    *ret_member = grc_field_trim((gr_str){list->ptr, len});
    *list = comma ? (gr_str){comma + 1, list->len - len - 1} : (gr_str){NULL, 0};
    return true;
}

bool grc_field_has(gr_str list, const char *member)
{
    gr_str one;

    while (grc_field_next(&list, &one)) {
        if (grc_field_is(one, member))
            return true;
    }
    return false;
}

bool grc_field_number(gr_str digits, int64_t *ret_number)
{
    int64_t number = 0;

    for (size_t i = 0; i < digits.len; i++) {
        int digit = digits.ptr[i] - '0';
        if (digit < 0 || digit > 9 || number > (INT64_MAX - digit) / 10)
            return false;
        number = number * 10 + digit;
    }
    *ret_number = number;
    return digits.len > 0;
}

bool grc_field_json_type(gr_str type)
{
    static const char top[] = "application/";
    static const char suffix[] = "+json";
    const char *parameters = type.len ? memchr(type.ptr, ';', type.len) : NULL;

    if (parameters)
        type.len = (size_t)(parameters - type.ptr);
    type = grc_field_trim(type);
    if (type.len < sizeof(top) || strncasecmp(type.ptr, top, sizeof(top) - 1) != 0)
        return false;
    gr_str name = {type.ptr + sizeof(top) - 1, type.len - (sizeof(top) - 1)};
    const size_t stem = name.len < sizeof(suffix) ? 0 : name.len - (sizeof(suffix) - 1);
    return grc_field_is(name, "json") ||
           (stem > 0 && grc_field_is((gr_str){name.ptr + stem, name.len - stem}, suffix));
}
