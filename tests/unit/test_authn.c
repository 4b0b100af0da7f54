/* How the account of a caller is found: issuers, tokens, their times, and wrong configs. */
#include "../../plugins/minigroups/account/authn.h"
#include "../../plugins/minigroups/account/authz.h"
#include "token/jwt.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "unit/account_texts.h"

static const char *const room[] = {"rooms", "1", NULL};

static void wrong_issuers_are_refused(void **unused)
{
    static const char *const wrong[] = {
        "[{}]",
        "[{\"issuer\": \"i\"}]",
        "[{\"issuer\": \"i\", \"audience\": [\"a\"]}]",
        "[{\"issuer\": \"i\", \"audience\": [\"a\"], \"algorithm\": \"none\", \"key\": \"k\"}]",
        "[{\"issuer\": \"i\", \"audience\": [\"a\"], \"algorithm\": \"ES256\"}]",
        "[{\"issuer\": \"i\", \"audience\": [\"a\"], \"algorithm\": \"RS256\", \"key\": \"k\"}]",
        "[{\"issuer\": \"i\", \"audience\": [\"a\"], \"key_file\": \"/nonexistent\"}]",
    };

    (void)unused;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        json_t *config = json_of(wrong[i]);

        assert_null(mini_authn_new(&account_self, config, s("")));
        json_decref(config);
    }
}

static void without_issuers_no_token_is_good(void **unused)
{
    struct mini_authn *authn = mini_authn_new(&account_self, NULL, s(""));
    const char *reason = NULL;
    struct gr_account account = {{NULL, 0}, {NULL, 0}};

    (void)unused;
    assert_non_null(authn);
    struct gr_call *call = call_begin();
    assert_int_equal(mini_authn_check(call, authn, s("e30.e30.x"), &account, &reason),
                     GR_ERR_UNAUTHORIZED);
    assert_non_null(reason);
    assert_null(account.label.ptr);
    assert_int_equal(mini_authn_check(call, authn, s(""), &account, NULL), GR_ERR_UNAUTHORIZED);
    call_end();
    mini_authn_free(&account_self, authn);
    mini_authn_free(&account_self, NULL);
}

#define NOW_S 1700000000

/* The time of all calls: see the link options of this test. */
int64_t __wrap_grc_now_ms(void);
int64_t __wrap_grc_now_ms(void)
{
    return (int64_t)NOW_S * 1000;
}

#define HS_KEY "a-shared-secret-of-this-test-0123456789"

/* A token of the issuer "iam", for audiences "usr.org"; more: JSON of further claims. */
static gr_str token_of(struct gr_call *call, const char *sub, const char *aud, const char *more)
{
    const struct gr_jwt_key settings = {.alg = "HS256", .key = GR_STR(HS_KEY)};
    const char *reason = NULL;
    struct grc_jwt_key *key = grc_jwt_key_new(&settings, &reason);
    json_t *claims = json_pack("{s:s, s:s, s:s}", "iss", "iam", "sub", sub, "aud", aud);
    json_t *rest = json_of(more);
    char *token = NULL;

    assert_non_null(key);
    assert_int_equal(json_object_update(claims, rest), 0);
    assert_int_equal(grc_jwt_sign(&grc_call_of(call)->arena, key, claims, NULL, &token), GR_OK);
    json_decref(rest);
    json_decref(claims);
    grc_jwt_key_free(key);
    return s(token);
}

static struct mini_authn *authn_of(const char *more)
{
    json_t *config =
        json_pack("[{s:s, s:[s], s:s}]", "issuer", "iam", "audience", "usr.org", "key", HS_KEY);
    json_t *rest = json_of(more);

    assert_int_equal(json_object_update(json_array_get(config, 0), rest), 0);
    struct mini_authn *authn = mini_authn_new(&account_self, config, s(""));
    json_decref(rest);
    json_decref(config);
    assert_non_null(authn);
    return authn;
}

static uint32_t pick(uint32_t *seed, uint32_t count)
{
    *seed = *seed * 1664525u + 1013904223u;
    return (*seed >> 8) % count;
}

/* Makes a text of a few random pieces: letters of both cases, all separators, and characters that
 * look like separators. */
static const char *random_text(uint32_t *seed, char text[64])
{
    static const char *const pieces[] = {
        "",
        ".",
        ":",
        "/",
        "*",
        "%2E",
        "\xE2\x80\xA4",
        "\xEF\xBC\x8E",
        "\xEF\xBC\x9A",
        "a",
        "A",
        "\xD0\xB0",
        " ",
        "conference",
        "Conference",
        "svc.org",
        "usr.org",
        "usr.org:x",
    };
    size_t len = 0;

    text[0] = '\0';
    for (uint32_t i = pick(seed, 5); i > 0; i--) {
        const char *piece = pieces[pick(seed, sizeof(pieces) / sizeof(pieces[0]))];

        if (len + strlen(piece) < 64) {
            memcpy(text + len, piece, strlen(piece) + 1);
            len += strlen(piece);
        }
    }
    return text;
}

/* Whatever an issuer signs, the account consists of the sub and the aud of the token, byte by byte,
 * and the issuer may make tokens for this aud. The text that is made of both can be split in one
 * way only, so no account can be mistaken for another in a list of accounts or in the store. */
