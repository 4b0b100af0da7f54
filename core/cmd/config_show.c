#include "cmd/config_show.h"

#include "base/near.h"
#include "base/privileges.h"
#include "config/show.h"
#include "http/descriptors.h"
#include "plugin/plugin.h"

#include <stdio.h>
#include <stdlib.h>

#define DERIVED "derived"

static const char *file_of(const json_t *entry)
{
    return json_string_value(json_object_get(entry, "file"));
}

/* Whether the config does not set it. */
static bool is_default(const json_t *entry)
{
    const char *origin = json_string_value(json_object_get(entry, "origin"));

    return strcmp(origin, "default") == 0 || strcmp(origin, DERIVED) == 0;
}

/* Loads the plugins, since their rows are needed to read their options. */
static void read_options(const struct grc_settings *settings)
{
    for (size_t i = 0; i < settings->plugin_count; i++) {
        struct grc_plugin *plugin = grc_plugin_load(settings, &settings->plugins[i]);

        if (plugin && plugin->state != GRC_LOAD_OK && plugin->state != GRC_LOAD_DISABLED)
            grc_complain("%s", plugin->reason ? plugin->reason : settings->plugins[i].file);
        grc_plugin_free(plugin);
    }
}

/* --- values that follow from others where they are not set --- */

static const struct grc_plugin_settings *plugin_of(const struct grc_settings *settings,
                                                   const char *file)
{
    for (size_t i = 0; i < settings->plugin_count; i++) {
        if (strcmp(settings->plugins[i].file, file) == 0)
            return &settings->plugins[i];
    }
    return NULL;
}

static json_t *connections_max(const struct grc_settings *settings)
{
    struct grc_descriptors descriptors;

    grc_descriptors_share(settings, &descriptors);
    return json_integer((json_int_t)descriptors.connections_max);
}

/* What the gateway uses for an entry of a file in plugins.d that is not set. NULL: nothing. */
static json_t *derived_of_plugin(const struct grc_settings *settings,
                                 const struct grc_plugin_settings *plugin, const char *path)
{
    if (strcmp(path, "library") == 0 && plugin->library)
        return json_string(plugin->library);
    if (strcmp(path, "calls_max") == 0)
        return json_integer((json_int_t)grc_requests_share(settings->requests_max));
    return NULL;
}

/* The same for an entry of greenroom.json. */
static json_t *derived_of_main(const struct grc_settings *settings, const char *path)
{
    const char *last = strrchr(path, '.');

    if (strcmp(path, "server.requests_max") == 0)
        return json_integer((json_int_t)settings->requests_max);
    if (strcmp(path, "server.connections_max") == 0)
        return connections_max(settings);
    if (strcmp(path, "state_directory") == 0)
        return json_string(settings->state_dir);
    if (strcmp(path, "server.tls.key") == 0 && settings->tls.certificate)
        return json_string(settings->tls.certificate);
    if (strncmp(path, "upstreams.", 10) == 0 && strcmp(last, ".requests_max") == 0)
        return json_integer((json_int_t)grc_requests_share(settings->requests_max));
    return NULL;
}

static void add_derived(json_t *list, const struct grc_settings *settings)
{
    json_t *entry;
    size_t i;

    json_array_foreach(list, i, entry) {
        const char *path = json_string_value(json_object_get(entry, "path"));
        const struct grc_plugin_settings *plugin = plugin_of(settings, file_of(entry));
        json_t *value = NULL;

        if (is_default(entry) && json_is_null(json_object_get(entry, "value")))
            value = plugin ? derived_of_plugin(settings, plugin, path)
                           : derived_of_main(settings, path);
        if (!value)
            continue;
        (void)json_object_set_new(entry, "value", value);
        (void)json_object_set_new(entry, "origin", json_string(DERIVED));
    }
}

/* --- which entries are shown, and how --- */

static bool below(const char *path, const char *wanted)
{
    size_t len = wanted ? strlen(wanted) : 0;

    return len == 0 || (strncmp(path, wanted, len) == 0 && (!path[len] || strchr(".[", path[len])));
}

static bool wanted(const json_t *entry, const struct grc_config_show_args *args, const char *path)
{
    return (args->defaults || !is_default(entry)) &&
           below(json_string_value(json_object_get(entry, "path")), path);
}

