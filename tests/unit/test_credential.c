/* The shared token, signing with a credential, the breaker and the rules of retrying. */
#include "upstream/token_source.h"

#include "token/jwt.h"
#include "upstream/breaker.h"
#include "upstream/headers.h"
#include "upstream/retry.h"

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
    /* Two calls learn of it. */
    assert_true(grc_token_source_refused(keeper, first, NOW));
    assert_true(grc_token_source_refused(keeper, first, NOW));
    assert_int_equal(grc_token_source_minted(keeper), 2);
    struct grc_token *second = grc_token_source_token(keeper, NOW);
    assert_ptr_not_equal(first, second);
    assert_string_not_equal(first->header, second->header);
    /* Refused as well, and never accepted: the secret is wrong, more tokens do not help. */
    assert_false(grc_token_source_refused(keeper, second, NOW));
    assert_int_equal(grc_token_source_minted(keeper), 2);
    /* Once accepted, it may be refused later. */
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

/* --- retrying --- */

static bool may(enum gr_err err, bool safe, bool sent, bool received, unsigned tries)
{
    const struct grc_retry_facts facts = {.err = err,
                                          .safe = safe,
                                          .sent = sent,
                                          .received = received,
                                          .tries_made = tries,
                                          .retries_max = 2};

    return grc_retry_may(&facts);
}

static void only_what_cannot_do_harm_is_retried(void **state)
{
    (void)state;
    /* never connected: anything */
    assert_true(may(GR_ERR_UPSTREAM_CONNECT, true, false, false, 1));
    assert_true(may(GR_ERR_UPSTREAM_CONNECT, false, false, false, 1));
    assert_true(may(GR_ERR_UPSTREAM_TIMEOUT, false, false, false, 1));
    /* sent, no answer: safe methods */
    assert_true(may(GR_ERR_UPSTREAM_BROKEN, true, true, false, 2));
    assert_false(may(GR_ERR_UPSTREAM_BROKEN, false, true, false, 1));
    assert_false(may(GR_ERR_UPSTREAM_TIMEOUT, true, true, false, 1));
    assert_false(may(GR_ERR_UPSTREAM_CONNECT, false, true, false, 1));
    /* an answer began: nothing */
    assert_false(may(GR_ERR_UPSTREAM_BROKEN, true, true, true, 1));
    /* enough */
    assert_false(may(GR_ERR_UPSTREAM_BROKEN, true, true, false, 3));
    /* no reason to */
    assert_false(may(GR_ERR_CANCELLED, true, false, false, 1));
    assert_false(may(GR_ERR_NO_MEMORY, true, false, false, 1));
    const struct grc_retry_facts lasting = {
        .err = GR_ERR_UPSTREAM_CONNECT, .safe = true, .lasting = true, .retries_max = 2};
    assert_false(grc_retry_may(&lasting));
}

static void waits_grow_and_vary(void **state)
{
    (void)state;
    assert_int_equal(grc_retry_delay_ms(1, 0), 25);
    assert_int_equal(grc_retry_delay_ms(1, 25), 50);
    assert_int_equal(grc_retry_delay_ms(2, 0), 50);
    assert_int_equal(grc_retry_delay_ms(3, 100), 200);
    assert_in_range(grc_retry_delay_ms(60, UINT64_MAX), 500, 1000);
}

static void the_budget_ends_and_comes_back(void **state)
{
    const struct grc_budget_settings rules = {.percent = 20, .min = 3, .window_ms = 10000};
    struct grc_retry_budget budget;
    int64_t now_ms = 1000000;

    (void)state;
    grc_retry_budget_init(&budget, &rules);
    /* without calls: the least */
    for (int i = 0; i < 3; i++)
        assert_true(grc_retry_budget_spend(&budget, now_ms));
    assert_false(grc_retry_budget_spend(&budget, now_ms));
    /* 20% of 24 calls are 4, three of which are gone */
    for (int i = 0; i < 24; i++)
        grc_retry_budget_earn(&budget, now_ms + 5000);
    assert_true(grc_retry_budget_spend(&budget, now_ms + 5000));
    assert_false(grc_retry_budget_spend(&budget, now_ms + 5000));
    /* the first three leave the window, the calls are still in it */
    assert_true(grc_retry_budget_spend(&budget, now_ms + 11000));
    assert_true(grc_retry_budget_spend(&budget, now_ms + 11000));
    assert_true(grc_retry_budget_spend(&budget, now_ms + 11000));
    assert_false(grc_retry_budget_spend(&budget, now_ms + 11000));
    /* everything has left it */
    assert_true(grc_retry_budget_spend(&budget, now_ms + 60000));
}

static void the_wait_an_upstream_asks_for_is_kept_and_spread(void **state)
{
    (void)state;
    assert_int_equal(grc_retry_after_ms(2, 50, 0), 2025);
    assert_int_equal(grc_retry_after_ms(2, 50, 25), 2050);
    assert_in_range(grc_retry_after_ms(0, 100, UINT64_MAX), 50, 100);
}

/* --- breaker --- */

static const struct grc_breaker_settings breaker_settings = {
    .enabled = true, .window_ms = 10000, .min_calls = 4, .error_percent = 50, .open_ms = 2000};

