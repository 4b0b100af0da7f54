/* The parts of the minigroups group that need no host: ids, property names, status, segments. */
#include "../../plugins/minigroups/base/ids.h"
#include "../../plugins/minigroups/lifecycle/segments.h"
#include "../../plugins/minigroups/lifecycle/status.h"
#include "../../plugins/minigroups/route/property_names.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

static gr_str s(const char *text)
{
    return gr_str_of(text);
}

/* --- ids --- */

static void accounts_split_at_the_first_dot(void **unused)
{
    struct gr_account account;

    (void)unused;
    assert_true(mini_account_parse(s("t-17.usr.example.org"), &account));
    assert_true(gr_str_eq(account.label, s("t-17")));
    assert_true(gr_str_eq(account.audience, s("usr.example.org")));
    assert_false(mini_account_parse(s(""), &account));
    assert_false(mini_account_parse(s("nodot"), &account));
    assert_false(mini_account_parse(s(".org"), &account));
    assert_false(mini_account_parse(s("a."), &account));
}

static void agents_hold_an_account(void **unused)
{
    gr_str account;

    (void)unused;
    assert_true(mini_agent_account(s("web.t-17.usr.example.org"), &account));
    assert_true(gr_str_eq(account, s("t-17.usr.example.org")));
    assert_false(mini_agent_account(s("t-17.org"), &account));
    assert_false(mini_agent_account(s(".t.org"), &account));
    assert_false(mini_agent_account(s("web..org"), &account));
}

static void accounts_are_compared_as_pairs(void **unused)
{
    const struct gr_account account = {GR_STR("conference"), GR_STR("svc.example.org")};
    const struct gr_account posing = {GR_STR("conference.svc"), GR_STR("example.org")};

    (void)unused;
    assert_true(mini_account_is(&account, "conference.svc.example.org"));
    assert_false(mini_account_is(&posing, "conference.svc.example.org"));
    assert_false(mini_account_is(&account, "Conference.svc.example.org"));
    assert_false(mini_account_is(&account, "conference"));
    assert_false(mini_account_is(&account, ""));
    assert_false(mini_account_is(&account, NULL));
}

static void a_host_is_known_by_agent_or_account(void **unused)
{
    (void)unused;
    assert_true(mini_is_host(s("web.t.usr.org"), s("web.t.usr.org")));
    assert_true(mini_is_host(s("t.usr.org"), s("web.t.usr.org")));
    assert_false(mini_is_host(s("usr.org"), s("web.t.usr.org")));
    assert_false(mini_is_host(s("tab.t.usr.org"), s("web.t.usr.org")));
    assert_false(mini_is_host(s(""), s("web.t.usr.org")));
}

static void uuids_become_lower_case(void **unused)
{
    char id[MINI_UUID_SIZE];

    (void)unused;
    assert_true(mini_uuid_parse(s("5B0C9F52-6d0e-4d6e-9a51-3f5f2c1f7a10"), id));
    assert_string_equal(id, "5b0c9f52-6d0e-4d6e-9a51-3f5f2c1f7a10");
    assert_false(mini_uuid_parse(s("5b0c9f526d0e4d6e9a513f5f2c1f7a10"), id));
    assert_false(mini_uuid_parse(s("5b0c9f52-6d0e-4d6e-9a51-3f5f2c1f7a1g"), id));
    assert_false(mini_uuid_parse(s("5b0c9f52-6d0e-4d6e-9a51-3f5f2c1f7a100"), id));
    assert_false(mini_uuid_parse(s("5b0c9f52+6d0e-4d6e-9a51-3f5f2c1f7a10"), id));
}

static void an_audience_ends_at_a_colon(void **unused)
{
    (void)unused;
    assert_true(gr_str_eq(mini_audience_root(s("svc.org:school")), s("svc.org")));
    assert_true(gr_str_eq(mini_audience_root(s("svc.org")), s("svc.org")));
}

/* --- property names --- */

#define PAIR(name_, value_)                                                                        \
    {                                                                                              \
        {(name_), sizeof(name_) - 1},                                                              \
        {                                                                                          \
            (value_), sizeof(value_) - 1                                                           \
        }                                                                                          \
    }
#define PAIRS_MAX 4

struct keys_case {
    struct gr_pair query[PAIRS_MAX];
    bool good;
    const char *names[PAIRS_MAX];
};

