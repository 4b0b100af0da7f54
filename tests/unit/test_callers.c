/* Scopes, bindings, and the caller that results from the claims of a token. */
#include "auth/callers_jwt.h"

#include "base/scope.h"

#include <setjmp.h>
#include <stdlib.h>

#include <cmocka.h>

static struct grc_arena arena;

static int set_up(void **state)
{
    (void)state;
    grc_arena_init(&arena, 1 << 20);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    grc_arena_done(&arena);
    return 0;
}

/* --- scopes --- */

static void test_covers(void **state)
{
    static const struct {
        const char *held;
        const char *wanted;
        bool covers;
    } rows[] = {
        {"*", "rooms:read", true},
        {"rooms:*", "rooms:read", true},
        {"rooms:read", "rooms:read", true},
        {"*:read", "rooms:read", true},
        {"*:*", "rooms:read", true},
        {"rooms:read", "rooms:write", false},
        {"rooms:*", "room:read", false},
        {"room:*", "rooms:read", false},
        {"rooms", "rooms:read", false},
        {"rooms:", "rooms:read", false},
        {"", "rooms:read", false},
        {"rooms:rea", "rooms:read", false},
        {"ROOMS:read", "rooms:read", false},
        {"rooms:read ", "rooms:read", false},
        {"rooms:*", "", false},
        {"r*:read", "rooms:read", false},
        {"*:read", "rooms:write", false},
        {"rooms:**", "rooms:read", false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_int_equal(grc_scope_covers(gr_str_of(rows[i].held), gr_str_of(rows[i].wanted)),
                         rows[i].covers);
}

static void test_valid(void **state)
{
    static const char *const good[] = {"*", "rooms:read", "rooms:*", "*:read", "*:*", "a.b-c_1:d"};
    static const char *const bad[] = {"",       ":",      "rooms",   "rooms:",      ":read",
                                      "a:b:c",  "a b:c",  "r*:read", "rooms:read ", "**",
                                      "a:\x7f", "a:\"b\""};

    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        assert_true(grc_scope_valid(gr_str_of(good[i])));
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_false(grc_scope_valid(gr_str_of(bad[i])));
}

static void test_bindings(void **state)
{
    static const char *const rooms[] = {"r1", "r2", NULL};
    static const char *const none[] = {NULL};
    static const struct grc_binding bindings[] = {{"room", rooms}, {"role", none}, {NULL, NULL}};
    const struct grc_caller caller = {.bindings = bindings};
    const struct grc_caller unbound = {.bindings = NULL};

    (void)state;
    assert_true(grc_caller_may(&caller, "room", GR_STR("r2")));
    assert_false(grc_caller_may(&caller, "room", GR_STR("r")));
    assert_false(grc_caller_may(&caller, "room", GR_STR("r1\0")));
    assert_false(grc_caller_may(&caller, "room", (gr_str){NULL, 0}));
    assert_false(grc_caller_may(&caller, "role", GR_STR("guest")));
    assert_true(grc_caller_may(&caller, "stream", GR_STR("s")));
    assert_true(grc_caller_may(&unbound, "room", GR_STR("r")));
}

/* --- claims --- */

static const struct grc_caller *caller_of(const struct grc_jwt_settings *settings,
                                          const char *claims, const char **ret_reason)
{
    json_t *json = json_loads(claims, JSON_REJECT_DUPLICATES, NULL);
    const struct grc_caller *caller;

    assert_non_null(json);
    caller = grc_jwt_caller(settings, json, &arena, ret_reason);
    json_decref(json); /* the caller must keep no pointer into the claims */
    return caller;
}

static const struct grc_jwt_settings plain = {
    .name = "main", .scope_claim = "scope", .subject_claim = "sub"};

static void test_plain_claims(void **state)
{
    const char *reason = NULL;
    const struct grc_caller *caller;

    (void)state;
    caller =
        caller_of(&plain, "{\"sub\":\"alice\",\"scope\":\"  rooms:read x  polls:* \"}", &reason);
    assert_non_null(caller);
    assert_string_equal(caller->id.ptr, "alice");
    assert_string_equal(caller->provider, "main");
    assert_true(grc_caller_has(caller, GR_STR("rooms:read")));
    assert_true(grc_caller_has(caller, GR_STR("polls:write")));
    assert_false(grc_caller_has(caller, GR_STR("rooms:write")));
    assert_null(caller->bindings);
    caller = caller_of(&plain, "{\"sub\":\"alice\"}", &reason);
    assert_non_null(caller);
    assert_false(grc_caller_has(caller, GR_STR("rooms:read")));
}

static void test_wrong_claims(void **state)
{
    static const char *const wrong[] = {
        "{}",
        "{\"sub\":\"\"}",
        "{\"sub\":5}",
        "{\"sub\":[\"a\"]}",
        "{\"sub\":\"a\",\"scope\":5}",
        "{\"sub\":\"a\",\"scope\":[5]}",
        "{\"sub\":\"a\",\"scope\":{\"rooms:read\":true}}",
    };
    const char *reason;

    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        reason = NULL;
        assert_null(caller_of(&plain, wrong[i], &reason));
        assert_non_null(reason);
    }
}

static void test_mapped_claims(void **state)
{
    static const char *const admin[] = {"rooms:*", "tokens:write", NULL};
    static struct grc_auth_scopes scopes[] = {{"room admin", admin}};
    const struct grc_jwt_settings settings = {.name = "main",
                                              .scope_claim = "a.b",
                                              .subject_claim = "https://x.test/user",
                                              .scopes = scopes,
                                              .scope_count = 1};
    const char *reason = NULL;
    const struct grc_caller *caller;

    (void)state;
    caller = caller_of(
        &settings, "{\"https://x.test/user\":\"u\",\"a\":{\"b\":[\"room admin\",\"*\"]}}", &reason);
    assert_non_null(caller);
    assert_true(grc_caller_has(caller, GR_STR("tokens:write")));
    assert_false(grc_caller_has(caller, GR_STR("polls:read")));
    /* A value that the config does not name grants nothing. */
    caller = caller_of(&settings, "{\"https://x.test/user\":\"u\",\"a\":{\"b\":\"admin room *\"}}",
                       &reason);
    assert_non_null(caller);
    assert_false(grc_caller_has(caller, GR_STR("tokens:write")));
    assert_false(grc_caller_has(caller, GR_STR("rooms:read")));
    /* A claim with the whole name "a.b" is used before a member "b" of the claim "a". */
    caller = caller_of(&settings,
                       "{\"https://x.test/user\":\"u\",\"a.b\":[],\"a\":{\"b\":[\"room admin\"]}}",
                       &reason);
    assert_false(grc_caller_has(caller, GR_STR("tokens:write")));
}

static void test_bound_claims(void **state)
{
    const struct grc_jwt_settings settings = {.name = "main",
                                              .scope_claim = "scope",
                                              .subject_claim = "sub",
                                              .rooms_claim = "rooms",
                                              .roles_claim = "roles"};
    const char *reason = NULL;
    const struct grc_caller *caller;

    (void)state;
    caller =
        caller_of(&settings, "{\"sub\":\"a\",\"rooms\":\"r 1\",\"roles\":[\"guest\"]}", &reason);
    assert_non_null(caller);
    assert_true(grc_caller_may(caller, "room", GR_STR("r 1")));
    assert_false(grc_caller_may(caller, "room", GR_STR("r")));
    assert_false(grc_caller_may(caller, "role", GR_STR("host")));
    caller = caller_of(&settings, "{\"sub\":\"a\",\"rooms\":[],\"roles\":\"*\"}", &reason);
    assert_false(grc_caller_may(caller, "room", GR_STR("r")));
    assert_true(grc_caller_may(caller, "role", GR_STR("host")));
    assert_null(grc_caller_bound(caller, "role"));
    assert_null(caller_of(&settings, "{\"sub\":\"a\",\"rooms\":\"r\"}", &reason));
    assert_null(caller_of(&settings, "{\"sub\":\"a\",\"rooms\":null,\"roles\":\"*\"}", &reason));
    assert_null(caller_of(&settings, "{\"sub\":\"a\",\"rooms\":5,\"roles\":\"*\"}", &reason));
}

/* A token that names very many values is refused, whether the values are scopes or not. The rest of
 * the values is not simply ignored. */
static void test_too_many_values(void **state)
{
    static const char *const values[] = {"rooms:read", "no scope"};

    (void)state;
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        json_t *claims = json_pack("{s:s,s:[]}", "sub", "a", "scope");
        json_t *list = json_object_get(claims, "scope");
        const char *reason = NULL;

        for (int j = 0; j < 257; j++)
            json_array_append_new(list, json_string(values[i]));
        assert_null(grc_jwt_caller(&plain, claims, &arena, &reason));
        assert_non_null(reason);
        json_array_remove(list, 0);
        assert_non_null(grc_jwt_caller(&plain, claims, &arena, &reason));
        json_decref(claims);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_covers),       cmocka_unit_test(test_valid),
        cmocka_unit_test(test_bindings),     cmocka_unit_test(test_plain_claims),
        cmocka_unit_test(test_wrong_claims), cmocka_unit_test(test_mapped_claims),
        cmocka_unit_test(test_bound_claims), cmocka_unit_test(test_too_many_values),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
