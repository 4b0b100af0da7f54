#include "ids.h"

static bool split(gr_str text, char at, gr_str *ret_head, gr_str *ret_tail)
{
    const char *dot = text.len ? memchr(text.ptr, at, text.len) : NULL;

    if (!dot)
        return false;
    size_t head = (size_t)(dot - text.ptr);
    *ret_head = (gr_str){text.ptr, head};
    *ret_tail = (gr_str){dot + 1, text.len - head - 1};
    return true;
}

bool mini_account_parse(gr_str text, struct gr_account *ret_account)
{
    struct gr_account account;

    if (!split(text, '.', &account.label, &account.audience))
        return false;
    if (account.label.len == 0 || account.audience.len == 0)
        return false;
    *ret_account = account;
    return true;
}

bool mini_account_is(const struct gr_account *account, const char *known)
{
    struct gr_account parts;

    return mini_account_parse(gr_str_of(known), &parts) && gr_str_eq(parts.label, account->label) &&
           gr_str_eq(parts.audience, account->audience);
}

bool mini_agent_account(gr_str text, gr_str *ret_account)
{
    struct gr_account inner;
    gr_str label;
    gr_str account;

    if (!split(text, '.', &label, &account) || label.len == 0)
        return false;
    if (!mini_account_parse(account, &inner))
        return false;
    *ret_account = account;
    return true;
}

bool mini_is_host(gr_str host, gr_str created_by)
{
    gr_str account;

    if (host.len == 0)
        return false;
    if (gr_str_eq(host, created_by))
        return true;
    return mini_agent_account(created_by, &account) && gr_str_eq(host, account);
}

gr_str mini_audience_root(gr_str audience)
{
    gr_str root;
    gr_str rest;

    return split(audience, ':', &root, &rest) ? root : audience;
}

bool mini_uuid_parse(gr_str text, char ret_text[MINI_UUID_SIZE])
{
    char lower[MINI_UUID_SIZE] = {0};

    if (text.len != MINI_UUID_SIZE - 1)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];

        if (i == 8 || i == 13 || i == 18 || i == 23) {
            if (c != '-')
                return false;
        } else if (c >= 'A' && c <= 'F') {
            c = (char)(c - 'A' + 'a');
        } else if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'))) {
            return false;
        }
        lower[i] = c;
    }
    memcpy(ret_text, lower, sizeof(lower));
    return true;
}