static const struct keys_case keys_cases[] = {
    {{PAIR("x", "1")}, true, {NULL}},
    {{PAIR("k[]", "a"), PAIR("k[]", "b")}, true, {"a", "b"}},
    {{PAIR("k[1]", "b"), PAIR("k[0]", "a"), PAIR("k[9]", "z")}, true, {"a", "b", "z"}},
    {{PAIR("k", "")}, true, {NULL}},
    {{PAIR("k", "a")}, false, {NULL}},
    {{PAIR("k[]", "a"), PAIR("k[0]", "b")}, false, {NULL}},
    {{PAIR("k[x]", "a")}, false, {NULL}},
    {{PAIR("k[0]", "a"), PAIR("k[0]", "a")}, false, {NULL}},
    {{PAIR("k[0][1]", "a")}, false, {NULL}},
    {{PAIR("k[", "a")}, false, {NULL}},
    {{PAIR("k[99999999999999999999]", "a")}, false, {NULL}},
    {{PAIR("keys[]", "a"), PAIR("k[]", "b")}, true, {"b"}},
    {{PAIR("k[]", "")}, true, {""}},
};

static bool has_name(const struct mini_property_names *keys, const char *name)
{
    for (size_t i = 0; i < keys->count; i++) {
        if (gr_str_eq(keys->names[i], s(name)))
            return true;
    }
    return false;
}

static void lists_of_keys_have_two_forms(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < sizeof(keys_cases) / sizeof(keys_cases[0]); i++) {
        const struct keys_case *c = &keys_cases[i];
        gr_str names[PAIRS_MAX];
        uint64_t indexes[PAIRS_MAX];
        struct mini_property_names keys = {names, indexes, 0};
        size_t count = 0;

        while (count < PAIRS_MAX && c->query[count].name.ptr)
            count++;
        assert_int_equal(mini_property_names_parse(c->query, count, "k", &keys), c->good);
        for (size_t j = 0; c->good && j < PAIRS_MAX && c->names[j]; j++)
            assert_true(has_name(&keys, c->names[j]));
        if (c->good && !c->names[0])
            assert_int_equal(keys.count, 0);
    }
}

/* --- status --- */

static void status_follows_end_and_first_recording(void **unused)
{
    struct mini_life life = {.has_end = false};

    (void)unused;
    assert_int_equal(mini_status_of(&life, 100), MINI_REAL_TIME);
    life = (struct mini_life){.has_end = true, .end_ms = 101};
    assert_int_equal(mini_status_of(&life, 100), MINI_REAL_TIME);
    assert_int_equal(mini_status_of(&life, 101), MINI_CLOSED);
    life.recorded = true; /* from here on the end of the class does not matter */
    assert_int_equal(mini_status_of(&life, 0), MINI_FINISHED);
    life.adjusted = true;
    assert_int_equal(mini_status_of(&life, 0), MINI_ADJUSTED);
    life.transcoded = true;
    assert_int_equal(mini_status_of(&life, 0), MINI_TRANSCODED);
    life.adjusted = false;
    assert_int_equal(mini_status_of(&life, 0), MINI_TRANSCODED);
    for (int status = 0; status < MINI_STATUS_COUNT; status++)
        assert_non_null(mini_status_name((enum mini_status)status));
}

/* One column for each status, then what a repeated message does, in which statuses and because of
 * which fact. */
static const char *const first_cells[MINI_MESSAGE_COUNT] = {
    /* real-time, closed, finished, adjusted, transcoded: Apply, Ignore, Refuse */
    [MINI_ROOM_CLOSE] = "AAAAA",       [MINI_ROOM_UPLOAD] = "AAAAA",
    [MINI_TASK_CONVERTED] = "IIAAA",   [MINI_ROOM_ADJUST] = "RRAAA",
    [MINI_ROOM_DUMP_EVENTS] = "IIAAA", [MINI_TASK_TRANSCODED] = "RRAAI",
    [MINI_EDITION_COMMIT] = "RRRAA",
};
/* The same message once more, after everything it asks for was done. */
static const char *const repeat_cells[MINI_MESSAGE_COUNT] = {
    [MINI_ROOM_CLOSE] = "IIIII",       [MINI_ROOM_UPLOAD] = "AAAAA",
    [MINI_TASK_CONVERTED] = "IIIII",   [MINI_ROOM_ADJUST] = "RRIII",
    [MINI_ROOM_DUMP_EVENTS] = "IIAAA", [MINI_TASK_TRANSCODED] = "RRAAI",
    [MINI_EDITION_COMMIT] = "RRRII",
};

static char letter(enum mini_decision decision)
{
    return decision == MINI_APPLY ? 'A' : decision == MINI_REFUSE ? 'R' : 'I';
}

