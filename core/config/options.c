#include "config/options.h"

#include "base/err.h"
#include "base/secure.h"
#include "config/setting.h"
#include "validate/schema.h"

#include <stdlib.h>

#define SHAPE_MEMORY_BYTES (1024u * 1024)
#define SHAPE_PROBLEMS_MAX 32u

/* The memory in front of the options struct that the plugin gets. */
struct options_block {
    struct grc_keep keep;
    max_align_t options[];
};

static struct options_block *block_of(void *options)
{
    return (struct options_block *)(void *)((char *)options -
                                            offsetof(struct options_block, options));
}

/* --- from gr_option to grc_setting --- */

static enum grc_setting_type key_type(enum gr_option_type type)
{
    switch (type) {
    case GR_OPT_BOOL:
        return GRC_SETTING_BOOL;
    case GR_OPT_INT:
        return GRC_SETTING_INT;
    case GR_OPT_MS:
        return GRC_SETTING_MS;
    case GR_OPT_BYTES:
        return GRC_SETTING_BYTES;
    case GR_OPT_STRING:
    case GR_OPT_UPSTREAM: /* the upstream is looked up when the whole config is known */
        return GRC_SETTING_STRING;
    case GR_OPT_SECRET:
        return GRC_SETTING_SECRET;
    case GR_OPT_LIST:
        return GRC_SETTING_LIST;
    case GR_OPT_JSON:
        break;
    }
    return GRC_SETTING_JSON;
}

/* Reports each problem that a field row finds in a value. */
static void check_shape(struct grc_reader *reader, const struct grc_path *path,
                        const struct grc_setting *key, const json_t *value)
{
    struct grc_problems problems = {.max = SHAPE_PROBLEMS_MAX};
    char *reason = NULL;
    struct grc_schema *schema = grc_schema_value(key->json, sizeof(*key->json), &reason);
    struct grc_arena arena;
    size_t i;

    if (!schema) {
        grc_reader_problem(reader, path, "the plugin's row is wrong: %s", reason ? reason : "?");
        free(reason);
        return;
    }
    grc_arena_init(&arena, SHAPE_MEMORY_BYTES);
    problems.arena = &arena;
    enum gr_err err = grc_schema_check_json(schema, NULL, value, &problems);
    for (i = 0; i < problems.count; i++) {
        const struct gr_problem *problem = &problems.list[i];
        const struct grc_path below = {.up = path, .name = problem->where};

        grc_reader_problem(reader, problem->where[0] ? &below : path, "%s%s",
                           problem->kind == GR_PROBLEM_UNKNOWN   ? ""
                           : problem->kind == GR_PROBLEM_MISSING ? "missing, "
                                                                 : "expected ",
                           problem->expected);
    }
    if (err != GR_OK && problems.count == 0)
        grc_reader_problem(reader, path, "cannot be checked: %s", grc_err_doc(err));
    grc_arena_done(&arena);
    grc_schema_free(schema);
}

static struct grc_setting key_of(const struct gr_option *option)
{
    bool shaped = option->type == GR_OPT_JSON && option->json;

    return (struct grc_setting){
        .name = option->name,
        .type = key_type(option->type),
        .fallback = option->fallback,
        .offset = option->offset,
        .doc = option->doc,
        .optional = !option->required && !option->fallback,
        .range = option->type == GR_OPT_LIST ? NULL : option->range,
        .values = option->values,
        .env = option->env,
        .json = option->json,
        .check = shaped ? check_shape : NULL,
    };
}

/* Returns malloc'ed rows for a plugin's options; NULL without memory. */
static struct grc_setting *keys_of(const struct gr_plugin *plugin)
{
    const struct gr_option *options = plugin->options;
    struct grc_setting *keys;
    size_t count = 0;
    size_t i;

    while (options && options[count].name)
        count++;
    keys = calloc(count + 1, sizeof(*keys));
    for (i = 0; keys && i < count; i++)
        keys[i] = key_of(&options[i]);
    return keys;
}

/* --- parsing --- */

/* Returns the DIR of DIR/plugins.d/NAME.json, malloc'ed; "." when there is none. */
static char *dir_of(const char *where)
{
    size_t len = strlen(where);
    int levels = 0;

    while (len > 0 && levels < 2) {
        len--;
        levels += where[len] == '/';
    }
    if (levels < 2)
        return strdup(".");
    return len == 0 ? strdup("/") : strndup(where, len);
}

static void read_options(struct options_block *block, const struct grc_setting *keys,
                         struct grc_reader *reader, const json_t *config)
{
    const struct grc_path path = {.name = "config"};

    reader->keep = &block->keep;
    grc_setting_rows_read(reader, &path, keys, config, block->options);
}

void *grc_options_parse(const struct gr_plugin *plugin, const char *where, const json_t *config,
                        grc_report_fn *report, void *arg)
{
    size_t size = plugin->options_size ? plugin->options_size : 1;
    struct options_block *block = calloc(1, sizeof(*block) + size);
    struct grc_setting *keys = keys_of(plugin);
    char *dir = dir_of(where);
    struct grc_reader reader = {.where = where, .dir = dir, .report = report, .arg = arg};

    if (block && keys && dir)
        read_options(block, keys, &reader, config);
    else
        grc_reader_problem(&reader, NULL, "out of memory");
    free(keys);
    free(dir);
    if (reader.problems > 0) {
        grc_options_free(plugin, block ? block->options : NULL);
        return NULL;
    }
    return block->options;
}

bool grc_option_accepts(const struct gr_option *option, const char *name, const char *text,
                        grc_report_fn *report, void *arg)
{
    struct grc_setting keys[2] = {key_of(option), GRC_SETTING_END};
    struct grc_keep keep = {NULL};
    struct grc_reader reader = {.where = "greenroom",
                                .joint = ": ",
                                .dir = ".",
                                .report = report,
                                .arg = arg,
                                .keep = &keep,
                                .plain = true};
    max_align_t value;

    keys[0].name = name;
    keys[0].env = NULL;
    keys[0].offset = 0;
    json_t *object = json_pack("{s:o}", name, grc_setting_parse(&keys[0], text));
    if (object)
        grc_setting_rows_read(&reader, NULL, keys, object, &value);
    else
        grc_reader_problem(&reader, NULL, "out of memory");
    json_decref(object);
    grc_keep_done(&keep);
    return reader.problems == 0;
}

void grc_options_free(const struct gr_plugin *plugin, void *options)
{
    struct options_block *block;

    if (!options)
        return;
    block = block_of(options);
    grc_keep_done(&block->keep);
    grc_wipe(options, plugin->options_size);
    free(block);
}

/* --- documents --- */

json_t *grc_options_schema(const struct gr_plugin *plugin)
{
    struct grc_setting *keys = keys_of(plugin);
    json_t *schema = keys ? grc_setting_rows_schema(keys) : NULL;

    free(keys);
    return schema;
}

enum gr_err grc_options_markdown(struct grc_buf *buf, const struct gr_plugin *plugin)
{
    struct grc_setting *keys = keys_of(plugin);
    enum gr_err err = keys ? grc_setting_rows_markdown(buf, "config.", keys) : GR_ERR_NO_MEMORY;

    free(keys);
    return err;
}
