#include "config/setting.h"

#include "base/near.h"
#include "config/env.h"
#include "config/units.h"

#define NAME_MAX_BYTES 64u
#define NAMES_MAX_BYTES 2048u
#define PATH_OF(up_, name_) (&(const struct grc_path){.up = (up_), .name = (name_)})

static void *slot(const struct grc_setting *key, void *base)
{
    return (char *)base + key->offset;
}

static bool in_range(const struct grc_setting *key, double value)
{
    return !key->range || (value >= key->range->min && value <= key->range->max);
}

/* Returns the index in .values, or -1. */
static int choice_of(const struct grc_setting *key, const char *text)
{
    int i;

    for (i = 0; key->values[i]; i++) {
        if (strcmp(key->values[i], text) == 0)
            return i;
    }
    return -1;
}

/* --- one function per type --- */

static void read_bool(struct grc_reader *reader, const struct grc_path *path,
                      const struct grc_setting *key, const json_t *value, void *base)
{
    const char *text = NULL;
    bool result = json_is_true(value);

    if (json_is_string(value)) {
        if (!grc_reader_text(reader, path, value, false, &text) || !text)
            return;
        result = strcmp(text, "true") == 0;
    }
    if (!json_is_boolean(value) && (!text || (!result && strcmp(text, "false") != 0)))
        grc_reader_expected(reader, path, key, NULL, value);
    else
        memcpy(slot(key, base), &result, sizeof(result));
}

/* 10 is 10 ms here. nginx takes it as 10 s, and so do people who know it. */
static void warn_of_unit(const struct grc_reader *reader, const struct grc_path *path,
                         const json_t *value)
{
    long long number = (long long)json_integer_value(value);

    if (json_is_integer(value))
        grc_reader_warn(reader, path,
                        "%lld without a unit is milliseconds: write \"%lldms\", or \"%llds\" if "
                        "seconds are meant",
                        number, number, number);
    else
        grc_reader_warn(
            reader, path,
            "a number without a unit is milliseconds: write a unit, such as in \"10s\"");
}

static void read_number(struct grc_reader *reader, const struct grc_path *path,
                        const struct grc_setting *key, const json_t *value, void *base)
{
    static bool (*const parse[])(const char *, int64_t *) = {
        [GRC_SETTING_INT] = grc_integer_parse,
        [GRC_SETTING_MS] = grc_duration_parse,
        [GRC_SETTING_BYTES] = grc_bytes_parse,
    };
    const char *text = NULL;
    int64_t number = json_integer_value(value);

    if (json_is_string(value) && (!grc_reader_text(reader, path, value, false, &text) || !text))
        return;
    bool read = text ? parse[key->type](text, &number) : json_is_integer(value);
    if (!read || !in_range(key, (double)number) || (key->type != GRC_SETTING_INT && number < 0))
        grc_reader_expected(reader, path, key, NULL, value);
    else
        memcpy(slot(key, base), &number, sizeof(number));
    if (key->type == GRC_SETTING_MS && read && !reader->plain && !reader->unwritten &&
        (text ? grc_duration_lacks_unit(text) : number != 0))
        warn_of_unit(reader, path, value);
}

static void read_string(struct grc_reader *reader, const struct grc_path *path,
                        const struct grc_setting *key, const json_t *value, void *base)
{
    const char *text = NULL;

    if (!json_is_string(value)) {
        grc_reader_expected(reader, path, key, NULL, value);
        return;
    }
    if (!grc_reader_text(reader, path, value, false, &text) || !text)
        return;
    bool fine = in_range(key, (double)strlen(text)) && (!key->values || choice_of(key, text) >= 0);
    if (fine && key->convert)
        text = key->convert(reader, text);
    if (!fine || !text)
        grc_reader_expected(reader, path, key, NULL, value);
    else
        memcpy(slot(key, base), &text, sizeof(text));
    if (fine && text && key->verify && !grc_env_lenient())
        key->verify(reader, path, text);
}

/* Returns the text without one line end, which variables and files that hold a line often have. */
static const char *without_line_end(struct grc_reader *reader, const char *text)
{
    size_t len = strlen(text);
    size_t cut = len > 0 && text[len - 1] == '\n' ? 1 : 0;

    if (cut && len > 1 && text[len - 2] == '\r')
        cut = 2;
    return cut ? grc_keep_copy(reader->keep, (gr_str){text, len - cut}) : text;
}