static void fail_times(struct grc_breaker *breaker, int64_t now_ms, int times)
{
    for (int i = 0; i < times; i++)
        grc_breaker_tell(breaker, now_ms, GRC_BREAKER_PASS, GRC_BREAKER_BAD);
}

static void the_breaker_opens_probes_and_closes(void **state)
{
    struct grc_breaker breaker;
    int64_t wait_ms = 0;

    (void)state;
    assert_true(grc_breaker_init(&breaker, &breaker_settings));
    fail_times(&breaker, 1000, 3);
    assert_int_equal(grc_breaker_ask(&breaker, 1000, &wait_ms), GRC_BREAKER_PASS);
    assert_true(grc_breaker_tell(&breaker, 1000, GRC_BREAKER_PASS, GRC_BREAKER_BAD));
    assert_int_equal(grc_breaker_ask(&breaker, 1500, &wait_ms), GRC_BREAKER_REFUSE);
    assert_int_equal(wait_ms, 1500);
    /* one probe at a time */
    assert_int_equal(grc_breaker_ask(&breaker, 3000, &wait_ms), GRC_BREAKER_PROBE);
    assert_int_equal(grc_breaker_ask(&breaker, 3000, &wait_ms), GRC_BREAKER_REFUSE);
    grc_breaker_tell(&breaker, 3100, GRC_BREAKER_PROBE, GRC_BREAKER_BAD);
    assert_int_equal(grc_breaker_ask(&breaker, 5000, &wait_ms), GRC_BREAKER_REFUSE);
    /* a probe whose client left says nothing */
    assert_int_equal(grc_breaker_ask(&breaker, 5100, &wait_ms), GRC_BREAKER_PROBE);
    grc_breaker_tell(&breaker, 5100, GRC_BREAKER_PROBE, GRC_BREAKER_NONE);
    assert_int_equal(grc_breaker_ask(&breaker, 5100, &wait_ms), GRC_BREAKER_PROBE);
    assert_true(grc_breaker_tell(&breaker, 5100, GRC_BREAKER_PROBE, GRC_BREAKER_GOOD));
    assert_int_equal(grc_breaker_ask(&breaker, 5100, &wait_ms), GRC_BREAKER_PASS);
    fail_times(&breaker, 5200, 3);
    assert_int_equal(grc_breaker_state(&breaker), GRC_BREAKER_CLOSED);
    grc_breaker_done(&breaker);
}

static void a_probe_that_hangs_does_not_decide(void **state)
{
    struct grc_breaker breaker;
    int64_t wait_ms = 0;

    (void)state;
    assert_true(grc_breaker_init(&breaker, &breaker_settings));
    fail_times(&breaker, 1000, 4);
    assert_int_equal(grc_breaker_ask(&breaker, 3000, &wait_ms), GRC_BREAKER_PROBE);
    assert_int_equal(grc_breaker_ask(&breaker, 4999, &wait_ms), GRC_BREAKER_REFUSE);
    assert_int_equal(wait_ms, 1);
    assert_int_equal(grc_breaker_ask(&breaker, 5000, &wait_ms), GRC_BREAKER_PROBE);
    assert_true(grc_breaker_tell(&breaker, 5001, GRC_BREAKER_PROBE, GRC_BREAKER_GOOD));
    assert_int_equal(grc_breaker_state(&breaker), GRC_BREAKER_CLOSED);
    /* the first one fails at last: one failure among others */
    assert_false(grc_breaker_tell(&breaker, 9000, GRC_BREAKER_PROBE, GRC_BREAKER_BAD));
    assert_int_equal(grc_breaker_ask(&breaker, 9000, &wait_ms), GRC_BREAKER_PASS);
    grc_breaker_done(&breaker);
}

static void late_news_of_old_calls_does_not_close_it(void **state)
{
    struct grc_breaker breaker;

    (void)state;
    assert_true(grc_breaker_init(&breaker, &breaker_settings));
    fail_times(&breaker, 1000, 4);
    assert_false(grc_breaker_tell(&breaker, 1001, GRC_BREAKER_PASS, GRC_BREAKER_GOOD));
    assert_int_equal(grc_breaker_state(&breaker), GRC_BREAKER_OPEN);
    grc_breaker_done(&breaker);
}

static void the_breaker_forgets_what_is_older_than_its_window(void **state)
{
    struct grc_breaker breaker;

    (void)state;
    assert_true(grc_breaker_init(&breaker, &breaker_settings));
    fail_times(&breaker, 1000, 3);
    fail_times(&breaker, 11500, 3);
    assert_int_equal(grc_breaker_state(&breaker), GRC_BREAKER_CLOSED);
    fail_times(&breaker, 12000, 1);
    assert_int_equal(grc_breaker_state(&breaker), GRC_BREAKER_OPEN);
    grc_breaker_done(&breaker);
}