static void every_message_has_a_meaning_in_every_status(void **unused)
{
    (void)unused;
    for (int message = 0; message < MINI_MESSAGE_COUNT; message++) {
        for (int status = 0; status < MINI_STATUS_COUNT; status++) {
            const struct mini_facts first = {.status = (enum mini_status)status,
                                             .unadjusted = true};

            assert_int_equal(letter(mini_decide((enum mini_message)message, &first)),
                             first_cells[message][status]);
        }
    }
}

static void a_repeated_message_changes_nothing(void **unused)
{
    (void)unused;
    for (int message = 0; message < MINI_MESSAGE_COUNT; message++) {
        for (int status = 0; status < MINI_STATUS_COUNT; status++) {
            /* the transcode task comes back: nothing is under way any more */
            const struct mini_facts again = {.status = (enum mini_status)status,
                                             .stopped = true,
                                             .same_rooms = true,
                                             .transcoding = message != MINI_TASK_TRANSCODED};

            assert_int_equal(letter(mini_decide((enum mini_message)message, &again)),
                             repeat_cells[message][status]);
        }
    }
}

static void unfinished_work_is_taken_up_again(void **unused)
{
    /* adjusted, but the transcode task was never taken: the same message tries again */
    struct mini_facts facts = {.status = MINI_ADJUSTED, .same_rooms = true};

    (void)unused;
    assert_int_equal(mini_decide(MINI_ROOM_ADJUST, &facts), MINI_APPLY);
    assert_int_equal(mini_decide(MINI_EDITION_COMMIT, &facts), MINI_APPLY);
    /* it was transcoded before, and is transcoded again after a restart */
    facts = (struct mini_facts){.status = MINI_TRANSCODED, .transcoding = true};
    assert_int_equal(mini_decide(MINI_TASK_TRANSCODED, &facts), MINI_APPLY);
    /* another edition of a transcoded class */
    facts = (struct mini_facts){.status = MINI_TRANSCODED};
    assert_int_equal(mini_decide(MINI_EDITION_COMMIT, &facts), MINI_APPLY);
}

/* --- segments --- */

static void check_json(json_t *have, const char *want)
{
    json_t *expected = json_loads(want, JSON_DECODE_ANY, NULL);

    assert_non_null(expected);
    assert_true(json_equal(have, expected));
    json_decref(have);
    json_decref(expected);
}

static void converted_segments_are_relative(void **unused)
{
    int64_t started = 0;

    (void)unused;
    check_json(mini_segments_parse(s("1772442007123,1500.0\n1772443807123,1200.5"), &started),
               "[[0,1500000],[1800000,3000500]]");
    assert_int_equal(started, 1772442007123);
    check_json(mini_segments_parse(s("5,1\n"), &started), "[[0,1000]]"); /* trailing line feed */
    assert_int_equal(started, 5);
}

static void unreadable_segments_are_told_apart(void **unused)
{
    static const char *const texts[] = {"",
                                        "\n",
                                        "1",
                                        "1,",
                                        ",1",
                                        "a,1",
                                        "1,b",
                                        "1,1,1",
                                        "1,1\n\n",
                                        "1,inf",
                                        "1,nan",
                                        "1,0x10",
                                        "1,1e5",
                                        "-1,1",
                                        "1,-1",
                                        "99999999999999999999,1",
                                        "9223372036854775807,1",
                                        "253402300800000,1",
                                        "1,99999999999"};
    int64_t started = 7;

    (void)unused;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        assert_null(mini_segments_parse(s(texts[i]), &started));
    assert_int_equal(started, 7);
}

static void segments_have_a_shape(void **unused)
{
    static const struct {
        const char *text;
        bool valid;
    } cases[] = {{"[]", true},
                 {"[[0,1],[2,2]]", true},
                 {"[[1,0]]", false},
                 {"[[0]]", false},
                 {"[[0,1.5]]", false},
                 {"[[-1,1]]", false},
                 {"{}", false},
                 {"null", false},
                 {"[[0,1000000000000]]", true},
                 {"[[0,1000000000001]]", false},
                 {"[[0,9223372036854775807]]", false}};

    (void)unused;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        json_t *json = json_loads(cases[i].text, JSON_DECODE_ANY, NULL);

        assert_int_equal(mini_segments_valid(json), cases[i].valid);
        json_decref(json);
    }
    assert_int_equal(mini_segments_end(NULL), 0);
}