static void read_secret(struct grc_reader *reader, const struct grc_path *path,
                        const struct grc_setting *key, const json_t *value, void *base)
{
    const json_t *file = json_object_size(value) == 1 ? json_object_get(value, "file") : NULL;
    const char *text = NULL;

    if (json_is_string(file)) {
        if (!grc_reader_secret_file(reader, PATH_OF(path, "file"), file, &text) || !text)
            return;
    } else if (!json_is_string(value)) {
        grc_reader_expected(reader, path, key, NULL, value);
        return;
    } else if (!grc_reader_text(reader, path, value, true, &text) || !text) {
        return;
    }
    text = without_line_end(reader, text);
    if (!text)
        grc_reader_problem(reader, path, "out of memory");
    else if (!text[0] && !key->optional)
        grc_reader_problem(reader, path, "expected a secret, found nothing");
    else if (key->convert && !key->convert(reader, text))
        grc_reader_expected(reader, path, key, NULL, value);
    else
        memcpy(slot(key, base), &text, sizeof(text));
}

static void read_choice(struct grc_reader *reader, const struct grc_path *path,
                        const struct grc_setting *key, const json_t *value, void *base)
{
    const char *text = NULL;

    if (json_is_string(value) && (!grc_reader_text(reader, path, value, false, &text) || !text))
        return;
    int choice = text ? choice_of(key, text) : -1;
    if (choice < 0) {
        grc_reader_expected(reader, path, key, NULL, value);
    } else if (key->type == GRC_SETTING_FLAG) {
        memcpy(slot(key, base), &(bool){choice == 1}, sizeof(bool));
    } else {
        memcpy(slot(key, base), &(unsigned){(unsigned)choice + 1}, sizeof(unsigned));
    }
}

static bool is_choice(const struct grc_setting *key, const char *text)
{
    return !key->values || choice_of(key, text) >= 0;
}

void grc_reader_list(struct grc_reader *reader, const struct grc_path *path,
                     const struct grc_setting *key, const struct grc_list_item *of,
                     const json_t *value, void *base)
{
    const char **list;
    const json_t *item;
    size_t i;
    size_t count = 0;

    if (!json_is_array(value)) {
        grc_reader_expected(reader, path, key, NULL, value);
        return;
    }
    list = grc_keep_alloc(reader->keep, (json_array_size(value) + 1) * sizeof(*list));
    if (!list) {
        grc_reader_problem(reader, path, "out of memory");
        return;
    }
    json_array_foreach(value, i, item) {
        const struct grc_path here = {.up = path, .index = i};
        const char *text = NULL;

        if (!json_is_string(item))
            grc_reader_expected(reader, &here, key, of->expected ? of->expected : "a string", item);
        else if (!grc_reader_text(reader, &here, item, false, &text) || (!text && !of->expected))
            continue;
        else if (text && of->good(key, text))
            list[count++] = text;
        else
            grc_reader_expected(reader, &here, key, of->expected, item);
    }
    memcpy(slot(key, base), &list, sizeof(list));
}

static void read_list(struct grc_reader *reader, const struct grc_path *path,
                      const struct grc_setting *key, const json_t *value, void *base)
{
    grc_reader_list(reader, path, key, &(const struct grc_list_item){.good = is_choice}, value,
                    base);
}

static void read_json(struct grc_reader *reader, const struct grc_path *path,
                      const struct grc_setting *key, const json_t *value, void *base)
{
    size_t before = reader->problems;
    json_t *copy;
    const json_t *kept;

    if (key->type == GRC_SETTING_RAW && !json_is_object(value)) {
        grc_reader_expected(reader, path, key, NULL, value);
        return;
    }
    copy = key->type == GRC_SETTING_RAW ? json_deep_copy(value)
                                        : grc_reader_expand(reader, path, value);
    kept = copy ? grc_keep_json(reader->keep, copy) : NULL;
    if (!kept) {
        grc_reader_problem(reader, path, "out of memory");
        return;
    }
    if (key->check && reader->problems == before)
        key->check(reader, path, key, kept);
    memcpy(slot(key, base), &kept, sizeof(kept));
}

static void read_object(struct grc_reader *reader, const struct grc_path *path,
                        const struct grc_setting *key, const json_t *value, void *base)
{
    grc_setting_rows_read(reader, path, key->keys, value, slot(key, base));
}