static void a_row_of_failures_opens_it_whatever_was_before(void **state)
{
    struct grc_breaker breaker;

    (void)state;
    assert_true(grc_breaker_init(&breaker, &breaker_settings));
    for (int i = 0; i < 1000; i++)
        grc_breaker_tell(&breaker, 1000, GRC_BREAKER_PASS, GRC_BREAKER_GOOD);
    fail_times(&breaker, 1100, 3);
    grc_breaker_tell(&breaker, 1100, GRC_BREAKER_PASS, GRC_BREAKER_GOOD);
    fail_times(&breaker, 1200, 3);
    assert_int_equal(grc_breaker_state(&breaker), GRC_BREAKER_CLOSED);
    fail_times(&breaker, 1200, 1);
    assert_int_equal(grc_breaker_state(&breaker), GRC_BREAKER_OPEN);
    grc_breaker_done(&breaker);
}

static void the_breaker_minds_the_share_of_failures(void **state)
{
    struct grc_breaker breaker;

    (void)state;
    assert_true(grc_breaker_init(&breaker, &breaker_settings));
    for (int i = 0; i < 10; i++)
        grc_breaker_tell(&breaker, 1000, GRC_BREAKER_PASS, GRC_BREAKER_GOOD);
    for (int i = 0; i < 4; i++) { /* never four in a row */
        fail_times(&breaker, 1000, 3);
        grc_breaker_tell(&breaker, 1000, GRC_BREAKER_PASS, GRC_BREAKER_GOOD);
    }
    fail_times(&breaker, 1000, 1);
    assert_int_equal(grc_breaker_state(&breaker), GRC_BREAKER_CLOSED); /* 13 of 27 */
    fail_times(&breaker, 1000, 1);
    assert_int_equal(grc_breaker_state(&breaker), GRC_BREAKER_OPEN); /* 14 of 28 */
    grc_breaker_done(&breaker);
}

/* --- headers --- */

static void only_safe_headers_travel(void **state)
{
    static const char *const dropped[] = {
        "Host",   "content-length", "TRANSFER-ENCODING", "TE",      "Proxy-Anything",  "Connection",
        "Expect", "x-request-id",   "Trailer",           "Upgrade", "Proxy-Connection"};

    (void)state;
    for (size_t i = 0; i < sizeof(dropped) / sizeof(dropped[0]); i++)
        assert_false(grc_header_outgoing(gr_str_of(dropped[i]), true));
    assert_true(grc_header_outgoing(GR_STR("X-Tenant"), false));
    assert_true(grc_header_outgoing(GR_STR("Authorization"), true));
    assert_false(grc_header_outgoing(GR_STR("authorization"), false));
    assert_int_equal(grc_header_incoming(GR_STR("retry-after")), GRC_HEADER_RETRY_AFTER);
    assert_int_equal(grc_header_incoming(GR_STR("X-RateLimit-Limit")), GRC_HEADER_PASS);
    assert_int_equal(grc_header_incoming(GR_STR("RateLimit")), GRC_HEADER_PASS);
    assert_int_equal(grc_header_incoming(GR_STR("Set-Cookie")), GRC_HEADER_DROP);
    assert_int_equal(grc_header_incoming(GR_STR("Location")), GRC_HEADER_DROP);
    assert_int_equal(grc_header_incoming(GR_STR("Content-Length")), GRC_HEADER_DROP);
}

static void lines_are_split_strictly(void **state)
{
    struct gr_pair pair;

    (void)state;
    assert_true(grc_header_split(GR_STR("Retry-After: \t7 \r\n"), &pair));
    assert_true(gr_str_eq(pair.name, GR_STR("Retry-After")));
    assert_true(gr_str_eq(pair.value, GR_STR("7")));
    assert_true(grc_header_split(GR_STR("A:\r\n"), &pair));
    assert_int_equal(pair.value.len, 0);
    assert_false(grc_header_split(GR_STR("Retry-After: 7\rX: y\r\n"), &pair));
    assert_false(grc_header_split(GR_STR("Retry-After: 7\0\r\n"), &pair));
    assert_false(grc_header_split(GR_STR(" folded: x\r\n"), &pair));
    assert_false(grc_header_split(GR_STR("Retry-After : x\r\n"), &pair));
    assert_false(grc_header_split(GR_STR(": x\r\n"), &pair));
    assert_false(grc_header_split(GR_STR("no colon\r\n"), &pair));
    assert_false(grc_header_split(GR_STR("Retry-After: \xff\r\n"), &pair));
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
        cmocka_unit_test(only_what_cannot_do_harm_is_retried),
        cmocka_unit_test(waits_grow_and_vary),
        cmocka_unit_test(the_budget_ends_and_comes_back),
        cmocka_unit_test(the_wait_an_upstream_asks_for_is_kept_and_spread),
        cmocka_unit_test(the_breaker_opens_probes_and_closes),
        cmocka_unit_test(a_probe_that_hangs_does_not_decide),
        cmocka_unit_test(late_news_of_old_calls_does_not_close_it),
        cmocka_unit_test(the_breaker_forgets_what_is_older_than_its_window),
        cmocka_unit_test(a_row_of_failures_opens_it_whatever_was_before),
        cmocka_unit_test(the_breaker_minds_the_share_of_failures),
        cmocka_unit_test(only_safe_headers_travel),
        cmocka_unit_test(lines_are_split_strictly),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
