#include "base/json_read.h"

#include "base/secure.h"
#include "base/utf8.h"

#include <locale.h>
#include <math.h>

enum { NUMBER_BYTES = 64 };

static const char syntax_error[] = "syntax error";

struct reader {
    const char *at;
    const char *end;
    const char *reason;
    /* The decoded text of a string with escapes, or a long number. It grows to the longest. */
    char *scratch;
    size_t scratch_bytes;
};

static json_t *read_value(struct reader *in);

static bool refuse(struct reader *in, const char *reason)
{
    if (!in->reason)
        in->reason = reason;
    return false;
}

static json_t *fail(struct reader *in, const char *reason)
{
    refuse(in, reason);
    return NULL;
}

static void skip_space(struct reader *in)
{
    while (in->at < in->end &&
           (*in->at == ' ' || *in->at == '\n' || *in->at == '\t' || *in->at == '\r'))
        in->at++;
}

/* Takes the character if it comes next. */
static bool take(struct reader *in, char c)
{
    if (in->at == in->end || *in->at != c)
        return false;
    in->at++;
    return true;
}

static bool make_room(struct reader *in, size_t bytes)
{
    json_malloc_t make;
    json_free_t drop;

    if (bytes <= in->scratch_bytes)
        return true;
    json_get_alloc_funcs(&make, &drop);
    drop(in->scratch);
    in->scratch = make(bytes);
    in->scratch_bytes = in->scratch ? bytes : 0;
    return in->scratch || refuse(in, "out of memory");
}

/* --- strings --- */

/* Takes characters that stand for themselves. */
static bool take_plain(struct reader *in)
{
    while (in->at < in->end) {
        unsigned char c = (unsigned char)*in->at;
        size_t step = 1;

        if (c == '"' || c == '\\')
            return true;
        if (c < 0x20)
            return refuse(in, syntax_error);
        if (c >= 0x80 && (step = grc_utf8_step(in->at, (size_t)(in->end - in->at))) == 0)
            return refuse(in, "text is not UTF-8");
        in->at += step;
    }
    return refuse(in, syntax_error);
}

/* Takes the four hexadecimal digits of an escape. Returns -1 if there are others. */
static int32_t take_hex(struct reader *in)
{
    int32_t code = 0;

    if (in->end - in->at < 4)
        return -1;
    for (int i = 0; i < 4; i++) {
        int digit = grc_hex_digit(*in->at++);
        if (digit < 0)
            return -1;
        code = code * 16 + digit;
    }
    return code;
}

/* Takes what follows "\u", and the second half of a pair. Returns -1 when that stands for no
 * character. */
static int32_t take_code_point(struct reader *in)
{
    int32_t code = take_hex(in);

    if (code < 0xd800 || code > 0xdfff)
        return code;
    if (code > 0xdbff || !take(in, '\\') || !take(in, 'u'))
        return -1;
    int32_t low = take_hex(in);
    if (low < 0xdc00 || low > 0xdfff)
        return -1;
    return 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
}

static bool take_escape(struct reader *in, char **out)
{
    static const char names[] = "\"\\/bfnrt";
    static const char values[] = "\"\\/\b\f\n\r\t";
    char name = in->at < in->end ? *in->at++ : '\0';
    const char *found = name ? strchr(names, name) : NULL;

    if (found) {
        *(*out)++ = values[found - names];
        return true;
    }
    int32_t code = name == 'u' ? take_code_point(in) : -1;
    if (code < 0)
        return refuse(in, syntax_error);
    if (code == 0)
        return refuse(in, "a string holds a NUL character");
    *out += grc_utf8_put((uint32_t)code, *out);
    return true;
}

/* Reads the rest of a string from its first escape on. `begin` is its first character. */
static bool read_escaped(struct reader *in, const char *begin, gr_str *ret_text)
{
    const char *close = in->at;

    while (close < in->end && *close != '"')
        close += *close == '\\' ? 2 : 1;
    if (close >= in->end)
        return refuse(in, syntax_error);
    /* An escape is never shorter than what it stands for. */
    if (!make_room(in, (size_t)(close - begin)))
        return false;
    char *out = in->scratch;
    const char *from = begin;
    for (;;) {
        memcpy(out, from, (size_t)(in->at - from));
        out += in->at - from;
        if (take(in, '"'))
            break;
        in->at++; /* the backslash */
        if (!take_escape(in, &out))
            return false;
        from = in->at;
        if (!take_plain(in))
            return false;
    }
    *ret_text = (gr_str){in->scratch, (size_t)(out - in->scratch)};
    return true;
}

/* The text is a part of the input, or the scratch when it has escapes. */
static bool read_string(struct reader *in, gr_str *ret_text)
{
    if (!take(in, '"'))
        return refuse(in, syntax_error);
    const char *begin = in->at;
    if (!take_plain(in))
        return false;
    if (*in->at == '\\')
        return read_escaped(in, begin, ret_text);
    *ret_text = (gr_str){begin, (size_t)(in->at++ - begin)};
    return true;
}

/* --- numbers --- */

static bool take_digits(struct reader *in)
{
    const char *begin = in->at;

    while (in->at < in->end && *in->at >= '0' && *in->at <= '9')
        in->at++;
    return in->at > begin;
}

static json_t *read_integer(struct reader *in, gr_str digits, bool negative)
{
    const uint64_t max = (uint64_t)INT64_MAX + negative;
    uint64_t value = 0;

    for (size_t i = 0; i < digits.len; i++) {
        unsigned digit = (unsigned)(digits.ptr[i] - '0');
        if (value > (max - digit) / 10) {
            in->at = digits.ptr;
            return fail(in, "integer out of range");
        }
        value = value * 10 + digit;
    }
    return json_integer(negative ? (json_int_t)(0 - value) : (json_int_t)value);
}

