/* The shared token, signing with a credential, the breaker and the rules of retrying. */
#include "upstream/token_source.h"

#include "token/jwt.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdlib.h>

#include <cmocka.h>

#define NOW 1772500000
#define HOUR_MS 3600000

static const struct grc_credential settings = {.name = "100ms",
                                               .kind = GRC_CREDENTIAL_100MS,
                                               .access_key = "the access key",
                                               .secret = "the app secret",
                                               .lifetime_ms = 24 * HOUR_MS,
                                               .join_lifetime_max_ms = 2 * HOUR_MS};

static struct grc_token_source *keeper_of(const struct grc_credential *credential)
{
    const char *reason = NULL;
    struct grc_token_source *keeper = grc_token_source_new(credential, &reason);

    if (!keeper)
        fail_msg("%s", reason);
    return keeper;
}

/* The claims of a token signed with the secret. New reference. */
static json_t *claims_of(const char *token)
{
    struct gr_jwt_key given = {.alg = "HS256", .key = GR_STR("the app secret")};
    struct grc_jwt_key *key = grc_jwt_key_new(&given, NULL);
    const struct grc_jwt_key *keys[] = {key};
    json_t *claims = NULL;

    assert_non_null(key);
    assert_int_equal(grc_jwt_verify(keys, 1, NULL, gr_str_of(token), (int64_t)NOW, &claims),
                     GRC_JWT_OK);
    grc_jwt_key_free(key);
    return claims;
}

static const char *text_of(const json_t *claims, const char *name)
{
    const char *text = json_string_value(json_object_get(claims, name));

    assert_non_null(text);
    return text;
}

static int64_t int_of(const json_t *claims, const char *name)
{
    assert_true(json_is_integer(json_object_get(claims, name)));
    return (int64_t)json_integer_value(json_object_get(claims, name));
}

static void management_token_says_what_100ms_wants(void **state)
{
    struct grc_token_source *keeper = keeper_of(&settings);
    struct grc_token *token = grc_token_source_token(keeper, NOW);

    (void)state;
    assert_non_null(token);
    assert_memory_equal(token->header, "Authorization: Bearer ", 22);
    json_t *claims = claims_of(token->header + 22);
    assert_string_equal(text_of(claims, "type"), "management");
    assert_string_equal(text_of(claims, "access_key"), "the access key");
    assert_int_equal(strlen(text_of(claims, "jti")), 36);
    assert_int_equal(int_of(claims, "version"), 2);
    assert_int_equal(int_of(claims, "iat"), NOW - 10);
    assert_int_equal(int_of(claims, "nbf"), NOW - 10);
    assert_int_equal(int_of(claims, "exp"), NOW - 10 + 86400);
    json_decref(claims);
    grc_token_unref(token);
    grc_token_source_free(keeper);
}

static void one_token_serves_until_shortly_before_it_expires(void **state)
{
    struct grc_token_source *keeper = keeper_of(&settings);
    struct grc_token *first = grc_token_source_token(keeper, NOW);
    struct grc_token *later = grc_token_source_token(keeper, NOW + 86400 - 1900);
    struct grc_token *renewed = grc_token_source_token(keeper, NOW + 86400 - 1700);
    struct grc_token *clock_back = grc_token_source_token(keeper, NOW);

    (void)state;
    assert_ptr_equal(first, later);
    assert_ptr_not_equal(first, renewed);
    assert_ptr_not_equal(renewed, clock_back);
    assert_int_equal(grc_token_source_minted(keeper), 3);
    grc_token_unref(first);
    grc_token_unref(later);
    grc_token_unref(renewed);
    grc_token_unref(clock_back);
    grc_token_source_free(keeper);
}

static void a_refused_token_is_renewed_once(void **state)
{
    struct grc_token_source *keeper = keeper_of(&settings);
    struct grc_token *first = grc_token_source_token(keeper, NOW);

    (void)state;
    /* Two calls notice that the token was refused. */
    assert_true(grc_token_source_refused(keeper, first, NOW));
    assert_true(grc_token_source_refused(keeper, first, NOW));
    assert_int_equal(grc_token_source_minted(keeper), 2);
    struct grc_token *second = grc_token_source_token(keeper, NOW);
    assert_ptr_not_equal(first, second);
    assert_string_not_equal(first->header, second->header);
    /* The new token is refused as well, and was never accepted. So the secret is wrong, and more
     * tokens would not help. */
    assert_false(grc_token_source_refused(keeper, second, NOW));
    assert_int_equal(grc_token_source_minted(keeper), 2);
    /* A token that was accepted once may be refused later. */
    grc_token_proved(second);
    assert_true(grc_token_source_refused(keeper, second, NOW));
    assert_int_equal(grc_token_source_minted(keeper), 3);
    grc_token_unref(first);
    grc_token_unref(second);
    grc_token_source_free(keeper);
}

static void *use_token(void *arg)
{
    struct grc_token_source *keeper = arg;

    for (int i = 0; i < 200; i++) {
        struct grc_token *token = grc_token_source_token(keeper, NOW);
        if (token && strlen(token->header) > 100 && i % 50 == 49) {
            grc_token_proved(token);
            grc_token_source_refused(keeper, token, NOW);
        }
        grc_token_unref(token);
    }
    return NULL;
}

