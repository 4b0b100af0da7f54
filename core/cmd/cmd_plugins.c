/* greenroom plugins: lists, enables and disables groups. */
#include "base/file.h"
#include "base/format.h"
#include "base/near.h"
#include "cmd/cmd.h"
#include "cmd/plugin_file.h"
#include "config/setting.h"
#include "plugin/module.h"
#include "plugin/plugin.h"
#include "server/admin_socket.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define FILE_MAX_BYTES (4u * 1024 * 1024)

/* --- list --- */

static const char *summary_of(const struct grc_plugin *plugin)
{
    if (plugin->reason)
        return plugin->reason;
    return plugin->desc ? plugin->desc->summary : NULL;
}

/* Returns the status of a group in the gateway that runs with this config, or NULL. */
static const json_t *running_of(const json_t *status, const char *name)
{
    const json_t *group;
    size_t i;

    json_array_foreach(json_object_get(status, "groups"), i, group) {
        const char *other = json_string_value(json_object_get(group, "name"));

        if (other && strcmp(other, name) == 0)
            return json_object_get(group, "code") ? group : NULL;
    }
    return NULL;
}

static json_t *running_json(const json_t *running)
{
    json_t *object = running ? json_copy(json_object_get(running, "code")) : NULL;

    if (object)
        json_object_set(object, "version", json_object_get(running, "version"));
    return object;
}

static json_t *plugin_json(const struct grc_plugin *plugin, const json_t *running)
{
    const struct gr_plugin *desc = plugin->desc;

    return json_pack("{s:s,s:s,s:s*,s:s*,s:s*,s:s*,s:s*,s:s*,s:o*}", "name", plugin->settings->name,
                     "state", grc_load_state_name(plugin->state), "version",
                     desc ? desc->version : NULL, "licence", desc ? desc->licence : NULL, "summary",
                     desc ? desc->summary : NULL, "reason", plugin->reason, "file", plugin->file,
                     "build_id", plugin->module ? grc_module_elf(plugin->module)->build_id : NULL,
                     "running", running_json(running));
}

/* What runs, such as "1.0.0, code 2, loaded 2026-03-01 14:02:07", and whether the file has been
 * replaced since. malloc'ed; NULL if the group does not run. */
static char *running_text(const struct grc_plugin *plugin, const json_t *running)
{
    const json_t *code = json_object_get(running, "code");
    const char *build_id = json_string_value(json_object_get(code, "build_id"));
    const char *version = json_string_value(json_object_get(running, "version"));
    const time_t loaded =
        (time_t)(json_integer_value(json_object_get(code, "loaded_at_ms")) / 1000);
    const char *on_disk = plugin->module ? grc_module_elf(plugin->module)->build_id : NULL;
    const bool same = !on_disk || !build_id || strcmp(on_disk, build_id) == 0;
    char when[32] = "";
    struct tm local;

    if (!running || !localtime_r(&loaded, &local))
        return NULL;
    strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%S", &local);
    return grc_format("%s, code %lld, loaded %s%s", version ? version : "",
                      (long long)json_integer_value(json_object_get(code, "generation")), when,
                      same ? "" : ", file replaced since");
}

static bool print_json(struct grc_plugin *const *plugins, size_t count, const json_t *status)
{
    json_t *list = json_array();
    bool made = list != NULL;

    for (size_t i = 0; i < count && made; i++)
        made =
            json_array_append_new(
                list, plugin_json(plugins[i], running_of(status, plugins[i]->settings->name))) == 0;
    if (made)
        return grc_print_json(list) == GRC_EXIT_OK;
    json_decref(list);
    return false;
}

