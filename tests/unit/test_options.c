/* The option rows of a plugin, and how the config is parsed into the plugin's struct. */
#include "config/options.h"
#include "unit/config_dir.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

struct sample {
    bool on;
    int64_t count;
    int64_t every_ms;
    int64_t room_bytes;
    const char *mode;
    const char *title;
    const char *key;
    const char *const *names;
    const json_t *shape;
    const json_t *free;
};

static const struct gr_field shape_fields[] = {
    GR_FIELD("url", GR_STRING, "where to", .flags = GR_FIELD_REQUIRED, .range = GR_MIN(1)),
    GR_FIELD("tries", GR_INT, "how often", .range = GR_RANGE(1, 5)),
    GR_END,
};

static const struct gr_option rows[] = {
    GR_OPTION(sample, on, GR_OPT_BOOL, "true", "Whether it is on"),
    GR_OPTION(sample, count, GR_OPT_INT, "3", "How many", .range = GR_RANGE(1, 9)),
    GR_OPTION(sample, every_ms, GR_OPT_MS, "90s", "How often", .range = GR_MIN(1000)),
    GR_OPTION(sample, room_bytes, GR_OPT_BYTES, "64k", "How much", .range = GR_MAX(1048576)),
    GR_OPTION(sample, mode, GR_OPT_STRING, "open", "Which | mode",
              .values = GR_LIST("open", "closed")),
    GR_OPTION(sample, title, GR_OPT_STRING, NULL, "A title", .env = "GR_TEST_TITLE"),
    GR_OPTION(sample, key, GR_OPT_SECRET, NULL, "The key", .required = true, .env = "GR_TEST_KEY"),
    GR_OPTION(sample, names, GR_OPT_LIST, "a, b", "Names", .env = "GR_TEST_NAMES"),
    GR_OPTION(sample, shape, GR_OPT_JSON, NULL, "An object",
              .json = GR_BODY(GR_OBJECT, .fields = shape_fields, .flags = GR_FIELD_STRICT)),
    GR_OPTION(sample, free, GR_OPT_JSON, "[1]", "Anything", .env = "GR_TEST_FREE"),
    GR_END,
};
static const struct gr_plugin plugin = {
    .name = "sample", .options = rows, .options_size = sizeof(struct sample)};
static const struct gr_plugin plain = {.name = "plain"};

/* Parses text as the plugin's config; NULL: the file has none. */
static void *parse(struct config_dir *dir, const struct gr_plugin *which, const char *text)
{
    json_t *config = text ? json_loads(text, 0, NULL) : NULL;
    char where[128];
    void *options;

    snprintf(where, sizeof(where), "%s/plugins.d/sample.json", dir->path);
    options = grc_options_parse(which, where, config, config_dir_report, dir);
    json_decref(config); /* the options keep no pointer into it */
    return options;
}

static void test_defaults(void **state)
{
    struct config_dir *dir = *state;
    struct sample *options = parse(dir, &plugin, "{\"key\": \"k\"}");

    assert_non_null(options);
    assert_int_equal(dir->line_count, 0);
    assert_true(options->on);
    assert_int_equal(options->count, 3);
    assert_int_equal(options->every_ms, 90000);
    assert_int_equal(options->room_bytes, 65536);
    assert_string_equal(options->mode, "open");
    assert_null(options->title);
    assert_string_equal(options->key, "k");
    assert_string_equal(options->names[0], "a");
    assert_string_equal(options->names[1], "b");
    assert_null(options->names[2]);
    assert_null(options->shape);
    assert_int_equal(json_integer_value(json_array_get(options->free, 0)), 1);
    grc_options_free(&plugin, options);
}

static void test_values(void **state)
{
    struct config_dir *dir = *state;
    struct sample *options;

    config_dir_write(dir, "secret", "from file\r\n", 0600);
    options = parse(dir, &plugin,
                    "{\"on\": \"${GR_TEST_OFF:-false}\", \"count\": 9, \"every_ms\": 1000,"
                    "\"room_bytes\": \"1m\", \"mode\": \"closed\", \"title\": \"${GR_TEST_WORD}!\","
                    "\"key\": {\"file\": \"secret\"}, \"names\": [], \"shape\": {\"url\": "
                    "\"http://${GR_TEST_WORD}\", \"tries\": 5}, \"free\": null}");
    assert_non_null(options);
    assert_false(options->on);
    assert_int_equal(options->count, 9);
    assert_int_equal(options->every_ms, 1000);
    assert_int_equal(options->room_bytes, 1048576);
    assert_string_equal(options->mode, "closed");
    assert_string_equal(options->title, "word!");
    assert_string_equal(options->key, "from file");
    assert_null(options->names[0]);
    assert_string_equal(json_string_value(json_object_get(options->shape, "url")), "http://word");
    assert_true(json_is_null(options->free));
    grc_options_free(&plugin, options);
}

/* Variables take precedence over the file, and are not expanded. */
static void test_environment(void **state)
{
    struct config_dir *dir = *state;
    struct sample *options;

    assert_int_equal(setenv("GR_TEST_KEY", "$${HOME}", 1), 0);
    assert_int_equal(setenv("GR_TEST_NAMES", " x ,,y", 1), 0);
    assert_int_equal(setenv("GR_TEST_FREE", "{\"a\": \"${HOME}\"}", 1), 0);
    options = parse(dir, &plugin, "{\"key\": \"file\", \"names\": [\"file\"]}");
    assert_non_null(options);
    assert_string_equal(options->key, "$${HOME}");
    assert_string_equal(options->names[0], "x");
    assert_string_equal(options->names[1], "y");
    assert_null(options->names[2]);
    assert_string_equal(json_string_value(json_object_get(options->free, "a")), "${HOME}");
    grc_options_free(&plugin, options);
    unsetenv("GR_TEST_KEY");
    unsetenv("GR_TEST_NAMES");
    unsetenv("GR_TEST_FREE");
}

