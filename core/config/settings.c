#include "config/settings.h"

#include "base/buf.h"
#include "base/file.h"
#include "base/log.h"
#include "base/near.h"
#include "base/place.h"
#include "config/handover.h"
#include "config/settings_rows.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct grc_settings_own {
    struct grc_keep keep;
};

/* Removes credentials without values. These are acceptable when no group can use them or when a
 * command only shows tables. */
static void drop_incomplete(struct grc_settings *settings)
{
    size_t kept = 0;
    size_t i;

    for (i = 0; i < settings->credential_count; i++) {
        const struct grc_credential *credential = &settings->credentials[i];
        bool keyed = credential->kind != GRC_CREDENTIAL_100MS || credential->access_key;

        if (credential->secret && keyed)
            settings->credentials[kept++] = *credential;
    }
    settings->credential_count = kept;
    for (i = 0; i < settings->upstream_count; i++) {
        struct grc_upstream_settings *upstream = &settings->upstreams[i];

        if (upstream->credential && !grc_settings_credential(settings, upstream->credential))
            upstream->credential = NULL;
    }
}

/* --- defaults that depend on the place of the installation --- */

static const char *place_or_problem(struct grc_reader *reader, enum grc_place place)
{
    char path[PATH_MAX];

    if (grc_place(place, path, sizeof(path)))
        return grc_keep_copy(reader->keep, gr_str_of(path));
    grc_reader_problem(reader, NULL, "the path of this installation is too long");
    return NULL;
}

static void settle_directories(struct grc_reader *reader, struct grc_settings *settings)
{
    if (!settings->plugin_dir)
        settings->plugin_dir = place_or_problem(reader, GRC_PLACE_PLUGINS);
    if (!settings->state_dir)
        settings->state_dir = place_or_problem(reader, GRC_PLACE_STATE);
}

/* Puts a relative SQLite file into the state directory. ":memory:" is not a file. */
static const char *store_place(struct grc_keep *keep, const char *store, const char *state_dir)
{
    size_t size = strlen(store) + strlen(state_dir) + 2;
    const char *file = store + strlen("sqlite:");
    char *placed;

    if (strncmp(store, "sqlite:", 7) != 0 || file[0] == '/' || file[0] == ':')
        return store;
    placed = grc_keep_alloc(keep, size);
    if (placed)
        snprintf(placed, size, "sqlite:%s/%s", state_dir, file);
    return placed;
}

/* When greenroom.json cannot be parsed, what the environment says still holds, so that a running
 * gateway is found. */
static void read_state_directory(const struct grc_reader *reader, struct grc_settings *settings)
{
    struct grc_reader silent = {.where = reader->where, .dir = reader->dir, .keep = reader->keep};
    struct grc_setting keys[2] = {GRC_SETTING_END, GRC_SETTING_END};

    for (const struct grc_setting *key = grc_settings_rows; key->name; key++) {
        if (strcmp(key->name, "state_directory") == 0)
            keys[0] = *key;
    }
    grc_setting_rows_read(&silent, NULL, keys, NULL, settings);
}

static void settle_places(struct grc_reader *reader, struct grc_settings *settings)
{
    settle_directories(reader, settings);
    if (settings->store && settings->state_dir)
        settings->store = store_place(reader->keep, settings->store, settings->state_dir);
    grc_auth_settle(reader, settings);
}

/* --- plugins.d --- */

static int json_file(const struct dirent *entry)
{
    size_t len = strlen(entry->d_name);

    return entry->d_name[0] != '.' && len > 5 && strcmp(entry->d_name + len - 5, ".json") == 0;
}

/* Sorts by bytes, so that the order does not depend on the locale. */
static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

/* Whether a file was probably meant to be read, but is not. Copies such as "rooms.json.bak" are not
 * meant to be, and neither are hidden files and notes. */
static int near_miss(const struct dirent *entry)
{
    static const char *const formats[] = {"json", "yaml", "yml", "toml", "conf", NULL};
    const char *dot = strrchr(entry->d_name, '.');

    return entry->d_name[0] != '.' && entry->d_type != DT_DIR && dot && !strchr(dot, '~') &&
           !json_file(entry) && grc_name_near(dot + 1, formats);
}

static void warn_of_near_misses(const char *dir)
{
    struct dirent **list = NULL;
    int count = scandir(dir, &list, near_miss, by_name);

    for (int i = 0; i < count; i++) {
        grc_warn("%s/%s: not read: the name of a group's file ends in \".json\"", dir,
                 list[i]->d_name);
        free(list[i]);
    }
    free(list);
}

static const char *default_library(struct grc_keep *keep, const char *name)
{
    size_t size = strlen(name) + sizeof(".so");
    char *library = grc_keep_alloc(keep, size);

    if (library)
        snprintf(library, size, "%s.so", name);
    return library;
}

static void read_plugin(struct grc_reader *reader, const char *file_name,
                        struct grc_plugin_settings *plugin)
{
    const char *dir = grc_reader_file(reader, "plugins.d");
    char *file = dir ? grc_path_join(dir, file_name) : NULL;
    struct grc_reader own = *reader;