static void many_threads_share_and_renew(void **state)
{
    struct grc_token_source *keeper = keeper_of(&settings);
    pthread_t threads[8];

    (void)state;
    for (size_t i = 0; i < 8; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, use_token, keeper), 0);
    for (size_t i = 0; i < 8; i++)
        pthread_join(threads[i], NULL);
    assert_in_range(grc_token_source_minted(keeper), 2, 33);
    grc_token_source_free(keeper);
}

static void a_bearer_credential_is_fixed(void **state)
{
    const struct grc_credential bearer = {
        .name = "b", .kind = GRC_CREDENTIAL_BEARER, .secret = "abc.def"};
    struct grc_token_source *keeper = keeper_of(&bearer);
    struct grc_token *token = grc_token_source_token(keeper, NOW);
    struct grc_arena arena;
    json_t *claims = json_object();
    char *text = NULL;

    (void)state;
    grc_arena_init(&arena, 65536);
    assert_string_equal(token->header, "Authorization: Bearer abc.def");
    assert_false(grc_token_source_refused(keeper, token, NOW));
    assert_int_equal(grc_token_source_sign(keeper, &arena, claims, 60, NOW, &text),
                     GR_ERR_INTERNAL);
    grc_token_unref(token);
    json_decref(claims);
    grc_arena_done(&arena);
    grc_token_source_free(keeper);
}

static void credentials_that_cannot_work_are_refused(void **state)
{
    const struct grc_credential bad[] = {
        {.name = "a", .kind = GRC_CREDENTIAL_100MS, .access_key = "x", .secret = ""},
        {.name = "b", .kind = GRC_CREDENTIAL_100MS, .access_key = "", .secret = "x"},
        {.name = "c", .kind = GRC_CREDENTIAL_BEARER, .secret = "a\r\nHost: evil"},
        {.name = "d", .kind = GRC_CREDENTIAL_BEARER},
        {.name = "e", .kind = GRC_CREDENTIAL_NONE, .secret = "x"}};

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        const char *reason = NULL;
        assert_null(grc_token_source_new(&bad[i], &reason));
        assert_non_null(reason);
    }
}

/* --- signing --- */

static json_t *sign(const char *given, int64_t lifetime_s, enum gr_err expected)
{
    struct grc_token_source *keeper = keeper_of(&settings);
    json_t *claims = json_loads(given, 0, NULL);
    struct grc_arena arena;
    char *text = NULL;

    grc_arena_init(&arena, 65536);
    assert_int_equal(grc_token_source_sign(keeper, &arena, claims, lifetime_s, NOW, &text),
                     expected);
    json_t *signed_claims = expected == GR_OK ? claims_of(text) : NULL;
    json_decref(claims);
    grc_arena_done(&arena);
    grc_token_source_free(keeper);
    return signed_claims;
}

static void a_join_token_has_the_claims_of_an_app(void **state)
{
    json_t *claims = sign("{\"room_id\":\"r\",\"role\":\"host\"}", 3600, GR_OK);

    (void)state;
    assert_string_equal(text_of(claims, "type"), "app");
    assert_string_equal(text_of(claims, "room_id"), "r");
    assert_string_equal(text_of(claims, "role"), "host");
    assert_string_equal(text_of(claims, "access_key"), "the access key");
    assert_int_equal(int_of(claims, "exp"), NOW - 10 + 3600);
    assert_null(json_object_get(claims, "user_id"));
    json_decref(claims);
}

static void a_caller_cannot_choose_what_the_host_decides(void **state)
{
    json_t *claims = sign("{\"access_key\":\"evil\",\"exp\":9999999999,\"version\":7,\"jti\":\"x\","
                          "\"iat\":1,\"nbf\":1,\"type\":\"app\"}",
                          99999999, GR_OK);

    (void)state;
    assert_string_equal(text_of(claims, "access_key"), "the access key");
    assert_int_equal(int_of(claims, "exp"), NOW - 10 + 7200);
    assert_int_equal(int_of(claims, "version"), 2);
    assert_int_equal(int_of(claims, "iat"), NOW - 10);
    assert_int_equal(strlen(text_of(claims, "jti")), 36);
    json_decref(claims);
}

static void lifetimes_below_one_second_are_refused(void **state)
{
    (void)state;
    sign("{}", 0, GR_ERR_INVALID);
    sign("{}", -5, GR_ERR_INVALID);
    sign("[]", 60, GR_ERR_INTERNAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(management_token_says_what_100ms_wants),
        cmocka_unit_test(one_token_serves_until_shortly_before_it_expires),
        cmocka_unit_test(a_refused_token_is_renewed_once),
        cmocka_unit_test(many_threads_share_and_renew),
        cmocka_unit_test(a_bearer_credential_is_fixed),
        cmocka_unit_test(credentials_that_cannot_work_are_refused),
        cmocka_unit_test(a_join_token_has_the_claims_of_an_app),
        cmocka_unit_test(a_caller_cannot_choose_what_the_host_decides),
        cmocka_unit_test(lifetimes_below_one_second_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
