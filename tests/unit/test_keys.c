/* API keys: the file, the set, and changes of a set in use. */
#include "auth/keys.h"

#include "base/file.h"
#include "base/log.h"
#include "base/secure.h"

#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define NOW INT64_C(1772500000000)
#define HOUR INT64_C(3600000)

static char dir[] = "/tmp/greenroom-keys.XXXXXX";
static char path[64];

/* Reads the keys of the file at path, which have to be valid. */
static struct grc_keys *keys_of_file(void)
{
    char *reason = NULL;
    struct grc_keys *keys = grc_keys_new(path, &reason);

    assert_null(reason);
    assert_non_null(keys);
    return keys;
}

static void clean(void)
{
    static const char *const suffixes[] = {"", ".lock", ".used"};
    char file[96];

    for (size_t i = 0; i < 3; i++) {
        snprintf(file, sizeof(file), "%s%s", path, suffixes[i]);
        (void)unlink(file);
    }
}

static int set_up(void **state)
{
    (void)state;
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof(path), "%s/keys.json", dir);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    clean();
    return rmdir(dir);
}

static const char *const reading[] = {"rooms:read", NULL};
static const char *const one_room[] = {"r1", NULL};

static void add(const char *name, int64_t expires_ms, char text[GRC_KEY_TEXT_MAX])
{
    const struct grc_key_wish wish = {
        .name = name, .scopes = reading, .rooms = one_room, .expires_ms = expires_ms};
    struct grc_key_file file;
    char *reason = NULL;

    assert_true(grc_key_file_open(&file, path, &reason));
    assert_true(grc_key_document_add(file.root, &wish, NOW, text, &reason));
    assert_true(grc_key_file_save(&file, &reason));
    grc_key_file_close(&file);
}

static enum grc_key_verdict check(struct grc_keys *keys, const char *text, int64_t now_ms)
{
    struct grc_key_set *set = NULL;
    const struct grc_api_key *key = NULL;
    enum grc_key_verdict verdict = grc_keys_check(keys, gr_str_of(text), now_ms, &set, &key);

    grc_key_set_unref(set);
    return verdict;
}

static void test_add_and_check(void **state)
{
    struct grc_key_set *set = NULL;
    const struct grc_api_key *key = NULL;
    char text[GRC_KEY_TEXT_MAX];
    char other[GRC_KEY_TEXT_MAX];
    struct stat info;

    (void)state;
    clean();
    add("app", NOW + HOUR, text);
    add("other", 0, other);
    assert_string_not_equal(text, other);
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
    struct grc_keys *keys = keys_of_file();
    assert_non_null(keys);
    assert_int_equal(grc_keys_check(keys, gr_str_of(text), NOW, &set, &key), GRC_KEY_FOUND);
    assert_string_equal(key->caller.id.ptr, "app");
    assert_string_equal(key->caller.provider, "keys");
    assert_true(grc_caller_has(&key->caller, GR_STR("rooms:read")));
    assert_false(grc_caller_has(&key->caller, GR_STR("rooms:write")));
    assert_true(grc_caller_may(&key->caller, "room", GR_STR("r1")));
    assert_false(grc_caller_may(&key->caller, "room", GR_STR("r2")));
    assert_true(grc_caller_may(&key->caller, "role", GR_STR("host")));
    grc_key_set_unref(set);
    assert_int_equal(check(keys, text, NOW + HOUR), GRC_KEY_EXPIRED);
    assert_int_equal(check(keys, other, NOW + 1000 * HOUR), GRC_KEY_FOUND);
    /* The text has the secret of one key and the id of the other. */
    memcpy(text + 3, other + 3, 12);
    assert_int_equal(check(keys, text, NOW), GRC_KEY_UNKNOWN);
    memcpy(text + 3, "000000000000", 12);
    assert_int_equal(check(keys, text, NOW), GRC_KEY_UNKNOWN);
    text[15] = '-';
    assert_int_equal(check(keys, text, NOW), GRC_KEY_MALFORMED);
    assert_int_equal(check(keys, "gr_", NOW), GRC_KEY_MALFORMED);
    assert_int_equal(check(keys, "", NOW), GRC_KEY_MALFORMED);
    grc_keys_free(keys);
}