    plugin->file = file ? grc_keep_copy(reader->keep, gr_str_of(file)) : NULL;
    free(file);
    plugin->name = grc_keep_copy(reader->keep, (gr_str){file_name, strlen(file_name) - 5});
    if (!plugin->file || !plugin->name) {
        grc_reader_problem(reader, NULL, "out of memory");
        return;
    }
    own.where = plugin->file;
    grc_handover_owner(plugin->name);
    json_t *root = grc_reader_parse(&own, plugin->file);
    if (root) {
        grc_setting_rows_read(&own, NULL, grc_plugin_file_rows, root, plugin);
        if (!plugin->library)
            plugin->library = default_library(reader->keep, plugin->name);
    }
    grc_handover_owner(NULL);
    if (grc_handover_group()) { /* this is the isolated process already */
        plugin->isolated = false;
        plugin->library_fd = GRC_HANDOVER_LIBRARY_FD;
    }
    grc_json_wipe(root);
    reader->problems = own.problems;
}

/* In the process of a group: the group's own file. */
static int list_one(const char *group, struct dirent ***ret_list)
{
    struct dirent **list = calloc(1, sizeof(struct dirent *));
    struct dirent *entry = calloc(1, sizeof(*entry));

    if (!list || !entry) {
        free(list);
        free(entry);
        return -1;
    }
    snprintf(entry->d_name, sizeof(entry->d_name), "%s.json", group);
    list[0] = entry;
    *ret_list = list;
    return 1;
}

/* Lists the names of the files, sorted, to be freed one by one. Returns -1 when the directory
 * cannot be read. */
static int list_plugins(struct grc_reader *reader, struct dirent ***ret_list)
{
    const char *group = grc_handover_group();
    if (group)
        return list_one(group, ret_list);
    const char *dir = grc_reader_file(reader, "plugins.d");
    int count = dir ? scandir(dir, ret_list, json_file, by_name) : -1;

    if (count < 0 && errno == ENOENT)
        return 0;
    if (count < 0)
        grc_reader_problem(reader, NULL, "cannot read the directory '%s': %s", dir ? dir : "",
                           strerror(errno));
    if (dir && reader->report)
        warn_of_near_misses(dir);
    return count;
}

/* A file that cannot be read counts as enabled; read_plugin() reports what is wrong with it. */
static bool switched_on(const struct grc_reader *reader, const char *file_name)
{
    struct grc_reader silent = {.where = file_name, .dir = reader->dir, .keep = reader->keep};
    char *relative = grc_path_join("plugins.d", file_name);
    const char *file = relative ? grc_reader_file(&silent, relative) : NULL;
    char *group = strndup(file_name, strlen(file_name) - strlen(".json"));

    grc_handover_owner(group ? group : file_name); /* no other group's process may get it */
    json_t *root = file ? grc_reader_parse(&silent, file) : NULL;
    grc_handover_owner(NULL);
    free(group);
    bool on = !json_is_false(json_object_get(root, "enabled"));

    free(relative);
    grc_json_wipe(root);
    return on;
}

static bool all_switched_off(const struct grc_reader *reader, struct dirent **list, int count)
{
    int i;

    for (i = 0; i < count; i++) {
        if (switched_on(reader, list[i]->d_name))
            return false;
    }
    return count > 0;
}

static void read_plugins(struct grc_reader *reader, struct grc_settings *settings,
                         struct dirent **list, int count)
{
    int i;

    if (count > 0)
        settings->plugins =
            grc_keep_alloc(reader->keep, (size_t)count * sizeof(*settings->plugins));
    for (i = 0; i < count && settings->plugins; i++)
        read_plugin(reader, list[i]->d_name, &settings->plugins[settings->plugin_count++]);
}

/* --- reading and freeing --- */

static void read_all(struct grc_reader *reader, struct grc_settings *settings)
{
    json_t *root = grc_reader_parse(reader, reader->where);
    struct dirent **list = NULL;
    int count = list_plugins(reader, &list);
    int i;

    reader->root = root;
    reader->idle = all_switched_off(reader, list, count);
    if (root) {
        grc_setting_rows_read(reader, NULL, grc_settings_rows, root, settings);
        grc_proxies_settle(reader, &settings->proxies);
        grc_requests_settle(settings);
        grc_limits_settle(&settings->limits);
        grc_settings_check(reader, settings);
        if (reader->problems == 0)
            drop_incomplete(settings);
        settle_places(reader, settings);
        grc_settings_check_places(reader, settings);
    } else {
        read_state_directory(reader, settings);
    }
    reader->root = NULL;
    grc_json_wipe(root);
    read_plugins(reader, settings, list, count);
    for (i = 0; i < count; i++)
        free(list[i]);
    free(list);
}

