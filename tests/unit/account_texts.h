/* What the tests of accounts and of their rights write as texts. */
#pragma once

#include <greenroom/plugin.h>
#include <jansson.h>
#include <string.h>

#include <cmocka.h>

static inline gr_str s(const char *text)
{
    return gr_str_of(text);
}

/* The account that an id names, split at its first dot; empty parts when it has none. */
static inline struct gr_account account_of(const char *id)
{
    const char *dot = strchr(id, '.');

    if (!dot)
        return (struct gr_account){s(id), s("")};
    return (struct gr_account){{id, (size_t)(dot - id)}, s(dot + 1)};
}

static inline json_t *json_of(const char *text)
{
    json_t *value = json_loads(text, JSON_DECODE_ANY, NULL);

    assert_non_null(value);
    return value;
}