static void test_revoke_rotate_prune(void **state)
{
    struct grc_key_file file;
    char *reason = NULL;
    char old[GRC_KEY_TEXT_MAX];
    char fresh[GRC_KEY_TEXT_MAX];

    (void)state;
    clean();
    add("app", NOW + 10 * HOUR, old);
    assert_true(grc_key_file_open(&file, path, &reason));
    assert_false(grc_key_document_add(
        file.root, &(struct grc_key_wish){.name = "app", .scopes = reading}, NOW, fresh, &reason));
    assert_non_null(strstr(reason, "exists"));
    free(reason);
    assert_true(grc_key_document_rotate(file.root, "app", HOUR, NOW, fresh, &reason));
    /* Two keys have this name now, because only ids are unique. */
    assert_false(grc_key_document_rotate(file.root, "app", HOUR, NOW, fresh, &reason));
    free(reason);
    assert_true(grc_key_file_save(&file, &reason));
    grc_key_file_close(&file);
    struct grc_keys *keys = keys_of_file();
    assert_int_equal(check(keys, old, NOW), GRC_KEY_FOUND);
    assert_int_equal(check(keys, old, NOW + HOUR), GRC_KEY_EXPIRED);
    assert_int_equal(check(keys, fresh, NOW + 9 * HOUR), GRC_KEY_FOUND);
    assert_int_equal(check(keys, fresh, NOW + 10 * HOUR), GRC_KEY_EXPIRED);
    grc_keys_free(keys);
    assert_true(grc_key_file_open(&file, path, &reason));
    assert_int_equal(grc_key_document_revoke(file.root, "app", NOW), 2);
    assert_int_equal(grc_key_document_revoke(file.root, "app", NOW), 0);
    assert_true(grc_key_file_save(&file, &reason));
    grc_key_file_close(&file);
    keys = keys_of_file();
    assert_int_equal(check(keys, fresh, NOW), GRC_KEY_REVOKED);
    grc_keys_free(keys);
    assert_true(grc_key_file_open(&file, path, &reason));
    assert_int_equal(grc_key_document_prune(file.root, NOW), 2);
    grc_key_file_close(&file);
}

static void test_wishes(void **state)
{
    static const char *const no_scopes[] = {NULL};
    static const char *const bad_scope[] = {"rooms", NULL};
    static const struct grc_key_wish wrong[] = {
        {.name = "", .scopes = reading},    {.name = "a b", .scopes = reading},
        {.name = "--x", .scopes = reading}, {.name = "x", .scopes = no_scopes},
        {.name = "x", .scopes = bad_scope},
    };
    struct grc_key_file file;
    char text[GRC_KEY_TEXT_MAX];
    char *reason = NULL;

    (void)state;
    clean();
    assert_true(grc_key_file_open(&file, path, &reason));
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        assert_false(grc_key_document_add(file.root, &wrong[i], NOW, text, &reason));
        assert_non_null(reason);
        free(reason);
        reason = NULL;
    }
    grc_key_file_close(&file);
}

#define HASH "0123456789012345678901234567890123456789012345678901234567890123"
#define RECORD(more_)                                                                              \
    "{\"version\":1,\"keys\":[{\"id\":\"0123456789ab\",\"name\":\"n\"," more_ "}]}"
#define GOOD RECORD("\"hash\":\"" HASH "\",\"scopes\":[\"*\"]")

static void test_wrong_files(void **state)
{
    static const char *const wrong[] = {
        "",
        "[]",
        "{\"version\":2,\"keys\":[]}",
        "{\"version\":1}",
        "{\"version\":1,\"keys\":[5]}",
        RECORD("\"hash\":\"zz\",\"scopes\":[]"),
        RECORD("\"hash\":\"" HASH "0\",\"scopes\":[]"),
        RECORD("\"hash\":\"" HASH "01\",\"scopes\":[]"),
        RECORD("\"hash\":5,\"scopes\":[]"),
        RECORD("\"hash\":\"" HASH "\""),
        RECORD("\"hash\":\"" HASH "\",\"scopes\":[\"rooms\"]"),
        RECORD("\"hash\":\"" HASH "\",\"scopes\":[5]"),
        RECORD("\"hash\":\"" HASH "\",\"scopes\":[],\"bindings\":[]"),
        RECORD("\"hash\":\"" HASH "\",\"scopes\":[],\"bindings\":{\"room\":\"r\"}"),
        RECORD("\"hash\":\"" HASH "\",\"scopes\":[],\"expires\":\"soon\""),
        RECORD("\"hash\":\"" HASH "\",\"scopes\":[],\"revoked\":5"),
        RECORD("\"hash\":\"" HASH "\",\"scopes\":[]},{\"id\":\"0123456789ab\",\"name\":\"m\","
               "\"hash\":\"" HASH "\",\"scopes\":[]"),
    };
    char *reason = NULL;

    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        assert_null(grc_key_set_parse(gr_str_of(wrong[i]), &reason));
        assert_non_null(reason);
        free(reason);
        reason = NULL;
    }
    struct grc_key_set *set = grc_key_set_parse(GR_STR(GOOD), &reason);
    assert_non_null(set);
    assert_non_null(grc_key_set_find(set, GR_STR("0123456789ab")));
    assert_null(grc_key_set_find(set, GR_STR("0123456789ac")));
    assert_null(grc_key_set_find(set, GR_STR("")));
    grc_key_set_unref(set);
}

