/* Rules of rig that a table cannot express. The reasons are those of details in the contract. */
#include "rig.h"

#include <stdio.h>

#define EMAIL_MAX_CHARACTERS 64
#define EMAIL_LOCAL_MAX 64
#define KEY_MAX 512

static bool is_alnum(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/* ------------------------------------------------------------------------------------------ */
/* E-mail                                                                                     */

/* At least two labels of letters, digits and inner hyphens. */
static bool domain_valid(gr_str domain)
{
    size_t labels = 0;
    size_t start = 0;

    for (size_t i = 0; i <= domain.len; i++) {
        if (i < domain.len && domain.ptr[i] != '.') {
            if (!is_alnum(domain.ptr[i]) && domain.ptr[i] != '-')
                return false;
            continue;
        }
        if (i == start || i - start > 63 || domain.ptr[start] == '-' || domain.ptr[i - 1] == '-')
            return false;
        labels++;
        start = i + 1;
    }
    return labels >= 2;
}

bool rig_email_valid(gr_str email)
{
    const char *at = email.len ? memchr(email.ptr, '@', email.len) : NULL;

    if (!at)
        return false;
    size_t local = (size_t)(at - email.ptr);
    size_t characters = 0;
    for (size_t i = 0; i < email.len; i++)
        characters += ((unsigned char)email.ptr[i] & 0xc0u) != 0x80u;
    if (local == 0 || local > EMAIL_LOCAL_MAX || characters > EMAIL_MAX_CHARACTERS)
        return false;
    for (size_t i = 0; i < local; i++) {
        unsigned char c = (unsigned char)email.ptr[i];
        if (c <= ' ' || c == 0x7f)
            return false;
    }
    /* A second @ is not valid in a domain. */
    return domain_valid((gr_str){at + 1, email.len - local - 1});
}

enum gr_err rig_check_email(struct gr_call *call, const json_t *parent, const json_t *value)
{
    (void)parent;
    if (rig_email_valid((gr_str){json_string_value(value), json_string_length(value)}))
        return GR_OK;
    return gr_invalid(call, "", GR_PROBLEM_VALUE, "invalid format");
}

char *rig_lower(struct gr_call *call, gr_str text)
{
    char *copy = gr_copy(call, text);

    for (size_t i = 0; copy && i < text.len; i++) {
        if (copy[i] >= 'A' && copy[i] <= 'Z')
            copy[i] = (char)(copy[i] - 'A' + 'a');
    }
    return copy;
}

/* ------------------------------------------------------------------------------------------ */
/* Other members                                                                              */

static gr_str string_of(const json_t *value)
{
    return (gr_str){json_string_value(value), json_string_length(value)};
}

static bool has_control(gr_str text)
{
    for (size_t i = 0; i < text.len; i++) {
        if ((unsigned char)text.ptr[i] < ' ' || text.ptr[i] == 0x7f)
            return true;
    }
    return false;
}

enum gr_err rig_check_text(struct gr_call *call, const json_t *parent, const json_t *value)
{
    (void)parent;
    if (!has_control(string_of(value)))
        return GR_OK;
    return gr_invalid(call, "", GR_PROBLEM_VALUE, "invalid characters");
}

enum gr_err rig_check_not_empty(struct gr_call *call, const json_t *parent, const json_t *value)
{
    if (json_string_length(value))
        return rig_check_text(call, parent, value);
    return gr_invalid(call, "", GR_PROBLEM_VALUE, "zero value");
}

enum gr_err rig_check_new_password(struct gr_call *call, const json_t *parent, const json_t *value)
{
    const struct rig *rig = rig_of(call);
    gr_str password = {json_string_value(value), json_string_length(value)};

    if (password.len > RIG_PASSWORD_MAX_BYTES)
        return gr_invalid(call, "", GR_PROBLEM_MAX, "%d bytes at most", RIG_PASSWORD_MAX_BYTES);
    if (rig && rig->common_passwords && rig_words_has(rig->common_passwords, password))
        return gr_invalid(call, "", GR_PROBLEM_VALUE, "too common");
    return rig_check_text(call, parent, value);
}

bool rig_key_safe(gr_str key)
{
    if (key.len == 0 || key.len > KEY_MAX)
        return false;
    for (size_t i = 0; i < key.len; i++) {
        if (!is_alnum(key.ptr[i]) && (!key.ptr[i] || !strchr("._~?=&%+:@-", key.ptr[i])))
            return false;
    }
    return true;
}

enum gr_err rig_check_destination_key(struct gr_call *call, const json_t *parent,
                                      const json_t *value)
{
    gr_str key = {json_string_value(value), json_string_length(value)};

    (void)parent;
    if (key.len == 0)
        return gr_invalid(call, "", GR_PROBLEM_VALUE, "zero value");
    if (key.len > KEY_MAX)
        return gr_invalid(call, "", GR_PROBLEM_MAX, "%d characters at most", KEY_MAX);
    if (!rig_key_safe(key))
        return gr_invalid(call, "", GR_PROBLEM_VALUE, "invalid characters");
    return GR_OK;
}

/* ------------------------------------------------------------------------------------------ */
/* Ids and keys                                                                               */

bool rig_uuid_parse(gr_str text, char ret_text[RIG_UUID_SIZE])
{
    char digits[32];
    size_t count = 0;
    bool dashes = text.len == 36;

    if (text.len != 36 && text.len != 32)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        bool dash_here = dashes && (i == 8 || i == 13 || i == 18 || i == 23);
        if (dash_here != (c == '-'))
            return false;
        if (dash_here)
            continue;
        if (c >= 'A' && c <= 'F')
            c = (char)(c - 'A' + 'a');
        if (!(c >= '0' && c <= '9') && !(c >= 'a' && c <= 'f'))
            return false;
        digits[count++] = c;
    }
    (void)snprintf(ret_text, RIG_UUID_SIZE, "%.8s-%.4s-%.4s-%.4s-%.12s", digits, digits + 8,
                   digits + 12, digits + 16, digits + 20);
    return true;
}

void rig_key_new(const struct gr_call *call, char ret_key[RIG_KEY_SIZE])
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    unsigned char bytes[18];

    /* 16 random bytes give 22 digits of 6 bits; the last digit carries only 2 of the bits. */
    gr_random(call->host, bytes, 16);
    bytes[16] = 0;
    bytes[17] = 0;
    for (size_t i = 0, at = 0; i < 18 && at < RIG_KEY_SIZE - 1; i += 3) {
        uint32_t group = (uint32_t)bytes[i] << 16 | (uint32_t)bytes[i + 1] << 8 | bytes[i + 2];
        for (int shift = 18; shift >= 0 && at < RIG_KEY_SIZE - 1; shift -= 6)
            ret_key[at++] = alphabet[group >> shift & 63u];
    }
    ret_key[RIG_KEY_SIZE - 1] = '\0';
}