static void times_that_cannot_be_are_passed_over(void **unused)
{
    json_t *snapshots = json_pack("[{s:s, s:b, s:I}, {s:s, s:b, s:I}]", "rtc_id", "r", "send_audio",
                                  0, "created_at", (json_int_t)INT64_MIN, "rtc_id", "r",
                                  "send_audio", 0, "created_at", (json_int_t)INT64_MAX);
    json_t *start = json_integer(INT64_MAX);

    (void)unused;
    assert_non_null(snapshots);
    check_json(mini_segments_muted(snapshots, "r", "send_audio", 1000, 2000), "[]");
    assert_false(mini_segments_start_valid(start));
    json_integer_set(start, 1772442007123);
    assert_true(mini_segments_start_valid(start));
    json_decref(start);
    json_decref(snapshots);
}

static void pins_follow_the_agent(void **unused)
{
    json_t *events = json_pack(
        "[{s:I,s:{s:s}}, {s:I,s:{s:s}}, {s:I,s:{s:s}}, {s:I,s:{s:n}}, {s:I,s:{s:s}}]",
        "occurred_at", (json_int_t)1000000000, "data", "agent_id", "web.a.org",  /* 1 s: a opens */
        "occurred_at", (json_int_t)2000000000, "data", "agent_id", "web.a.org",  /* still open */
        "occurred_at", (json_int_t)3000000000, "data", "agent_id", "web.b.org",  /* closes */
        "occurred_at", (json_int_t)4000000000, "data", "agent_id",               /* unpinned */
        "occurred_at", (json_int_t)5000000000, "data", "agent_id", "web.a.org"); /* until the end */

    (void)unused;
    assert_non_null(events);
    check_json(mini_segments_pinned(events, "web.a.org", 0, 9000), "[[1000,3000],[5000,9000]]");
    check_json(mini_segments_pinned(events, "web.b.org", 0, 9000), "[[3000,4000]]");
    /* what lies before the stream's start or after its end is left out */
    check_json(mini_segments_pinned(events, "web.a.org", 1500, 9000), "[[3500,9000]]");
    check_json(mini_segments_pinned(events, "web.a.org", 0, 4500), "[[1000,3000]]");
    check_json(mini_segments_pinned(NULL, "web.a.org", 0, 9000), "[]");
    json_decref(events);
}

static void mutes_last_until_the_flag_returns(void **unused)
{
    json_t *snapshots =
        json_pack("[{s:s,s:b,s:n,s:I}, {s:s,s:n,s:b,s:I}, {s:s,s:b,s:n,s:I}, {s:s,s:b,s:n,s:I},"
                  " {s:s,s:b,s:n,s:I}]",
                  "rtc_id", "r", "send_video", 0, "send_audio", "created_at", (json_int_t)2000,
                  "rtc_id", "r", "send_video", "send_audio", 0, "created_at", (json_int_t)2500,
                  "rtc_id", "r", "send_video", 1, "send_audio", "created_at", (json_int_t)3000,
                  "rtc_id", "other", "send_video", 0, "send_audio", "created_at", (json_int_t)3500,
                  "rtc_id", "r", "send_video", 0, "send_audio", "created_at", (json_int_t)900);

    (void)unused;
    assert_non_null(snapshots);
    check_json(mini_segments_muted(snapshots, "r", "send_video", 1000, 9000), "[[1000,2000]]");
    check_json(mini_segments_muted(snapshots, "r", "send_audio", 1000, 9000), "[[1500,9000]]");
    check_json(mini_segments_muted(NULL, "r", "send_audio", 1000, 9000), "[]");
    json_decref(snapshots);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(accounts_split_at_the_first_dot),
        cmocka_unit_test(agents_hold_an_account),
        cmocka_unit_test(accounts_are_compared_as_pairs),
        cmocka_unit_test(a_host_is_known_by_agent_or_account),
        cmocka_unit_test(uuids_become_lower_case),
        cmocka_unit_test(an_audience_ends_at_a_colon),
        cmocka_unit_test(lists_of_keys_have_two_forms),
        cmocka_unit_test(status_follows_end_and_first_recording),
        cmocka_unit_test(every_message_has_a_meaning_in_every_status),
        cmocka_unit_test(a_repeated_message_changes_nothing),
        cmocka_unit_test(unfinished_work_is_taken_up_again),
        cmocka_unit_test(converted_segments_are_relative),
        cmocka_unit_test(unreadable_segments_are_told_apart),
        cmocka_unit_test(segments_have_a_shape),
        cmocka_unit_test(times_that_cannot_be_are_passed_over),
        cmocka_unit_test(pins_follow_the_agent),
        cmocka_unit_test(mutes_last_until_the_flag_returns),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