static void an_account_is_what_the_token_says(void **unused)
{
    static const char *const known[] = {"conference.svc.org", "a.usr.org", "*.usr.org:x"};
    struct mini_authn *authn = authn_of("{}");
    uint32_t seed = 20261126;
    unsigned good = 0;

    (void)unused;
    for (unsigned i = 0; i < 4000; i++) {
        struct gr_account account = {{NULL, 0}, {NULL, 0}};
        char sub[64];
        char aud[64];
        const char *reason = NULL;

        struct gr_call *call = call_begin();
        random_text(&seed, sub);
        random_text(&seed, aud);
        if (pick(&seed, 2))
            memcpy(aud, "usr.org:x", pick(&seed, 2) ? sizeof("usr.org:x") : 0);
        gr_str token = token_of(call, sub, aud, "{\"exp\": 1700000600}");
        if (mini_authn_check(call, authn, token, &account, &reason) == GR_OK) {
            char *text = gr_format(call, "%s.%s", sub, aud);
            const struct gr_account again = account_of(text);

            good++;
            assert_true(gr_str_eq(account.label, s(sub)) && account.label.len > 0);
            assert_true(gr_str_eq(account.audience, s(aud)));
            assert_true(strcmp(aud, "usr.org") == 0 || strncmp(aud, "usr.org:", 8) == 0);
            assert_true(gr_str_eq(again.label, account.label));
            assert_true(gr_str_eq(again.audience, account.audience));
            for (size_t j = 0; j < sizeof(known) / sizeof(known[0]); j++) {
                json_t *records = json_pack("[{s:s, s:[s, s], s:s}]", "subject_account_id",
                                            known[j], "object", "rooms", "1", "action", "read");
                const struct mini_intent intent = {account, room, "read"};
                const struct gr_account of = account_of(known[j]);
                bool same = gr_str_eq(of.audience, account.audience) &&
                            (gr_str_eq(of.label, account.label) || gr_str_eq(of.label, s("*")));

                assert_int_equal(mini_authz_records_allow(records, &intent), same);
                json_decref(records);
            }
        }
        call_end();
    }
    assert_true(good > 100); /* many tokens were accepted */
    mini_authn_free(&account_self, authn);
}

/* A user's issuer cannot make a token that looks like a service's. */
static void a_label_holds_no_separator(void **unused)
{
    static const struct {
        const char *sub;
        const char *aud;
        enum gr_err err;
    } cases[] = {
        {"t-17", "usr.org", GR_OK},
        {"t-17", "usr.org:school.org", GR_OK},
        {"Z2lkOi8vVXNlci8x/+=", "usr.org", GR_OK},
        {"conference.svc.org:x", "usr.org", GR_ERR_UNAUTHORIZED},
        {"conference.svc.org", "usr.org", GR_ERR_UNAUTHORIZED},
        {"conference:x", "usr.org", GR_ERR_UNAUTHORIZED},
        {".", "usr.org", GR_ERR_UNAUTHORIZED},
        {"", "usr.org", GR_ERR_UNAUTHORIZED},
        {"t-17", "", GR_ERR_UNAUTHORIZED},
        {"t-17", ":usr.org", GR_ERR_UNAUTHORIZED},
        {"t-17", "usr", GR_ERR_UNAUTHORIZED},
        {"t-17", "usr.or:g", GR_ERR_UNAUTHORIZED},
        {"t-17", "usr.organ", GR_ERR_UNAUTHORIZED},
        {"t-17", "USR.org", GR_ERR_UNAUTHORIZED},
    };
    struct mini_authn *authn = authn_of("{}");

    (void)unused;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct gr_account account;
        const char *reason = NULL;

        struct gr_call *call = call_begin();
        gr_str token = token_of(call, cases[i].sub, cases[i].aud, "{\"exp\": 1700000600}");
        assert_int_equal(mini_authn_check(call, authn, token, &account, &reason), cases[i].err);
        call_end();
    }
    mini_authn_free(&account_self, authn);
}

static void times_follow_the_hosts_rules_unless_told_otherwise(void **unused)
{
    static const struct {
        const char *settings;
        const char *claims;
        enum gr_err err;
    } cases[] = {
        {"{}", "{\"exp\": 1700000001}", GR_OK},
        {"{}", "{\"exp\": 1700000000}", GR_ERR_UNAUTHORIZED},
        {"{}", "{}", GR_ERR_UNAUTHORIZED},
        {"{\"exp_required\": false}", "{}", GR_OK},
        {"{\"exp_required\": false}", "{\"exp\": 1700000000}", GR_ERR_UNAUTHORIZED},
        {"{}", "{\"exp\": 1700009999, \"nbf\": 1700000029}", GR_OK},
        {"{}", "{\"exp\": 1700009999, \"nbf\": 1700001000}", GR_ERR_UNAUTHORIZED},
        {"{\"nbf_checked\": false}", "{\"exp\": 1700009999, \"nbf\": 1700001000}", GR_OK},
        {"{\"nbf_checked\": false}", "{\"nbf\": 1700001000}", GR_ERR_UNAUTHORIZED},
    };

    (void)unused;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct mini_authn *authn = authn_of(cases[i].settings);
        struct gr_account account;
        const char *reason = NULL;

        struct gr_call *call = call_begin();
        gr_str token = token_of(call, "t", "usr.org", cases[i].claims);
        assert_int_equal(mini_authn_check(call, authn, token, &account, &reason), cases[i].err);
        call_end();
        mini_authn_free(&account_self, authn);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wrong_issuers_are_refused),
        cmocka_unit_test(without_issuers_no_token_is_good),
        cmocka_unit_test(an_account_is_what_the_token_says),
        cmocka_unit_test(a_label_holds_no_separator),
        cmocka_unit_test(times_follow_the_hosts_rules_unless_told_otherwise),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
