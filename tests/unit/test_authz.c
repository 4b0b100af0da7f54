/* Who may do what: rules, wildcards, remembered answers, wrong configs. */
#include "auth/authz.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "unit/account_texts.h"

static void records_allow_what_they_name(void **unused)
{
    static const struct {
        const char *account;
        const char *object[3];
        const char *action;
        bool allowed;
    } cases[] = {
        {"admin.usr.org", {"classrooms"}, "create", true},
        {"admin.usr.org", {"classrooms"}, "read", false},
        {"admin.usr.org", {"classrooms", "1"}, "update", true},
        {"admin.usr.org", {"classrooms", "1"}, "download", true},
        {"admin.usr.org", {"classrooms", "1"}, "create", true},
        {"guest.usr.org", {"classrooms"}, "create", false},
        {"admin.usr.org", {"rooms", "1"}, "update", false},
        {"t.usr.org", {"classrooms", "1"}, "read", true},
        {"t.usr.org", {"classrooms", "1"}, "update", false},
        {"t.usr.org", {"classrooms"}, "create", false},
        {"t.usr.com", {"classrooms", "1"}, "read", false},
        {"t.x.usr.org", {"classrooms", "1"}, "read", false},
        {"*.usr.org", {"classrooms"}, "create", false},
        {"", {"classrooms", "1"}, "read", false},
    };
    json_t *records =
        json_pack("[{s:s, s:[s], s:s}, {s:s, s:[s, s], s:s}, {s:s, s:[s, s], s:s},"
                  "{s:s, s:[s]}]",
                  "subject_account_id", "admin.usr.org", "object", "classrooms", "action", "create",
                  "subject_account_id", "admin.usr.org", "object", "classrooms", "*", "action", "*",
                  "subject_account_id", "*.usr.org", "object", "classrooms", "*", "action", "read",
                  "subject_account_id", "guest.usr.org", "object", "classrooms");

    (void)unused;
    assert_non_null(records);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct gr_intent intent = {account_of(cases[i].account), cases[i].object,
                                         cases[i].action};

        assert_int_equal(grc_authz_records_allow(records, &intent), cases[i].allowed);
        assert_false(grc_authz_records_allow(NULL, &intent));
    }
    json_decref(records);
}

/* Counts the upstreams that are made; refuses the ones called "no". */
static bool define(void *arg, const char *name, const json_t *settings)
{
    const char *url = json_string_value(json_object_get(settings, "url"));

    assert_non_null(url);
    assert_non_null(strstr(name, "_authz_"));
    ++*(int *)arg;
    return strcmp(url, "http://no") != 0;
}

static struct gr_authz *authz_of(const char *rules, int64_t cache_ms, int *ret_defined)
{
    json_t *config = json_of(rules);

    *ret_defined = 0;
    struct gr_authz *authz =
        grc_authz_new("test", "me.svc.org", config, cache_ms, NULL, define, ret_defined);
    json_decref(config);
    return authz;
}

static const char *const room[] = {"rooms", "1", NULL};

static void what_is_not_allowed_is_denied(void **unused)
{
    static const struct {
        const char *audience;
        const char *account;
        enum gr_verdict verdict;
    } cases[] = {
        {"open", "a.b", GR_ALLOWED},      {"local", "root.org", GR_ALLOWED},
        {"local", "x.team", GR_ALLOWED},  {"local", "x.y.team", GR_DENIED},
        {"local", "a.org", GR_DENIED},    {"listed", "a.org", GR_ALLOWED},
        {"listed", "b.org", GR_DENIED},   {"asked", "root.org", GR_ALLOWED},
        {"asked", "a.org", GR_UNDECIDED}, {"unknown", "root.org", GR_DENIED},
    };
    int defined;
    struct gr_authz *authz = authz_of(
        "[{\"audience\": \"open\", \"type\": \"none\"},"
        "{\"audience\": \"local\", \"type\": \"local\", \"trusted\": [\"root.org\", \"*.team\"]},"
        "{\"audience\": \"listed\", \"type\": \"localwhitelist\", \"records\": "
        "[{\"subject_account_id\":"
        " \"a.org\", \"object\": [\"rooms\", \"*\"], \"action\": \"read\"}]},"
        "{\"audience\": \"asked\", \"type\": \"http\", \"uri\": \"http://h/a/b\", \"trusted\":"
        " [\"root.org\"], \"max_retries\": 3}]",
        0, &defined);

    (void)unused;
    assert_non_null(authz);
    assert_int_equal(defined, 1);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct gr_intent intent = {account_of(cases[i].account), room, "read"};
        const struct grc_authz_service *service = NULL;

        assert_int_equal(grc_authz_decide(authz, cases[i].audience, &intent, &service),
                         cases[i].verdict);
        assert_int_equal(service != NULL, cases[i].verdict == GR_UNDECIDED);
        if (service) {
            assert_string_equal(service->upstream, "test_authz_3");
            assert_string_equal(service->path, "/a/b");
            assert_int_equal(service->attempts, 3);
        }
    }
    grc_authz_free(authz);
}

