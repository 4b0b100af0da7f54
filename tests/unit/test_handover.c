/* The config as it is passed to the process of one group. */
#include "config/handover.h"
#include "unit/config_dir.h"

#include <setjmp.h>
#include <stdlib.h>

#include <cmocka.h>

#define MAX_BYTES ((size_t)1024 * 1024)

static int set_up(void **state)
{
    static struct config_dir dir;

    config_dir_make(&dir);
    config_dir_write(
        &dir, "greenroom.json",
        "{\"credentials\": {\"api\": {\"kind\": \"bearer\", \"secret\": \"${GR_TEST_API}\"},"
        " \"more\": {\"kind\": \"bearer\", \"secret\": {\"file\": \"secret\"}}},"
        " \"upstreams\": {\"api\": {\"url\": \"http://x\", \"credential\": \"api\"},"
        " \"more\": {\"url\": \"http://y\", \"credential\": \"more\"}}}",
        0600);
    config_dir_write(&dir, "secret", "of the file\n", 0600);
    config_dir_write(
        &dir, "plugins.d/rooms.json",
        "{\"isolation\": \"process\", \"process\": {\"threads\": 3}, \"prefix\": \"/v1\"}", 0600);
    config_dir_write(&dir, "plugins.d/token.json", "{\"config\": {\"secret\": \"two's own\"}}",
                     0600);
    setenv("GR_TEST_API", "of the environment", 1);
    *state = &dir;
    return 0;
}

static int tear_down(void **state)
{
    grc_handover_end();
    config_dir_remove(*state);
    unsetenv("GR_TEST_API");
    return 0;
}

static void write_for(struct config_dir *dir, const char *group, struct grc_buf *out)
{
    struct grc_settings *settings = grc_settings_load(dir->path, config_dir_report, dir);

    assert_non_null(settings);
    assert_int_equal(settings->plugin_count, 2);
    assert_true(settings->plugins[0].isolated);
    assert_int_equal(settings->plugins[0].library_fd, 0);
    grc_buf_init(out, MAX_BYTES);
    assert_int_equal(grc_handover_write(settings->handover, dir->path, group, out), GR_OK);
    grc_settings_free(settings);
}

static bool holds(const struct grc_buf *bytes, const char *text)
{
    return memmem(bytes->ptr, bytes->len, text, strlen(text)) != NULL;
}

static void test_the_other_side_needs_no_file_and_no_variable(void **state)
{
    struct config_dir *dir = *state;
    struct grc_buf bytes;

    write_for(dir, "rooms", &bytes);
    config_dir_write(dir, "greenroom.json", "{\"broken", 0600);
    config_dir_write(dir, "plugins.d/rooms.json", "{\"broken", 0600);
    config_dir_write(dir, "secret", "another one\n", 0600);
    unsetenv("GR_TEST_API");
    assert_true(grc_handover_replay(grc_buf_view(&bytes)));
    assert_string_equal(grc_handover_group(), "rooms");
    assert_string_equal(grc_handover_dir(), dir->path);
    struct grc_settings *settings = grc_settings_load(grc_handover_dir(), config_dir_report, dir);
    assert_int_equal(dir->line_count, 0);
    assert_non_null(settings);
    assert_string_equal(grc_settings_credential(settings, "api")->secret, "of the environment");
    assert_string_equal(grc_settings_credential(settings, "more")->secret, "of the file");
    assert_int_equal(settings->plugin_count, 1);
    assert_string_equal(settings->plugins[0].name, "rooms");
    assert_string_equal(settings->plugins[0].prefix, "/v1");
    assert_int_equal(settings->plugins[0].process.threads, 3);
    assert_false(settings->plugins[0].isolated);
    assert_int_equal(settings->plugins[0].library_fd, GRC_HANDOVER_LIBRARY_FD);
    grc_settings_free(settings);
    grc_handover_end();
    assert_null(grc_handover_group());
    grc_buf_done(&bytes);
}

static void test_a_group_gets_nothing_of_another_one(void **state)
{
    struct grc_buf bytes;

    write_for(*state, "rooms", &bytes);
    assert_true(holds(&bytes, "of the environment"));
    assert_false(holds(&bytes, "two's own"));
    grc_buf_done(&bytes);
    write_for(*state, "token", &bytes);
    assert_true(holds(&bytes, "two's own"));
    assert_false(holds(&bytes, "\"threads\": 3"));
    grc_buf_done(&bytes);
}

static void test_bytes_that_were_cut_are_refused(void **state)
{
    struct grc_buf bytes;

    write_for(*state, "rooms", &bytes);
    for (size_t len = 0; len < bytes.len; len++) {
        char *cut = malloc(len ? len : 1);

        assert_non_null(cut);
        memcpy(cut, bytes.ptr, len);
        if (grc_handover_replay((gr_str){cut, len})) /* cut between two entries */
            assert_non_null(grc_handover_group());
        grc_handover_end();
        free(cut);
    }
    assert_false(grc_handover_replay((gr_str){bytes.ptr, 0}));
    assert_false(grc_handover_replay((gr_str){bytes.ptr, bytes.len - 1}));
    grc_buf_done(&bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_the_other_side_needs_no_file_and_no_variable, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_a_group_gets_nothing_of_another_one, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_bytes_that_were_cut_are_refused, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
