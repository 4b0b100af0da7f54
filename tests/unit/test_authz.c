/* What an account may do: rules, wildcards, answers that are kept, and wrong configs. */
#include "../../plugins/minigroups/account/authz.h"

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
        const struct mini_intent intent = {account_of(cases[i].account), cases[i].object,
                                           cases[i].action};

        assert_int_equal(mini_authz_records_allow(records, &intent), cases[i].allowed);
        assert_false(mini_authz_records_allow(NULL, &intent));
    }
    json_decref(records);
}

static int defined; /* the number of upstreams that were made */

/* Refuses the upstreams with the URL "http://no". */
static enum gr_err define(struct gr_self *self, const char *name, const json_t *settings)
{
    const char *url = json_string_value(json_object_get(settings, "url"));

    (void)self;
    assert_non_null(url);
    assert_non_null(strstr(name, "_authz_"));
    defined++;
    return strcmp(url, "http://no") != 0 ? GR_OK : GR_ERR_INVALID;
}

static struct mini_authz *authz_of(const char *rules, int64_t cache_ms)
{
    static struct gr_host host;
    json_t *config = json_of(rules);

    host = grc_host;
    host.upstream_define = define;
    account_self.host = &host;
    defined = 0;
    struct mini_authz *authz = mini_authz_new(&account_self, "me.svc.org", config, cache_ms, NULL);
    json_decref(config);
    return authz;
}

static const char *const room[] = {"rooms", "1", NULL};

static void what_is_not_allowed_is_denied(void **unused)
{
    static const struct {
        const char *audience;
        const char *account;
        enum mini_verdict verdict;
    } cases[] = {
        {"open", "a.b", MINI_ALLOWED},      {"local", "root.org", MINI_ALLOWED},
        {"local", "x.team", MINI_ALLOWED},  {"local", "x.y.team", MINI_DENIED},
        {"local", "a.org", MINI_DENIED},    {"listed", "a.org", MINI_ALLOWED},
        {"listed", "b.org", MINI_DENIED},   {"asked", "root.org", MINI_ALLOWED},
        {"asked", "a.org", MINI_UNDECIDED}, {"unknown", "root.org", MINI_DENIED},
    };
    struct mini_authz *authz = authz_of(
        "[{\"audience\": \"open\", \"type\": \"none\"},"
        "{\"audience\": \"local\", \"type\": \"local\", \"trusted\": [\"root.org\", \"*.team\"]},"
        "{\"audience\": \"listed\", \"type\": \"localwhitelist\", \"records\": "
        "[{\"subject_account_id\":"
        " \"a.org\", \"object\": [\"rooms\", \"*\"], \"action\": \"read\"}]},"
        "{\"audience\": \"asked\", \"type\": \"http\", \"uri\": \"http://h/a/b\", \"trusted\":"
        " [\"root.org\"], \"max_retries\": 3}]",
        0);

    (void)unused;
    assert_non_null(authz);
    assert_int_equal(defined, 1);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct mini_intent intent = {account_of(cases[i].account), room, "read"};
        const struct mini_authz_service *service = NULL;

        assert_int_equal(mini_authz_decide(authz, cases[i].audience, &intent, &service),
                         cases[i].verdict);
        assert_int_equal(service != NULL, cases[i].verdict == MINI_UNDECIDED);
        if (service) {
            assert_string_equal(service->upstream, "test_authz_3");
            assert_string_equal(service->path, "/a/b");
            assert_int_equal(service->attempts, 3);
        }
    }
    mini_authz_free(authz);
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

    (void)unused;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        assert_null(authz_of(wrong[i], 0));
}

static void answers_are_remembered_for_a_while(void **unused)
{
    static const char *const split_here[] = {"rooms", "1\n4 read", NULL};
    const struct mini_intent intent = {account_of("a.org"), room, "read"};
    const struct mini_intent other = {account_of("a.org"), split_here, "read"};
    unsigned char key[32];
    struct gr_call *call = call_begin();
    unsigned char second[32];
    struct mini_authz *authz = authz_of("[]", 100);

    (void)unused;
    assert_non_null(authz);
    assert_true(mini_authz_key(call, authz, "aud", &intent, key));
    assert_true(mini_authz_key(call, authz, "aud", &other, second));
    assert_memory_not_equal(key, second, sizeof(key));
    assert_int_equal(mini_authz_recall(authz, key, 1000), MINI_UNDECIDED);
    mini_authz_remember(authz, key, MINI_UNDECIDED, 1000);
    assert_int_equal(mini_authz_recall(authz, key, 1000), MINI_UNDECIDED);
    mini_authz_remember(authz, key, MINI_ALLOWED, 1000);
    assert_int_equal(mini_authz_recall(authz, key, 1099), MINI_ALLOWED);
    assert_int_equal(mini_authz_recall(authz, second, 1099), MINI_UNDECIDED);
    /* Keys that begin with the same bits have the same place in the table, and differ in their last
     * bit only. */
    memcpy(second, key, sizeof(key));
    second[sizeof(key) - 1] ^= 1;
    assert_int_equal(mini_authz_recall(authz, second, 1099), MINI_UNDECIDED);
    assert_int_equal(mini_authz_recall(authz, key, 1100), MINI_UNDECIDED);
    mini_authz_free(authz);
    authz = authz_of("[]", 0);
    assert_false(mini_authz_key(call, authz, "aud", &intent, key));
    mini_authz_free(authz);
    call_end();
}

static void a_service_is_asked_and_understood(void **unused)
{
    const struct mini_intent intent = {account_of("a.usr.org"), room, "read"};
    const struct mini_intent nobody = {account_of("nodot"), room, "read"};
    struct mini_authz *authz = authz_of("[]", 0);

    (void)unused;
    struct gr_call *call = call_begin();
    assert_string_equal(mini_authz_question(call, authz, &intent).ptr,
                        "{\"subject\":{\"namespace\":\"usr.org\",\"value\":\"a\"},\"object\":"
                        "{\"namespace\":\"me.svc.org\",\"value\":[\"rooms\",\"1\"]},\"action\":"
                        "\"read\"}");
    assert_int_equal(mini_authz_question(call, authz, &nobody).len, 0);
    assert_int_equal(mini_authz_answer(call, s("[\"write\", \"read\"]"), "read"), MINI_ALLOWED);
    assert_int_equal(mini_authz_answer(call, s("[\"write\"]"), "read"), MINI_DENIED);
    assert_int_equal(mini_authz_answer(call, s("[\"read\", 1]"), "read"), MINI_UNDECIDED);
    assert_int_equal(mini_authz_answer(call, s("{}"), "read"), MINI_UNDECIDED);
    assert_int_equal(mini_authz_answer(call, s(""), "read"), MINI_UNDECIDED);
    call_end();
    mini_authz_free(authz);
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