/* Returns what could be read, and the number of problems; NULL without memory. */
static struct grc_settings *load(const char *dir, grc_report_fn *report, void *arg,
                                 size_t *ret_problems)
{
    struct grc_settings *settings = calloc(1, sizeof(*settings));
    struct grc_settings_own *own = calloc(1, sizeof(*own));
    char *file = grc_path_join(dir, "greenroom.json");
    struct grc_reader reader = {.where = file, .dir = dir, .report = report, .arg = arg};

    if (!settings || !own || !file) {
        free(settings);
        free(own);
        free(file);
        if (report)
            report(arg, "out of memory");
        return NULL;
    }
    settings->own = own;
    reader.keep = &own->keep;
    settings->dir = grc_keep_copy(&own->keep, gr_str_of(dir));
    settings->tls.dir = settings->dir;
    settings->handover = grc_handover_new();
    struct grc_handover *before = grc_handover_record(settings->handover);
    read_all(&reader, settings);
    settle_directories(&reader, settings);
    (void)grc_handover_record(before);
    free(file);
    if (!settings->dir || !settings->state_dir || !settings->handover) {
        grc_settings_free(settings);
        return NULL;
    }
    *ret_problems = reader.problems;
    return settings;
}

struct grc_settings *grc_settings_load(const char *dir, grc_report_fn *report, void *arg)
{
    size_t problems = 0;
    struct grc_settings *settings = load(dir, report, arg, &problems);

    if (problems == 0)
        return settings;
    grc_settings_free(settings);
    return NULL;
}

struct grc_settings *grc_settings_peek(const char *dir)
{
    size_t problems = 0;

    return load(dir, NULL, NULL, &problems);
}

void grc_settings_free(struct grc_settings *settings)
{
    if (!settings)
        return;
    grc_keep_done(&settings->own->keep);
    grc_handover_free(settings->handover);
    free(settings->own);
    free(settings);
}

const struct grc_upstream_settings *grc_settings_upstream(const struct grc_settings *settings,
                                                          const char *name)
{
    size_t i;

    for (i = 0; i < settings->upstream_count; i++) {
        if (strcmp(settings->upstreams[i].name, name) == 0)
            return &settings->upstreams[i];
    }
    return NULL;
}

const struct grc_credential *grc_settings_credential(const struct grc_settings *settings,
                                                     const char *name)
{
    size_t i;

    for (i = 0; i < settings->credential_count; i++) {
        if (strcmp(settings->credentials[i].name, name) == 0)
            return &settings->credentials[i];
    }
    return NULL;
}

/* --- an upstream on its own --- */

/* The settings come first, so that grc_upstream_settings_free() can cast their address back. */
struct own_upstream {
    struct grc_upstream_settings settings;
    struct grc_keep keep;
};

struct grc_upstream_settings *grc_upstream_settings_parse(const char *where, const char *name,
                                                          const json_t *object,
                                                          grc_report_fn *report, void *arg)
{
    struct own_upstream *upstream = calloc(1, sizeof(*upstream));
    struct grc_reader reader = {
        .where = where, .joint = ".", .report = report, .arg = arg, .plain = true};

    if (!upstream)
        return NULL;
    reader.keep = &upstream->keep;
    upstream->settings.name = grc_keep_copy(&upstream->keep, gr_str_of(name));
    if (json_is_object(object))
        grc_setting_rows_read(&reader, NULL, grc_upstream_rows, object, &upstream->settings);
    else
        grc_reader_problem(&reader, NULL, "expected an object");
    if (reader.problems > 0 || !upstream->settings.name) {
        grc_upstream_settings_free(&upstream->settings);
        return NULL;
    }
    return &upstream->settings;
}

void grc_upstream_settings_free(struct grc_upstream_settings *settings)
{
    struct own_upstream *upstream = (struct own_upstream *)settings;

    if (!upstream)
        return;
    grc_keep_done(&upstream->keep);
    free(upstream);
}

/* --- documents --- */

static json_t *document(const struct grc_setting *keys, const char *title)
{
    json_t *schema = grc_setting_rows_schema(keys);
    json_t *head = json_pack("{s:s,s:s}", "$schema", "https://json-schema.org/draft/2020-12/schema",
                             "title", title);

    if (!schema || !head || json_object_update(head, schema) != 0) {
        json_decref(head);
        head = NULL;
    }
    json_decref(schema);
    return head;
}

json_t *grc_settings_schema(void)
{
    return document(grc_settings_rows, "greenroom.json");
}

json_t *grc_plugin_file_schema(void)
{
    return document(grc_plugin_file_rows, "plugins.d/NAME.json");
}

void grc_settings_visit(grc_setting_visit_fn *visit, void *arg)
{
    grc_setting_rows_visit("", grc_settings_rows, visit, arg);
}

void grc_plugin_file_visit(grc_setting_visit_fn *visit, void *arg)
{
    grc_setting_rows_visit("", grc_plugin_file_rows, visit, arg);
}

enum gr_err grc_settings_markdown(struct grc_buf *buf)
{
    static const char head[] = "| Key | Value | Default | Meaning |\n| --- | --- | --- | --- |\n";
    enum gr_err err = grc_buf_format(buf, "### greenroom.json\n\n%s", head);

    if (err == GR_OK)
        err = grc_setting_rows_markdown(buf, "", grc_settings_rows);
    if (err == GR_OK)
        err = grc_buf_format(buf, "\n### plugins.d/NAME.json\n\n%s", head);
    return err == GR_OK ? grc_setting_rows_markdown(buf, "", grc_plugin_file_rows) : err;
}
