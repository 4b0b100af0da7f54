/* Accounts and calls written as texts, for the tests of accounts and of their rights. */
#pragma once

#include <jansson.h>
#include <string.h>
#include "call/call.h"

#include <cmocka.h>

static inline gr_str s(const char *text)
{
    return gr_str_of(text);
}

/* Returns the account that an id names. The id is split at its first dot; both parts are empty when
 * it has none. */
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

/* A call of the plugin "test", with the services of the host. */
static struct grc_call account_call;
static struct gr_self account_self = {.host = &grc_host, .name = "test"};

static inline struct gr_call *call_begin(void)
{
    account_call = (struct grc_call){.pub = {.host = account_self.host, .self = &account_self}};
    grc_arena_init(&account_call.arena, 65536);
    return &account_call.pub;
}

static inline void call_end(void)
{
    grc_arena_done(&account_call.arena);
}
