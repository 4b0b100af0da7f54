/* base/secret_file.h */
#include "base/secret_file.h"

#include "base/secure.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* cmocka.h needs these before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static char dir[64];
static char path[96];

static int setup(void **state)
{
    (void)state;
    snprintf(dir, sizeof(dir), "/tmp/secret_file.XXXXXX");
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof(path), "%s/state/a.secret", dir);
    return 0;
}

static int teardown(void **state)
{
    char state_dir[80];

    (void)state;
    snprintf(state_dir, sizeof(state_dir), "%s/state", dir);
    unlink(path);
    rmdir(state_dir);
    return rmdir(dir); /* fails when a temporary file was left behind */
}

static void write_file(const char *text, size_t len, unsigned mode)
{
    char state_dir[80];

    snprintf(state_dir, sizeof(state_dir), "%s/state", dir);
    mkdir(state_dir, 0700);
    unlink(path);
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, len), len);
    assert_int_equal(fchmod(fd, (mode_t)mode), 0);
    close(fd);
}

static void it_is_made_once_and_read_again(void **state)
{
    const char *reason = NULL;
    struct stat info;
    bool made = false;

    (void)state;
    char *first = grc_secret_file(path, &made, &reason);
    assert_non_null(first);
    assert_true(made);
    assert_int_equal(strlen(first), 64);
    assert_int_equal(strspn(first, "0123456789abcdef"), 64);
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 07777, 0600);
    char *second = grc_secret_file(path, &made, &reason);
    assert_non_null(second);
    assert_false(made);
    assert_string_equal(first, second);
    grc_wipe_free(first);
    grc_wipe_free(second);
}

static void an_operators_own_is_taken_without_its_line_end(void **state)
{
    const char *reason = NULL;
    bool made = true;

    (void)state;
    write_file("of their own\r\n", 14, 0400);
    char *text = grc_secret_file(path, &made, &reason);
    assert_non_null(text);
    assert_false(made);
    assert_string_equal(text, "of their own");
    grc_wipe_free(text);
}

/* Another user may have made the link, and the owner of the file that it names is not checked. */
static void a_link_is_refused(void **state)
{
    const char *reason = "";
    char other[96];
    bool made;

    (void)state;
    write_file("of their own\n", 13, 0600);
    snprintf(other, sizeof(other), "%s/other", dir);
    assert_int_equal(rename(path, other), 0);
    assert_int_equal(symlink(other, path), 0);
    assert_null(grc_secret_file(path, &made, &reason));
    assert_string_equal(reason, "not a regular file");
    assert_int_equal(unlink(other), 0);
}

static void what_is_no_secret_is_refused(void **state)
{
    static const struct {
        const char *text;
        size_t len;
        unsigned mode;
        const char *reason;
    } cases[] = {
        {"abc\n", 4, 0640, "mode 0600"}, {"abc\n", 4, 0604, "mode 0600"}, {"\n", 1, 0600, "empty"},
        {"", 0, 0600, "empty"},          {"a\0b", 3, 0600, "NUL"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const char *reason = "";
        bool made;

        write_file(cases[i].text, cases[i].len, cases[i].mode);
        assert_null(grc_secret_file(path, &made, &reason));
        assert_non_null(strstr(reason, cases[i].reason));
    }
}

static void *take(void *arg)
{
    const char *reason;
    bool made = false;

    (void)arg;
    char *text = grc_secret_file(path, &made, &reason);
    /* The first character tells which thread made it. */
    if (text && made)
        text[0] = 'M';
    return text;
}

static void of_many_at_once_one_makes_it(void **state)
{
    pthread_t threads[16];
    char *texts[16];
    size_t makers = 0;

    (void)state;
    for (size_t i = 0; i < 16; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, take, NULL), 0);
    for (size_t i = 0; i < 16; i++) {
        void *text = NULL;

        assert_int_equal(pthread_join(threads[i], &text), 0);
        assert_non_null(text);
        texts[i] = text;
        makers += texts[i][0] == 'M';
    }
    assert_int_equal(makers, 1);
    for (size_t i = 0; i < 16; i++) {
        assert_string_equal(texts[i] + 1, texts[0] + 1);
        assert_int_equal(strlen(texts[i]), 64);
    }
    for (size_t i = 0; i < 16; i++)
        grc_wipe_free(texts[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(it_is_made_once_and_read_again, setup, teardown),
        cmocka_unit_test_setup_teardown(an_operators_own_is_taken_without_its_line_end, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_link_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_no_secret_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(of_many_at_once_one_makes_it, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