static bool map_name_valid(const struct grc_map *map, const char *name)
{
    size_t len = strlen(name);
    size_t at = 0;

    while (name[at]) {
        at +=
            strspn(name + at, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.");
        if (!name[at] || !map->more || !strchr(map->more, name[at]))
            break;
        at++;
    }
    return len > 0 && len <= NAME_MAX_BYTES && at == len;
}

static void read_map(struct grc_reader *reader, const struct grc_path *path,
                     const struct grc_setting *key, const json_t *value, void *base)
{
    const struct grc_map *map = key->map;
    bool unset_before = reader->unset_ok;
    json_t *object = (json_t *)(uintptr_t)value; /* jansson's iterators are not const */
    size_t count = 0;
    const char *name;
    json_t *member;

    if (!json_is_object(value)) {
        grc_reader_expected(reader, path, key, NULL, value);
        return;
    }
    char *list = grc_keep_alloc(reader->keep, json_object_size(value) * map->element_size);
    json_object_foreach(object, name, member) {
        const struct grc_path here = {.up = path, .name = name};
        const char *kept = grc_keep_copy(reader->keep, gr_str_of(name));
        char *element = list ? list + count * map->element_size : NULL;

        if (!element || !kept) {
            grc_reader_problem(reader, &here, "out of memory");
            return;
        }
        if (!map_name_valid(map, name)) {
            grc_reader_problem(reader, &here,
                               "expected a name of letters, digits, '_', '-' and '.'%s%s",
                               map->more ? ", or of " : "", map->more ? map->more : "");
            continue;
        }
        reader->unset_ok = unset_before || (map->needed && !map->needed(reader, name));
        grc_setting_rows_read(reader, &here, key->keys, member, element);
        reader->unset_ok = unset_before;
        memcpy(element + map->name_offset, &kept, sizeof(kept));
        count++;
    }
    memcpy(slot(key, base), &list, sizeof(list));
    memcpy((char *)base + map->count_offset, &count, sizeof(count));
}

static void read_custom(struct grc_reader *reader, const struct grc_path *path,
                        const struct grc_setting *key, const json_t *value, void *base)
{
    key->read(reader, path, key, value, base);
}

static grc_read_fn *const readers[] = {
    [GRC_SETTING_BOOL] = read_bool,     [GRC_SETTING_INT] = read_number,
    [GRC_SETTING_MS] = read_number,     [GRC_SETTING_BYTES] = read_number,
    [GRC_SETTING_STRING] = read_string, [GRC_SETTING_SECRET] = read_secret,
    [GRC_SETTING_CHOICE] = read_choice, [GRC_SETTING_FLAG] = read_choice,
    [GRC_SETTING_LIST] = read_list,     [GRC_SETTING_JSON] = read_json,
    [GRC_SETTING_RAW] = read_json,      [GRC_SETTING_OBJECT] = read_object,
    [GRC_SETTING_MAP] = read_map,       [GRC_SETTING_CUSTOM] = read_custom,
    [GRC_SETTING_NOTE] = NULL,
};

/* --- objects --- */

static const struct grc_setting *row_of(const struct grc_setting *keys, const char *name)
{
    while (keys->name && strcmp(keys->name, name) != 0)
        keys++;
    return keys->name ? keys : NULL;
}

/* Writes the names of the keys, as "listen, workers, …". Appending fails only without memory, and
 * then the list is cut. */
static void add_names(struct grc_buf *buf, const struct grc_setting *keys)
{
    const char *before = "";

    for (; keys->name; keys++) {
        if (keys->type == GRC_SETTING_NOTE)
            continue;
        (void)grc_buf_format(buf, "%s%s", before, keys->name);
        before = ", ";
    }
}

static void report_unknown(struct grc_reader *reader, const struct grc_path *path,
                           const struct grc_setting *keys, const char *name)
{
    const struct grc_path here = {.up = path, .name = name};
    struct grc_near near = {.name = name};
    struct grc_buf names;

    for (const struct grc_setting *key = keys; key->name; key++) {
        if (key->keys && key->type == GRC_SETTING_OBJECT && row_of(key->keys, name)) {
            grc_reader_problem(reader, &here, "unknown key, did you mean \"%s\" in \"%s\"?", name,
                               key->name);
            return;
        }
        grc_near_try(&near, key->name);
    }
    if (near.best) {
        grc_reader_problem(reader, &here, "unknown key, did you mean \"%s\"?", near.best);
        return;
    }
    grc_buf_init(&names, NAMES_MAX_BYTES);
    add_names(&names, keys);
    grc_reader_problem(reader, &here, "unknown key, expected %s%s",
                       names.len > 0 ? "one of: " : "none here", names.ptr ? names.ptr : "");
    grc_buf_done(&names);
}

/* Returns the value of a key's environment variable as a new reference, or NULL when it is not set.
 * A value that does not fit is reported and becomes a JSON null. */
static json_t *value_of_env(struct grc_reader *reader, const struct grc_path *path,
                            const struct grc_setting *key)
{
    const char *text = key->env ? grc_env_get(key->env, key->type == GRC_SETTING_SECRET) : NULL;
    json_t *value;
    char expected[256];

    if (!text)
        return NULL;
    reader->literal = key->env;
    value = grc_setting_parse(key, text);
    if (value)
        return value;
    grc_setting_expected(key, expected, sizeof(expected));
    grc_reader_problem(reader, path, "expected %s in the environment variable %s", expected,
                       key->env);
    return json_null();
}

/* --- notes of values that are read --- */

static struct {
    grc_note_fn *note;
    void *arg;
    unsigned inside; /* depth in values that were noted as a whole */
} listener;

void grc_setting_note_set(grc_note_fn *note, void *arg)
{
    listener.note = note;
    listener.arg = arg;
}

static void tell(const struct grc_reader *reader, const struct grc_path *path,
                 const struct grc_setting *key, const json_t *value, bool from_default)
{
    const struct grc_note note = {
        .reader = reader,
        .path = path,
        .key = key,
        .origin = from_default      ? GRC_ORIGIN_DEFAULT
                  : reader->literal ? GRC_ORIGIN_VARIABLE
                                    : GRC_ORIGIN_FILE,
        .value = value,
    };

    if (listener.note && listener.inside == 0 && key->type != GRC_SETTING_OBJECT &&
        key->type != GRC_SETTING_MAP)
        listener.note(listener.arg, &note);
}

static void read_value(struct grc_reader *reader, const struct grc_path *path,
                       const struct grc_setting *key, const json_t *value, void *base)
{
    bool whole = key->type == GRC_SETTING_CUSTOM;

    listener.inside += whole;
    readers[key->type](reader, path, key, value, base);
    listener.inside -= whole;
}

static void read_key(struct grc_reader *reader, const struct grc_path *path,
                     const struct grc_setting *key, const json_t *value, void *base)
{
    const struct grc_path here = {.up = path, .name = key->name};
    size_t before = reader->problems;
    char expected[256];
    json_t *made;

    if (key->type == GRC_SETTING_NOTE)
        return;
    made = value_of_env(reader, &here, key);
    bool from_default = !made && !value;
    if (from_default)
        made = grc_setting_fallback(key);
    value = made ? made : value;
    reader->unwritten = from_default;
    if (reader->problems == before)
        tell(reader, &here, key, value, from_default);
    if (reader->problems > before || (key->optional && json_is_null(value))) {
        /* reported above, or nothing to read */
    } else if (value || (key->type == GRC_SETTING_OBJECT && !key->optional)) {
        read_value(reader, &here, key, value, base);
    } else if (!key->optional && !(key->env && grc_env_lenient())) {
        grc_setting_expected(key, expected, sizeof(expected));
        grc_reader_problem(reader, &here, "missing, expected %s", expected);
    }
    reader->literal = NULL;
    grc_json_wipe(made);
}

void grc_setting_rows_read(struct grc_reader *reader, const struct grc_path *path,
                           const struct grc_setting *keys, const json_t *object, void *base)
{
    json_t *members = (json_t *)(uintptr_t)object; /* jansson's iterators are not const */
    const struct grc_setting *key;
    const char *name;
    json_t *member;

    if (object && !json_is_object(object)) {
        grc_reader_expected(reader, path, NULL, "an object", object);
        return;
    }
    json_object_foreach(members, name, member) {
        if (!row_of(keys, name))
            report_unknown(reader, path, keys, name);
    }
    for (key = keys; key->name; key++)
        read_key(reader, path, key, json_object_get(object, key->name), base);
}