static void test_wrong(void **state)
{
    static const struct {
        const char *config;
        const char *lines;
    } wrongs[] = {
        {NULL, "config.key: missing, expected a string or {\"file\": \"PATH\"}\n"},
        {"{\"key\": \"topsecret\", \"kye\": 1, \"coutn\": 2}",
         "config.kye: unknown key, did you mean \"key\"?\n"
         "config.coutn: unknown key, did you mean \"count\"?\n"},
        {"{\"key\": [\"topsecret\"], \"count\": 10, \"every_ms\": \"999ms\"}",
         "config.count: expected an integer from 1 to 9, found 10\n"
         "config.every_ms: expected a duration such as \"10s\" of at least 1s, found \"999ms\"\n"
         "config.key: expected a string or {\"file\": \"PATH\"}, found an array\n"},
        {"{\"key\": \"k\", \"mode\": \"ajar\", \"room_bytes\": \"2m\", \"on\": 1}",
         "config.on: expected true or false, found 1\n"
         "config.room_bytes: expected a size such as \"64k\" of at most 1m, found \"2m\"\n"
         "config.mode: expected \"open\" or \"closed\", found \"ajar\"\n"},
        {"{\"key\": \"k\", \"title\": \"${GR_TEST_UNSET}\", \"names\": \"a\"}",
         "config.title: the environment variable GR_TEST_UNSET is not set: set it, or put the "
         "value "
         "here\n"
         "config.names: expected a list of strings, found \"a\"\n"},
        {"{\"key\": {\"file\": \"nowhere\"}}",
         "config.key.file: cannot read the secret file 'D/nowhere': No such file or directory\n"},
    };
    struct config_dir *dir = *state;
    size_t i;

    for (i = 0; i < sizeof(wrongs) / sizeof(wrongs[0]); i++) {
        struct grc_buf lines;
        const char *line = wrongs[i].lines;

        grc_buf_init(&lines, 4096);
        for (; *line; line += strcspn(line, "\n") + 1)
            assert_int_equal(grc_buf_format(&lines, "D/plugins.d/sample.json: %.*s\n",
                                            (int)strcspn(line, "\n"), line),
                             GR_OK);
        config_dir_clear(dir);
        assert_null(parse(dir, &plugin, wrongs[i].config));
        assert_string_equal(dir->lines.ptr, lines.ptr);
        grc_buf_done(&lines);
    }
}

/* The same rows that check a request's body check an option. */
static void test_shape(void **state)
{
    struct config_dir *dir = *state;

    assert_null(parse(dir, &plugin, "{\"key\": \"k\", \"shape\": {\"tries\": 6, \"more\": 1}}"));
    assert_int_equal(dir->line_count, 3);
    assert_non_null(strstr(dir->lines.ptr, "config.shape.url: "));
    assert_non_null(strstr(dir->lines.ptr, "config.shape.tries: expected "));
    assert_non_null(strstr(dir->lines.ptr, "config.shape.more: "));
}

static void test_wrong_environment(void **state)
{
    struct config_dir *dir = *state;

    assert_int_equal(setenv("GR_TEST_FREE", "{topsecret", 1), 0);
    struct sample *options = parse(dir, &plugin, "{\"key\": \"k\"}");
    unsetenv("GR_TEST_FREE");
    assert_null(options);
    assert_string_equal(dir->lines.ptr,
                        "D/plugins.d/sample.json: config.free: expected a JSON value "
                        "in the environment variable GR_TEST_FREE\n");
}

static void test_no_options(void **state)
{
    void *options = parse(*state, &plain, "{}");

    assert_non_null(options);
    grc_options_free(&plain, options);
    grc_options_free(&plain, NULL);
    assert_null(parse(*state, &plain, "{\"a\": 1}"));
}

static void test_documents(void **state)
{
    struct grc_buf text;
    json_t *schema = grc_options_schema(&plugin);
    json_t *properties = json_object_get(schema, "properties");

    (void)state;
    assert_int_equal(json_object_size(properties), 10);
    assert_false(json_boolean_value(json_object_get(schema, "additionalProperties")));
    assert_int_equal(
        json_integer_value(json_object_get(json_object_get(properties, "count"), "default")), 3);
    json_decref(schema);

    grc_buf_init(&text, 65536);
    assert_int_equal(grc_options_markdown(&text, &plugin), GR_OK);
    assert_non_null(strstr(text.ptr,
                           "| `config.mode` | \"open\" or \"closed\" | `open` | Which \\| "
                           "mode |\n"));
    assert_non_null(strstr(text.ptr, "| required | The key (or the environment variable "
                                     "`GR_TEST_KEY`) |\n"));
    grc_buf_done(&text);
}

static int set_up(void **state)
{
    struct config_dir *dir = calloc(1, sizeof(*dir));

    if (!dir)
        return -1;
    config_dir_make(dir);
    *state = dir;
    return setenv("GR_TEST_WORD", "word", 1) || unsetenv("GR_TEST_UNSET");
}

static int tear_down(void **state)
{
    config_dir_remove(*state);
    free(*state);
    return 0;
}

int main(void)
{
#define TEST(function_) cmocka_unit_test_setup_teardown(function_, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_defaults),   TEST(test_values),    TEST(test_environment),
        TEST(test_wrong),      TEST(test_shape),     TEST(test_wrong_environment),
        TEST(test_no_options), TEST(test_documents),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