static void print_origin(const json_t *entry)
{
    const char *at = json_string_value(json_object_get(entry, "at"));
    const char *variable = json_string_value(json_object_get(entry, "variable"));
    const char *text = json_string_value(json_object_get(entry, "written"));

    if (at)
        printf("  # %s", at);
    else if (variable)
        printf("  # variable %s", variable);
    else
        printf("  # %s", json_string_value(json_object_get(entry, "origin")));
    if (text)
        printf(", as %s", text);
}

static void print_entry(const json_t *entry, bool origin)
{
    char *value = json_dumps(json_object_get(entry, "value"), JSON_ENCODE_ANY);

    printf("%s = %s", json_string_value(json_object_get(entry, "path")), value ? value : "?");
    free(value);
    if (origin)
        print_origin(entry);
    putchar('\n');
}

/* Whether an entry before this one is of the same file. */
static bool file_is_printed(const json_t *list, size_t index)
{
    const char *file = file_of(json_array_get(list, index));

    while (index > 0) {
        if (strcmp(file_of(json_array_get(list, --index)), file) == 0)
            return true;
    }
    return false;
}

/* Prints the entries of each file together. The options of a plugin are read after all other
 * values, so they are not beside them in the list. */
static void print_all(const json_t *list, const struct grc_config_show_args *args)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *file = file_of(json_array_get(list, i));

        if (file_is_printed(list, i))
            continue;
        printf("%s# %s\n", i ? "\n" : "", file);
        for (size_t j = i; j < json_array_size(list); j++) {
            if (strcmp(file_of(json_array_get(list, j)), file) == 0)
                print_entry(json_array_get(list, j), args->origin);
        }
    }
}

/* Returns as many names from the beginning of the path as the other path has, malloc'ed. */
static char *as_deep(const char *path, const char *other)
{
    size_t len = strcspn(path, ".[");

    for (; (other = strpbrk(other, ".[")) && path[len]; other++)
        len += 1 + strcspn(path + len + 1, ".[");
    return strndup(path, len);
}

/* Says why nothing is printed: no value has this path, or all below it are not set. */
static int nothing_below(const json_t *list, const char *path)
{
    size_t count = json_array_size(list);
    char **names = calloc(count + 1, sizeof(*names));
    bool there = false;

    for (size_t i = 0; names && i < count; i++) {
        const char *other = json_string_value(json_object_get(json_array_get(list, i), "path"));

        there = there || below(other, path);
        names[i] = as_deep(other, path);
        if (!names[i])
            break;
    }
    const char *near = names && !there ? grc_name_near(path, (const char *const *)names) : NULL;
    if (there)
        grc_complain("no value below '%s' is set; --defaults prints those that apply", path);
    else
        grc_complain("no value has the path '%s'%s%s%s", path, near ? ", did you mean '" : "",
                     near ? near : "", near ? "'?" : "");
    for (size_t i = 0; names && i < count; i++)
        free(names[i]);
    free(names);
    return there ? GRC_EXIT_OK : GRC_EXIT_FAILED;
}

int grc_config_show(const struct grc_cli *cli, const void *pointer, int count, char **words)
{
    const struct grc_config_show_args *args = pointer;
    const char *path = count > 0 ? words[0] : NULL;

    grc_privileges_raise_files(); /* as the gateway does, since some values follow from it */
    grc_show_begin(false);
    struct grc_settings *settings = grc_cli_settings(cli, grc_cli_report);
    if (settings)
        read_options(settings);
    json_t *list = grc_show_end();
    json_t *kept = json_array();
    bool fine = settings != NULL;
    if (fine)
        add_derived(list, settings);
    grc_settings_free(settings);
    for (size_t i = 0; i < json_array_size(list); i++) {
        if (wanted(json_array_get(list, i), args, path))
            json_array_append(kept, json_array_get(list, i));
    }
    int status = !fine                                ? GRC_EXIT_CONFIG
                 : path && json_array_size(kept) == 0 ? nothing_below(list, path)
                                                      : GRC_EXIT_OK;
    json_decref(list);
    if (status != GRC_EXIT_OK) {
        json_decref(kept);
        return status;
    }
    if (args->json)
        return grc_print_json(kept);
    print_all(kept, args);
    json_decref(kept);
    return grc_print_done(GRC_EXIT_OK);
}