static void test_unsafe_file(void **state)
{
    char *reason = NULL;

    (void)state;
    clean();
    assert_true(grc_file_write(path, GR_STR(GOOD), 0620));
    assert_null(grc_keys_new(path, &reason));
    assert_non_null(strstr(reason, "users other than its owner"));
    free(reason);
    assert_true(grc_file_write(path, GR_STR("{"), 0600));
    assert_null(grc_keys_new(path, &reason));
    assert_string_equal(reason, "brackets or quotes do not match");
    free(reason);
}

/* Polls until the set in use has changed. */
static bool becomes(struct grc_keys *keys, const char *text, enum grc_key_verdict wanted)
{
    const struct timespec pause = {.tv_nsec = 10 * 1000000L};

    for (int i = 0; i < 1000; i++) {
        if (check(keys, text, NOW) == wanted)
            return true;
        nanosleep(&pause, NULL);
    }
    return false;
}

static void test_noticed_while_running(void **state)
{
    struct grc_key_file file;
    char *reason = NULL;
    char text[GRC_KEY_TEXT_MAX];

    (void)state;
    clean();
    struct grc_keys *keys = keys_of_file();
    assert_non_null(keys);
    add("late", 0, text);
    assert_true(becomes(keys, text, GRC_KEY_FOUND));
    assert_true(grc_key_file_open(&file, path, &reason));
    assert_int_equal(grc_key_document_revoke(file.root, "late", NOW), 1);
    assert_true(grc_key_file_save(&file, &reason));
    grc_key_file_close(&file);
    assert_true(becomes(keys, text, GRC_KEY_REVOKED));
    /* When the file cannot be read, nothing changes. When it was removed, no key is accepted. */
    assert_int_equal(unlink(path), 0);
    assert_true(becomes(keys, text, GRC_KEY_UNKNOWN));
    grc_keys_free(keys);
}

/* Writes new content of the same length into the file, and sets the time of its last change. */
static void write_in_place(const char *text, time_t changed_s)
{
    const struct timespec times[] = {{.tv_sec = changed_s}, {.tv_sec = changed_s}};
    struct stat info;
    int fd = open(path, O_WRONLY);

    assert_true(fd >= 0);
    assert_int_equal(fstat(fd, &info), 0);
    assert_int_equal(info.st_size, strlen(text));
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    assert_int_equal(futimens(fd, times), 0);
    assert_int_equal(close(fd), 0);
}

/* An editor may keep the inode and the length of a file; then only the times show that it has
 * changed. */
static void test_a_file_changed_in_place_is_noticed(void **state)
{
    char text[GRC_KEY_TEXT_MAX];
    size_t len = 0;
    const char *reason;

    (void)state;
    clean();
    add("app", 0, text);
    char *content = grc_file_read(path, 4096, &len, &reason);
    assert_non_null(content);
    write_in_place(content, NOW / 1000);
    struct grc_keys *keys = keys_of_file();
    assert_non_null(keys);
    char *hash = strstr(content, "\"hash\": \"");
    assert_non_null(hash);
    hash += strlen("\"hash\": \"");
    *hash = *hash == '0' ? '1' : '0';
    write_in_place(content, NOW / 1000 + 1);
    assert_true(becomes(keys, text, GRC_KEY_UNKNOWN));
    grc_keys_free(keys);
    free(content);
}

/* The file cannot be opened, for example for lack of descriptors. The gateway keeps its set and
 * tries again. */
