/* Reads any bytes as a key set and as a file of API keys. Every key that is accepted must be of a
 * known type. */
#include "auth/keys.h"
#include "token/jwks.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_set(gr_str text, bool secrets_ok)
{
    const char *reason = NULL;
    struct grc_jwks *set = grc_jwks_parse(text, secrets_ok, &reason);

    if (!set && !reason)
        abort();
    if (set && (set->count == 0 || set->count > GRC_JWKS_KEYS_MAX))
        abort();
    grc_jwks_unref(set);
}

static void check_keys(gr_str text)
{
    char *reason = NULL;
    struct grc_key_set *set = grc_key_set_parse(text, &reason);

    if (!set && !reason)
        abort();
    for (size_t i = 0; set && i < grc_key_set_count(set); i++) {
        struct grc_api_key *key = grc_key_set_at(set, i);

        if (grc_key_set_find(set, gr_str_of(key->id)) != key || !key->caller.scopes)
            abort();
        (void)grc_caller_has(&key->caller, GR_STR("rooms:read"));
        (void)grc_caller_may(&key->caller, "room", GR_STR("r1"));
    }
    grc_key_set_unref(set);
    free(reason);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    gr_str text = {(const char *)data, size};

    check_set(text, false);
    check_set(text, true);
    check_keys(text);
    return 0;
}