static void wrong_rules_are_refused(void **unused)
{
    static const char *const wrong[] = {
        "[{}]",
        "[{\"audience\": \"a\"}]",
        "[{\"audience\": \"a\", \"type\": \"everybody\"}]",
        "[{\"audience\": \"a\", \"type\": \"http\"}]",
        "[{\"audience\": \"a\", \"type\": \"http\", \"uri\": \"h\"}]",
        "[{\"audience\": \"a\", \"type\": \"http\", \"uri\": \"http://h/{x}\"}]",
        "[{\"audience\": \"a\", \"type\": \"http\", \"uri\": \"http://no\"}]",
    };
    int defined;

    (void)unused;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        assert_null(authz_of(wrong[i], 0, &defined));
}

static void answers_are_remembered_for_a_while(void **unused)
{
    static const char *const split_here[] = {"rooms", "1\n4 read", NULL};
    const struct gr_intent intent = {account_of("a.org"), room, "read"};
    const struct gr_intent other = {account_of("a.org"), split_here, "read"};
    unsigned char key[32];
    unsigned char second[32];
    int defined;
    struct gr_authz *authz = authz_of("[]", 100, &defined);

    (void)unused;
    assert_non_null(authz);
    assert_true(grc_authz_key(authz, "aud", &intent, key));
    assert_true(grc_authz_key(authz, "aud", &other, second));
    assert_memory_not_equal(key, second, sizeof(key));
    assert_int_equal(grc_authz_recall(authz, key, 1000), GR_UNDECIDED);
    grc_authz_remember(authz, key, GR_UNDECIDED, 1000);
    assert_int_equal(grc_authz_recall(authz, key, 1000), GR_UNDECIDED);
    grc_authz_remember(authz, key, GR_ALLOWED, 1000);
    assert_int_equal(grc_authz_recall(authz, key, 1099), GR_ALLOWED);
    assert_int_equal(grc_authz_recall(authz, second, 1099), GR_UNDECIDED);
    /* Keys that start alike share a place, and are told apart by their last bit. */
    memcpy(second, key, sizeof(key));
    second[sizeof(key) - 1] ^= 1;
    assert_int_equal(grc_authz_recall(authz, second, 1099), GR_UNDECIDED);
    assert_int_equal(grc_authz_recall(authz, key, 1100), GR_UNDECIDED);
    grc_authz_free(authz);
    authz = authz_of("[]", 0, &defined);
    assert_false(grc_authz_key(authz, "aud", &intent, key));
    grc_authz_free(authz);
}

static void a_service_is_asked_and_understood(void **unused)
{
    const struct gr_intent intent = {account_of("a.usr.org"), room, "read"};
    const struct gr_intent nobody = {account_of("nodot"), room, "read"};
    struct grc_arena arena;
    int defined;
    struct gr_authz *authz = authz_of("[]", 0, &defined);

    (void)unused;
    grc_arena_init(&arena, 65536);
    assert_string_equal(grc_authz_question(authz, &arena, &intent),
                        "{\"subject\":{\"namespace\":\"usr.org\",\"value\":\"a\"},\"object\":"
                        "{\"namespace\":\"me.svc.org\",\"value\":[\"rooms\",\"1\"]},\"action\":"
                        "\"read\"}");
    assert_null(grc_authz_question(authz, &arena, &nobody));
    assert_int_equal(grc_authz_answer(s("[\"write\", \"read\"]"), "read"), GR_ALLOWED);
    assert_int_equal(grc_authz_answer(s("[\"write\"]"), "read"), GR_DENIED);
    assert_int_equal(grc_authz_answer(s("[\"read\", 1]"), "read"), GR_UNDECIDED);
    assert_int_equal(grc_authz_answer(s("{}"), "read"), GR_UNDECIDED);
    assert_int_equal(grc_authz_answer(s(""), "read"), GR_UNDECIDED);
    grc_arena_done(&arena);
    grc_authz_free(authz);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records_allow_what_they_name),
        cmocka_unit_test(what_is_not_allowed_is_denied),
        cmocka_unit_test(wrong_rules_are_refused),
        cmocka_unit_test(answers_are_remembered_for_a_while),
        cmocka_unit_test(a_service_is_asked_and_understood),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