/* The table has the column RUNS only when a gateway runs. */
static bool print_table(struct grc_plugin *const *plugins, size_t count, const json_t *status)
{
    const char *const head[] = {"NAME", "STATE", "VERSION", status ? "RUNS" : "SUMMARY", "SUMMARY"};
    struct grc_table table = {.columns = status ? 5 : 4};
    char **texts = calloc(count + 1, sizeof(*texts));
    bool made = texts && grc_table_add(&table, head);

    for (size_t i = 0; i < count && made; i++) {
        const struct grc_plugin *plugin = plugins[i];
        const char *summary = summary_of(plugin);

        texts[i] = running_text(plugin, running_of(status, plugin->settings->name));
        made = grc_table_add(&table, (const char *const[]){
                                         plugin->settings->name, grc_load_state_name(plugin->state),
                                         plugin->desc ? plugin->desc->version : NULL,
                                         status ? texts[i] : summary, summary});
    }
    if (made)
        grc_table_print(&table);
    for (size_t i = 0; texts && i < count; i++)
        free(texts[i]);
    free(texts);
    grc_table_done(&table);
    return made;
}

static bool print_plugins(const struct grc_settings *settings, struct grc_plugin *const *plugins,
                          size_t count, bool json)
{
    char *reason = NULL;
    json_t *status = grc_admin_socket_ask(settings, "status", NULL, &reason);
    bool made = json ? print_json(plugins, count, status) : print_table(plugins, count, status);

    if (!made)
        grc_complain("out of memory");
    free(reason);
    json_decref(status);
    return made;
}

struct list_args {
    bool json;
};

/* Loads each group by itself, so that a broken group is shown beside the others. */
static int list(const struct grc_cli *cli, const void *args, int words_count, char **words)
{
    bool json = ((const struct list_args *)args)->json;
    struct grc_settings *settings = grc_cli_settings(cli, grc_cli_report);
    struct grc_plugin **plugins;
    size_t count = 0;
    bool made;

    (void)words_count;
    (void)words;
    if (!settings)
        return GRC_EXIT_CONFIG;
    plugins = calloc(settings->plugin_count + 1, sizeof(struct grc_plugin *));
    for (; plugins && count < settings->plugin_count; count++) {
        plugins[count] = grc_plugin_load(settings, &settings->plugins[count]);
        if (!plugins[count])
            break;
    }
    made = plugins && count == settings->plugin_count;
    if (made)
        made = print_plugins(settings, plugins, count, json);
    else
        grc_complain("out of memory");
    while (plugins && count > 0)
        grc_plugin_free(plugins[--count]);
    free(plugins);
    grc_settings_free(settings);
    return grc_print_done(made ? GRC_EXIT_OK : GRC_EXIT_FAILED);
}

/* --- enable, disable --- */

static bool name_valid(const char *name)
{
    return name[0] && name[0] != '.' &&
           strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.") ==
               strlen(name);
}

/* Complains about an unknown name, with a suggestion. */
static void complain_unknown(const struct grc_settings *settings, const char *dir, const char *name)
{
    size_t count = settings ? settings->plugin_count : 0;
    const char **names = calloc(count + 1, sizeof(*names));
    size_t i;

    for (i = 0; names && i < count; i++)
        names[i] = settings->plugins[i].name;
    const char *near = names ? grc_name_near(name, names) : NULL;
    if (near)
        grc_complain("there is no plugin '%s' in %s/plugins.d, did you mean '%s'?", name, dir,
                     near);
    else
        grc_complain("there is no plugin '%s' in %s/plugins.d", name, dir);
    free(names);
}

static bool library_exists(const struct grc_settings *settings, const char *name)
{
    char *file = NULL;
    bool exists;

    if (!settings || asprintf(&file, "%s/%s.so", settings->plugin_dir, name) < 0)
        return false;
    exists = access(file, F_OK) == 0;
    free(file);
    return exists;
}

/* Makes the file in plugins.d for a shared object that has none. */
static int create(const struct grc_cli *cli, const char *file, const char *name, bool enabled)
{
    struct grc_settings *settings = grc_cli_settings(cli, NULL);
    char *content = NULL;
    int status = GRC_EXIT_FAILED;

    if (!enabled || !library_exists(settings, name)) {
        complain_unknown(settings, cli->config_dir, name);
    } else if (asprintf(&content, "{\n  \"library\": \"%s.so\",\n  \"enabled\": true\n}\n", name) <
               0) {
        grc_complain("out of memory");
    } else {
        if (grc_file_write(file, gr_str_of(content), 0644)) {
            printf("%s: enabled, in the new file %s\n", name, file);
            status = GRC_EXIT_OK;
        } else {
            grc_complain("cannot write '%s': %s", file, strerror(errno));
        }
        free(content);
    }
    grc_settings_free(settings);
    return status;
}