static void test_a_reading_that_failed_is_tried_again(void **state)
{
    struct grc_key_file file;
    struct rlimit limit;
    char *reason = NULL;
    char text[GRC_KEY_TEXT_MAX];

    (void)state;
    clean();
    add("app", 0, text);
    struct grc_keys *keys = keys_of_file();
    assert_non_null(keys);
    assert_true(grc_key_file_open(&file, path, &reason));
    assert_int_equal(grc_key_document_revoke(file.root, "app", NOW), 1);
    assert_true(grc_key_file_save(&file, &reason));
    grc_key_file_close(&file);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    const struct rlimit none = {.rlim_cur = 0, .rlim_max = limit.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    assert_int_equal(check(keys, text, NOW), GRC_KEY_FOUND); /* the first check reads immediately */
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    assert_true(becomes(keys, text, GRC_KEY_REVOKED));
    grc_keys_free(keys);
}

static void test_last_use(void **state)
{
    char text[GRC_KEY_TEXT_MAX];
    char *reason = NULL;
    struct grc_key_file file;

    (void)state;
    clean();
    add("app", 0, text);
    struct grc_keys *keys = keys_of_file();
    assert_int_equal(check(keys, text, NOW), GRC_KEY_FOUND);
    grc_keys_free(keys);
    /* Another gateway with the same file has noted an earlier use. The later time is kept. */
    keys = keys_of_file();
    assert_int_equal(check(keys, text, NOW - HOUR), GRC_KEY_FOUND);
    grc_keys_free(keys);
    assert_true(grc_key_file_open(&file, path, &reason));
    grc_key_file_close(&file);
    keys = keys_of_file();
    struct grc_key_set *set = NULL;
    const struct grc_api_key *key = NULL;
    assert_int_equal(grc_keys_check(keys, gr_str_of(text), NOW - 2 * HOUR, &set, &key),
                     GRC_KEY_FOUND);
    grc_key_set_unref(set);
    grc_keys_free(keys);
    char used[96];
    size_t len = 0;
    const char *why;
    snprintf(used, sizeof(used), "%s.used", path);
    char *content = grc_file_read(used, 4096, &len, &why);
    assert_non_null(content);
    assert_non_null(strstr(content, "2026-03-03T"));
    free(content);
}

/* The file cannot be written, as in a directory that is mounted read-only. The gateway tries again,
 * and logs this once. */
static void test_last_use_that_cannot_be_written(void **state)
{
    char text[GRC_KEY_TEXT_MAX];
    char beside[sizeof(path) + 8];
    char log[4096] = "";
    int ends[2];

    (void)state;
    clean();
    add("app", 0, text);
    snprintf(beside, sizeof(beside), "%s.used", path);
    assert_int_equal(mkdir(beside, 0700), 0);
    struct grc_keys *keys = keys_of_file();
    assert_int_equal(pipe2(ends, O_NONBLOCK), 0);
    grc_log_fd_set(ends[1]);
    for (int i = 1; i <= 3; i++) {
        assert_int_equal(check(keys, text, NOW), GRC_KEY_FOUND);
        grc_keys_note_use(keys, NOW * 2 + i * INT64_C(120000));
    }
    grc_log_fd_set(STDERR_FILENO);
    assert_true(read(ends[0], log, sizeof(log) - 1) > 0);
    close(ends[0]);
    close(ends[1]);
    const char *line = strstr(log, "the last use of keys cannot be written");
    assert_non_null(line);
    assert_null(strstr(line + 1, "the last use of keys cannot be written"));
    grc_keys_free(keys);
    assert_int_equal(rmdir(beside), 0);
}

/* --- many threads, one file that changes --- */

struct user {
    struct grc_keys *keys;
    const char *text;
    int wrong;
};

static atomic_bool enough;

static void *use(void *arg)
{
    struct user *user = arg;

    while (!atomic_load(&enough))
        user->wrong += check(user->keys, user->text, NOW) != GRC_KEY_FOUND;
    return NULL;
}

static void test_threads(void **state)
{
    char text[GRC_KEY_TEXT_MAX];
    char other[GRC_KEY_TEXT_MAX];
    char name[16];
    struct user users[4];
    pthread_t threads[4];

    (void)state;
    clean();
    add("app", 0, text);
    struct grc_keys *keys = keys_of_file();
    for (size_t i = 0; i < 4; i++) {
        users[i] = (struct user){.keys = keys, .text = text};
        assert_int_equal(pthread_create(&threads[i], NULL, use, &users[i]), 0);
    }
    for (int i = 0; i < 3; i++) {
        snprintf(name, sizeof(name), "k%d", i);
        add(name, 0, other);
        assert_true(becomes(keys, other, GRC_KEY_FOUND));
        grc_keys_note_use(keys, NOW * 2 + i * INT64_C(120000));
    }
    atomic_store(&enough, true);
    for (size_t i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(users[i].wrong, 0);
    }
    grc_keys_free(keys);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_add_and_check),
        cmocka_unit_test(test_revoke_rotate_prune),
        cmocka_unit_test(test_wishes),
        cmocka_unit_test(test_wrong_files),
        cmocka_unit_test(test_unsafe_file),
        cmocka_unit_test(test_noticed_while_running),
        cmocka_unit_test(test_a_file_changed_in_place_is_noticed),
        cmocka_unit_test(test_a_reading_that_failed_is_tried_again),
        cmocka_unit_test(test_last_use),
        cmocka_unit_test(test_last_use_that_cannot_be_written),
        cmocka_unit_test(test_threads),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