/* Converts in the C locale, since others may have a comma as the decimal point. */
static json_t *read_real(struct reader *in, gr_str number)
{
    char small[NUMBER_BYTES];
    char *text = small;

    if (number.len >= sizeof(small)) {
        if (!make_room(in, number.len + 1))
            return NULL;
        text = in->scratch;
    }
    memcpy(text, number.ptr, number.len);
    text[number.len] = '\0';
    locale_t plain = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    double value = plain ? strtod_l(text, NULL, plain) : NAN;
    if (plain)
        freelocale(plain);
    if (isfinite(value))
        return json_real(value);
    in->at = number.ptr;
    return fail(in, plain ? "number out of range" : "out of memory");
}

static json_t *read_number(struct reader *in)
{
    const char *begin = in->at;
    bool negative = take(in, '-');
    const char *digits = in->at;
    bool good = take_digits(in) && (*digits != '0' || in->at == digits + 1);
    gr_str whole = {digits, (size_t)(in->at - digits)};
    bool real = false;

    if (good && take(in, '.')) {
        real = true;
        good = take_digits(in);
    }
    if (good && (take(in, 'e') || take(in, 'E'))) {
        real = true;
        if (!take(in, '+'))
            take(in, '-');
        good = take_digits(in);
    }
    if (!good)
        return fail(in, syntax_error);
    return real ? read_real(in, (gr_str){begin, (size_t)(in->at - begin)})
                : read_integer(in, whole, negative);
}

/* --- containers --- */

/* The separator behind a part, or the closing bracket. Sets *ret_closed for the latter. */
static bool take_separator(struct reader *in, char closing, bool *ret_closed)
{
    skip_space(in);
    *ret_closed = take(in, closing);
    return *ret_closed || take(in, ',') || refuse(in, syntax_error);
}

/* Reads the opening bracket, and the closing one of an empty container. */
static bool opens(struct reader *in, char closing)
{
    in->at++;
    skip_space(in);
    return !take(in, closing);
}

static bool read_elements(struct reader *in, json_t *array)
{
    for (bool closed = false; !closed;) {
        json_t *value = read_value(in);

        if (!value)
            return false;
        if (json_array_append_new(array, value) != 0)
            return refuse(in, "out of memory");
        if (!take_separator(in, ']', &closed))
            return false;
    }
    return true;
}

/* Sets a member whose name begins at `name`. The text is read again when it has escapes, since the
 * value may have used the scratch. */
static bool set_member(struct reader *in, json_t *object, const char *name, gr_str text,
                       json_t *value)
{
    const size_t count = json_object_size(object);
    const char *behind = in->at;

    in->at = name;
    bool good = text.ptr == name + 1 || read_string(in, &text);
    if (!good)
        json_decref(value);
    else if (json_object_setn_new_nocheck(object, text.ptr, text.len, value) != 0)
        good = refuse(in, "out of memory");
    else if (json_object_size(object) == count)
        good = refuse(in, "an object has the same key twice");
    if (good)
        in->at = behind;
    return good;
}

static bool read_members(struct reader *in, json_t *object)
{
    for (bool closed = false; !closed;) {
        gr_str text;

        skip_space(in);
        const char *name = in->at;
        if (!read_string(in, &text))
            return false;
        skip_space(in);
        if (!take(in, ':'))
            return refuse(in, syntax_error);
        json_t *value = read_value(in);
        if (!value || !set_member(in, object, name, text, value) ||
            !take_separator(in, '}', &closed))
            return false;
    }
    return true;
}

static json_t *read_container(struct reader *in)
{
    const bool members = *in->at == '{';
    json_t *value = members ? json_object() : json_array();

    if (!value)
        return fail(in, "out of memory");
    if (opens(in, members ? '}' : ']') &&
        !(members ? read_members(in, value) : read_elements(in, value))) {
        json_decref(value);
        return NULL;
    }
    return value;
}

static json_t *read_word(struct reader *in, const char *word, json_t *value)
{
    const size_t len = strlen(word);

    if ((size_t)(in->end - in->at) < len || memcmp(in->at, word, len) != 0)
        return fail(in, syntax_error);
    in->at += len;
    return value;
}

static json_t *read_text(struct reader *in)
{
    gr_str text;

    if (!read_string(in, &text))
        return NULL;
    json_t *value = json_stringn_nocheck(text.ptr, text.len);
    return value ? value : fail(in, "out of memory");
}

static json_t *read_value(struct reader *in)
{
    skip_space(in);
    if (in->at == in->end)
        return fail(in, "the text ends too early");
    switch (*in->at) {
    case '{':
    case '[':
        return read_container(in);
    case '"':
        return read_text(in);
    case 't':
        return read_word(in, "true", json_true());
    case 'f':
        return read_word(in, "false", json_false());
    case 'n':
        return read_word(in, "null", json_null());
    default:
        return read_number(in);
    }
}

json_t *grc_json_read(gr_str text, const char **ret_reason, size_t *ret_at)
{
    struct reader in = {.at = text.ptr, .end = text.ptr + text.len};
    json_malloc_t make;
    json_free_t drop;
    json_t *value = read_value(&in);

    skip_space(&in);
    if (value && in.at < in.end) {
        refuse(&in, "something follows the value");
        json_decref(value);
        value = NULL;
    }
    json_get_alloc_funcs(&make, &drop);
    drop(in.scratch);
    *ret_reason = in.reason;
    *ret_at = (size_t)(in.at - text.ptr);
    return value;
}
