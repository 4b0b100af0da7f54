/* Verifies tokens. The first byte selects whether the rest is the whole token, or the claims of a
 * token with a valid signature. */
#include "auth/callers_jwt.h"

#include <stdlib.h>

#define NOW 1772500000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct gr_jwt_key key_text = {
    .alg = "HS256", .key = {"a secret of the fuzzer, 32 bytes or more", 40}, .kid = "k"};
static const struct gr_jwt_rules rules = {
    .issuer = "i", .audience = "a", .leeway_s = 30, .need_exp = true};
static const struct grc_jwt_settings settings = {.name = "main",
                                                 .scope_claim = "a.scope",
                                                 .subject_claim = "sub",
                                                 .rooms_claim = "rooms",
                                                 .roles_claim = "a.roles"};

static void check_claims(gr_str text)
{
    struct grc_arena arena;
    const char *reason = NULL;
    json_t *claims = json_loadb(text.ptr, text.len, JSON_REJECT_DUPLICATES, NULL);

    if (!json_is_object(claims)) {
        json_decref(claims);
        return;
    }
    grc_arena_init(&arena, 1 << 20);
    const struct grc_caller *caller = grc_jwt_caller(&settings, claims, &arena, &reason);
    json_decref(claims);
    if (!caller != (reason != NULL))
        abort();
    /* A token that names rooms is valid for these rooms only. No input of the corpus names this
     * room. */
    if (caller && grc_caller_bound(caller, "room") &&
        grc_caller_may(caller, "room", GR_STR("\x01 nobody's room")))
        abort();
    grc_arena_done(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *reason = NULL;
    struct grc_jwt_key *key = grc_jwt_key_new(&key_text, &reason);
    const struct grc_jwt_key *const keys[] = {key};

    if (!key)
        abort();
    if (size > 0 && data[0] == 'c') {
        /* Deeply nested JSON is refused before the claims are read, so only short texts are
         * tried. */
        if (size < 512)
            check_claims((gr_str){(const char *)data + 1, size - 1});
    } else if (size > 0) {
        /* No input can be a valid token, because the fuzzer does not know the key. */
        if (grc_jwt_verify(keys, 1, &rules, (gr_str){(const char *)data + 1, size - 1}, NOW,
                           NULL) == GRC_JWT_OK)
            abort();
    }
    grc_jwt_key_free(key);
    return 0;
}