static int write_enabled(const char *file, const char *name, gr_str text, bool enabled)
{
    struct grc_buf buf;
    struct stat info;
    int status = GRC_EXIT_FAILED;

    grc_buf_init(&buf, FILE_MAX_BYTES + 64);
    if (stat(file, &info) != 0 || grc_enabled_set(&buf, text, enabled) != GR_OK ||
        !grc_file_write(file, grc_buf_view(&buf), info.st_mode & 0777u)) {
        grc_complain("cannot write '%s': %s", file, strerror(errno));
    } else {
        printf("%s: %s; greenroom reload applies this to a running gateway\n", name,
               enabled ? "enabled" : "disabled");
        status = GRC_EXIT_OK;
    }
    grc_buf_done(&buf);
    return status;
}

static int change(const char *file, const char *name, bool enabled)
{
    struct grc_keep keep = {NULL};
    struct grc_reader reader = {.where = file, .report = grc_cli_report, .keep = &keep};
    json_t *root = grc_reader_parse(&reader, file);
    const json_t *now = json_object_get(root, "enabled");
    const char *reason = NULL;
    size_t len = 0;
    int status = GRC_EXIT_CONFIG;

    if (root && !json_is_object(root)) {
        grc_reader_expected(&reader, NULL, NULL, "an object", root);
    } else if (root && (now ? json_is_true(now) : true) == enabled &&
               (!now || json_is_boolean(now))) {
        printf("%s: is already %s\n", name, enabled ? "enabled" : "disabled");
        status = GRC_EXIT_OK;
    } else if (root) {
        char *text = grc_file_read(file, FILE_MAX_BYTES, &len, &reason);

        if (text)
            status = write_enabled(file, name, (gr_str){text, len}, enabled);
        else
            grc_complain("cannot read '%s': %s", file, reason);
        free(text);
    }
    grc_json_wipe(root);
    grc_keep_done(&keep);
    return status;
}

static int set(const struct grc_cli *cli, const char *name, bool enabled)
{
    char *file = NULL;
    int status;

    if (!name_valid(name))
        return grc_usage_error(cli, "a name may only have letters, digits, '_', '-' and '.'");
    if (asprintf(&file, "%s/plugins.d/%s.json", cli->config_dir, name) < 0) {
        grc_complain("out of memory");
        return GRC_EXIT_FAILED;
    }
    if (access(file, F_OK) == 0)
        status = change(file, name, enabled);
    else
        status = create(cli, file, name, enabled);
    free(file);
    return grc_print_done(status);
}

static int enable(const struct grc_cli *cli, const void *args, int count, char **words)
{
    (void)args;
    (void)count;
    return set(cli, words[0], true);
}

static int disable(const struct grc_cli *cli, const void *args, int count, char **words)
{
    (void)args;
    (void)count;
    return set(cli, words[0], false);
}

static const struct grc_flag list_flags[] = {
    GRC_SWITCH(list_args, "--json", json, "As JSON"),
    GRC_FLAG_END,
};

static const struct grc_command actions[] = {
    {.name = "list",
     .summary = "List the groups, and say why some do not load",
     .flags = list_flags,
     .args_size = sizeof(struct list_args),
     .run = list,
     .usual = true},
    {.name = "enable",
     .words = "NAME",
     .choices = {&grc_choices_groups},
     .summary = "Serve a group",
     .run = enable},
    {.name = "disable",
     .words = "NAME",
     .choices = {&grc_choices_groups},
     .summary = "Stop serving a group",
     .run = disable},
    {.name = NULL},
};

const struct grc_command grc_command_plugins = {
    .name = "plugins",
    .summary = "List, enable or disable groups",
    .detail =
        "Enabling and disabling change plugins.d/NAME.json. A running gateway needs greenroom "
        "reload afterwards.",
    .subs = actions,
};
