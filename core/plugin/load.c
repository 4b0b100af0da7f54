/* Loads plugins: opens a shared object, checks it, and makes its tables ready to serve. */
#include "base/format.h"
#include "base/near.h"
#include "config/handover.h"
#include "config/options.h"
#include "config/setting.h"
#include "config/source.h"
#include "metrics/metrics.h"
#include "plugin/judge.h"
#include "plugin/module.h"
#include "plugin/override.h"
#include "plugin/plugin.h"
#include "plugin/rows.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/file.h"

#define PLUGIN_FLAGS                                                                               \
    ((unsigned)GR_PLUGIN_NEEDS_JSON_TYPE | (unsigned)GR_PLUGIN_NO_STORE |                          \
     (unsigned)GR_PLUGIN_ANY_ORIGIN)

static bool refuse(struct grc_plugin *plugin, enum grc_load_state state, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static bool refuse(struct grc_plugin *plugin, enum grc_load_state state, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    plugin->state = state;
    plugin->reason = grc_format_args(format, args);
    va_end(args);
    return false;
}

/* Refuses the plugin with a reason from another function. Steals the reason. */
static bool refuse_with(struct grc_plugin *plugin, enum grc_load_state state, char *reason)
{
    plugin->state = state;
    plugin->reason = reason;
    return false;
}

/* Copies a text to memory that lives as long as the plugin, and frees it. */
static const char *take_text(struct grc_plugin *plugin, char *text)
{
    const char *copy = grc_keep_copy(&plugin->keep, gr_str_of(text));

    free(text);
    return copy ? copy : "out of memory";
}

static char *library_path(const struct grc_settings *settings, const char *library)
{
    return library[0] == '/' ? strdup(library) : grc_path_join(settings->plugin_dir, library);
}

static enum grc_load_state state_of(enum grc_module_state state)
{
    static const enum grc_load_state states[] = {
        [GRC_MODULE_OK] = GRC_LOAD_OK,
        [GRC_MODULE_NOT_FOUND] = GRC_LOAD_NOT_FOUND,
        [GRC_MODULE_UNSAFE] = GRC_LOAD_UNSAFE,
        [GRC_MODULE_FILE] = GRC_LOAD_FILE,
        [GRC_MODULE_NO_ENTRY] = GRC_LOAD_NO_ENTRY,
        [GRC_MODULE_DLOPEN] = GRC_LOAD_DLOPEN,
    };

    return states[state];
}

char *grc_plugin_where(const struct grc_plugin *plugin, const char *key)
{
    const struct grc_path path = {.name = key};

    return grc_source_where(grc_plugin_config(plugin), &path);
}

static int is_library(const struct dirent *entry)
{
    const char *dot = strrchr(entry->d_name, '.');

    return dot && strcmp(dot, ".so") == 0;
}

/* Returns the name of the library in the same directory whose spelling is most similar, malloc'ed,
 * or NULL when none is similar. */
static char *near_library(const char *file)
{
    const char *slash = strrchr(file, '/');
    char *dir = slash ? strndup(file, (size_t)(slash - file)) : NULL;
    struct dirent **list = NULL;
    int count = dir ? scandir(dir, &list, is_library, alphasort) : -1;
    const char **names = count > 0 ? calloc((size_t)count + 1, sizeof(*names)) : NULL;
    const char *near = NULL;

    for (int i = 0; names && i < count; i++)
        names[i] = list[i]->d_name;
    if (names)
        near = grc_name_near(slash + 1, names);
    char *copy = near ? strdup(near) : NULL;
    for (int i = 0; i < count; i++)
        free(list[i]);
    free(list);
    free(names);
    free(dir);
    return copy;
}

/* Refuses a group whose library does not exist, at the place in its file that names the library. */
static bool refuse_missing(struct grc_plugin *plugin, const char *reason)
{
    char *where = grc_plugin_where(plugin, "library");
    char *near = near_library(plugin->file);

    refuse(plugin, GRC_LOAD_NOT_FOUND, "%s: library: %s%s%s%s",
           where ? where : plugin->settings->file, reason, near ? ", did you mean \"" : "",
           near ? near : "", near ? "\"?" : "");
    free(near);
    free(where);
    return false;
}

/* Reads and checks the file, and only then loads it. */
static bool open_module(struct grc_plugin *plugin)
{
    struct grc_image image = {.fd = -1};
    char *reason = NULL;
    int fd = plugin->settings ? plugin->settings->library_fd : 0;
    enum grc_load_state state = state_of(fd ? grc_image_take(plugin->file, fd, &image, &reason)
                                            : grc_image_read(plugin->file, &image, &reason));

    if (state == GRC_LOAD_NOT_FOUND && reason && plugin->settings)
        return refuse_missing(plugin, take_text(plugin, reason));
    if (state == GRC_LOAD_OK)
        state = grc_abi_check(plugin->file, &image.elf.abi, &reason);
    if (state != GRC_LOAD_OK) {
        grc_image_done(&image);
        return refuse_with(plugin, state, reason);
    }
    plugin->module = grc_module_load(plugin->file, &image, &reason);
    return plugin->module || refuse_with(plugin, GRC_LOAD_DLOPEN, reason);
}

/* Gets the descriptor, which must have the sizes and the name of the note that was checked. */
static bool find_descriptor(struct grc_plugin *plugin, const struct gr_plugin **ret_desc)
{
    const struct grc_elf *elf = grc_module_elf(plugin->module);
    const struct gr_plugin *desc = grc_module_descriptor(plugin->module);

    if (!desc)
        return refuse(plugin, GRC_LOAD_NO_ENTRY,
                      "%s: gr_plugin_entry: found no descriptor, wanted one", plugin->file);
    char *reason = NULL;
    if (memcmp(&desc->abi, &elf->abi, sizeof(desc->abi)) != 0 || !desc->name ||
        strcmp(desc->name, elf->name) != 0)
        return refuse(plugin, GRC_LOAD_TABLE,
                      "%s: descriptor: found another name or other sizes than the note has, wanted "
                      "both from one GR_PLUGIN()",
                      plugin->file);
    if (!grc_judge(plugin->file, plugin->module, desc, &reason))
        return refuse_with(plugin, GRC_LOAD_TABLE, reason);
    if (strcmp(desc->version, elf->version) != 0)
        return refuse(
            plugin, GRC_LOAD_TABLE,
            "%s: version: found '%.60s', wanted '%s' as in the note: at most %zu characters",
            plugin->file, desc->version, elf->version, sizeof(elf->version) - 1);
    grc_module_version_set(plugin->module, desc->version);
    *ret_desc = desc;
    return true;
}

char *grc_plugin_path(const struct grc_plugin *plugin, const char *path)
{
    const char *prefix = plugin->settings ? plugin->settings->prefix : NULL;

    return grc_format("%s%s", prefix ? prefix : "", path);
}

/* Compiled rows, or what is wrong with them. */
struct compiled {
    struct grc_schema *schema;
    char *reason;
    const char *not_flat; /* a row that cannot describe a parameter */
};

static struct compiled compile_pairs(const struct gr_field *rows, size_t field_size)
{
    struct compiled made = {NULL, NULL, NULL};

    if (rows) {
        made.schema = grc_schema_members(rows, field_size, &made.reason);
        made.not_flat = made.schema ? grc_schema_not_flat(made.schema) : NULL;
    }
    return made;
}

/* Puts the schema into the route, which frees it in any case. Returns false after refusing it. */
static bool take_schema(struct grc_plugin *plugin, const struct gr_route *row, const char *what,
                        const struct gr_field *rows, struct compiled made,
                        struct grc_schema **place)
{
    bool ok = true;

    *place = made.schema;
    if (rows && !made.schema)
        ok = refuse(plugin, GRC_LOAD_TABLE, "%s: route %s: %s: %s", plugin->file, row->id, what,
                    made.reason ? made.reason : "out of memory");
    else if (made.not_flat)
        ok =
            refuse(plugin, GRC_LOAD_TABLE, "%s: route %s: %s: %s: wanted a type that text can hold",
                   plugin->file, row->id, what, made.not_flat);
    free(made.reason);
    return ok;
}

static bool make_route(struct grc_plugin *plugin, const struct gr_route *row,
                       struct grc_route *route)
{
    size_t size = plugin->desc->abi.field_size;

    route->row = row;
    route->plugin = plugin;
    route->forward = row->forward;
    route->scope = row->scope;
    route->timeout_ms = row->timeout_ms;
    route->metrics = grc_metrics_route(row->id, plugin->desc->name);
    route->path = grc_plugin_path(plugin, row->path);
    route->alias = row->alias ? grc_plugin_path(plugin, row->alias) : NULL;
    if (!route->path || (row->alias && !route->alias))
        return refuse(plugin, GRC_LOAD_TABLE, "%s: out of memory", plugin->file);
    struct compiled body = {NULL, NULL, NULL};
    if (row->body)
        body.schema = grc_schema_value(row->body, size, &body.reason);
    return take_schema(plugin, row, "body", row->body, body, &route->body) &&
           take_schema(plugin, row, "params", row->params, compile_pairs(row->params, size),
                       &route->params) &&
           take_schema(plugin, row, "query", row->query, compile_pairs(row->query, size),
                       &route->query);
}

static bool make_routes(struct grc_plugin *plugin)
{
    char *reason = NULL;
    size_t count = grc_route_rows(plugin->desc->routes);

    plugin->routes = calloc(count + 1, sizeof(*plugin->routes));
    if (!plugin->routes)
        return refuse(plugin, GRC_LOAD_TABLE, "%s: out of memory", plugin->file);
    for (size_t i = 0; i < count; i++) {
        plugin->route_count = i + 1; /* counted first, so that a half-made route is freed */
        if (!make_route(plugin, &plugin->desc->routes[i], &plugin->routes[i]))
            return false;
    }
    if (plugin->settings && !grc_override_apply(plugin, &reason))
        return refuse_with(plugin, GRC_LOAD_OPTION, reason);
    return true;
}

static void keep_first(void *arg, const char *line)
{
    struct grc_plugin *plugin = arg;

    if (!plugin->reason)
        plugin->reason = strdup(line);
}

static bool parse_options(struct grc_plugin *plugin)
{
    const char *file = plugin->settings ? plugin->settings->file : plugin->file;

    plugin->options = grc_options_parse(
        plugin->desc, file, plugin->settings ? plugin->settings->config : NULL, keep_first, plugin);
    if (!plugin->options)
        plugin->state = GRC_LOAD_OPTION;
    return plugin->options != NULL;
}

static bool prepare(struct grc_plugin *plugin, const struct gr_plugin *desc)
{
    char *reason = NULL;

    plugin->desc = grc_rows_normalise(desc);
    if (!plugin->desc)
        return refuse(plugin, GRC_LOAD_TABLE, "%s: out of memory", plugin->file);
    /* Other bits belong to the host, for plugins that are linked into it. */
    if (plugin->module)
        ((struct gr_plugin *)(uintptr_t)plugin->desc)->flags &= PLUGIN_FLAGS;
    enum grc_load_state state = grc_table_check(plugin->file, plugin->desc, &reason);
    if (state != GRC_LOAD_OK)
        return refuse_with(plugin, state, reason);
    plugin->self.name = plugin->desc->name;
    if (!make_routes(plugin))
        return false;
    plugin->state = GRC_LOAD_OK;
    return true;
}

static struct grc_plugin *make(const struct grc_plugin_settings *which)
{
    struct grc_plugin *plugin = calloc(1, sizeof(*plugin));

    if (plugin) {
        plugin->settings = which;
        plugin->self.name = which ? which->name : "builtin";
    }
    return plugin;
}

struct grc_plugin *grc_plugin_load(const struct grc_settings *settings,
                                   const struct grc_plugin_settings *which)
{
    const struct gr_plugin *desc = NULL;
    struct grc_plugin *plugin = make(which);

    if (!plugin)
        return NULL;
    if (!which->enabled) {
        plugin->state = GRC_LOAD_DISABLED;
        return plugin;
    }
    plugin->calls_max =
        which->calls_max ? which->calls_max : grc_requests_share(settings->requests_max);
    plugin->file = library_path(settings, which->library);
    if (!plugin->file) {
        refuse(plugin, GRC_LOAD_NOT_FOUND, "%s: out of memory", which->file);
    } else if (open_module(plugin) && find_descriptor(plugin, &desc)) {
        /* Reading its options may read further variables and secret files. */
        struct grc_handover *before = grc_handover_record(settings->handover);

        grc_handover_owner(which->name);
        if (prepare(plugin, desc))
            parse_options(plugin);
        (void)grc_handover_record(before);
    }
    return plugin;
}

struct grc_plugin *grc_plugin_read(const char *file)
{
    const struct gr_plugin *desc = NULL;
    struct grc_plugin *plugin = make(NULL);

    if (!plugin)
        return NULL;
    plugin->file = strdup(file);
    if (!plugin->file)
        refuse(plugin, GRC_LOAD_NOT_FOUND, "%s: out of memory", file);
    else if (open_module(plugin) && find_descriptor(plugin, &desc))
        prepare(plugin, desc);
    return plugin;
}

struct grc_plugin *grc_plugin_builtin(const struct gr_plugin *desc)
{
    struct grc_plugin *plugin = make(NULL);

    if (!plugin)
        return NULL;
    plugin->file = strdup("builtin");
    if (!plugin->file)
        refuse(plugin, GRC_LOAD_NOT_FOUND, "builtin: out of memory");
    else if (prepare(plugin, desc))
        parse_options(plugin);
    return plugin;
}

void grc_plugin_free(struct grc_plugin *plugin)
{
    if (!plugin)
        return;
    for (size_t i = 0; i < plugin->route_count; i++)
        grc_route_done(&plugin->routes[i]);
    free(plugin->routes);
    if (plugin->desc) {
        grc_options_free(plugin->desc, plugin->options);
        grc_rows_free(plugin->desc);
    }
    grc_keep_done(&plugin->keep);
    free(plugin->reason);
    free(plugin->file);
    grc_module_unref(plugin->module);
    free(plugin);
}
