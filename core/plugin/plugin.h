/*
 * A loaded plugin. Rows of any accepted minor version of the ABI are copied into the host's row
 * types, overrides from the config are applied, patterns are compiled. Immutable while it serves.
 */
#pragma once

#include "config/keep.h"
#include "config/settings.h"
#include "loop/turn.h"
#include "validate/schema.h"

#include <stdatomic.h>

enum grc_load_state {
    GRC_LOAD_UNKNOWN = 0,
    GRC_LOAD_OK,
    GRC_LOAD_DISABLED,
    GRC_LOAD_NOT_FOUND,
    GRC_LOAD_UNSAFE, /* a file that others can write */
    GRC_LOAD_DLOPEN,
    GRC_LOAD_FILE, /* not a shared object that may be loaded */
    GRC_LOAD_NO_ENTRY,
    GRC_LOAD_MAGIC,
    GRC_LOAD_ABI_MAJOR,
    GRC_LOAD_ABI_MINOR,
    GRC_LOAD_SIZE,
    GRC_LOAD_BUILD, /* another major version of jansson, or another pointer width */
    GRC_LOAD_TABLE, /* a row is wrong */
    GRC_LOAD_CLASH, /* its name or a route exists already */
    GRC_LOAD_OPTION,
    GRC_LOAD_INIT,
    GRC_LOAD_START,
};

/* Of a builtin group: its routes are for the admin listener alone. A plugin cannot set it: the
 * loader masks the bits that the ABI does not define. */
#define GRC_PLUGIN_ADMIN (1u << 31)
/* Likewise, unless docs.public is set. */
#define GRC_PLUGIN_DOCS (1u << 30)

/* Most parameters that the path of a route has. */
#define GRC_PARAMS_MAX 8

struct grc_plugin;
struct grc_plugin_timer;
struct grc_module;        /* plugin/module.h */
struct grc_route_metrics; /* metrics/metrics.h */

/* A route, ready to serve. */
struct grc_route {
    const struct gr_route *row; /* host-sized copy */
    struct grc_plugin *plugin;
    const char *path;                 /* with the plugin's prefix */
    const char *alias;                /* with the prefix, or NULL */
    const struct gr_forward *forward; /* after overrides; NULL for handlers */
    struct grc_schema *params;        /* compiled field rows; NULL when there are none */
    struct grc_schema *query;
    struct grc_schema *body;
    const char *scope; /* after overrides */
    unsigned timeout_ms;
    struct grc_cache_settings cache;
    struct grc_route_metrics *metrics;
    struct grc_habit habit; /* of its handler */
};

struct grc_plugin {
    struct gr_self self; /* passed to the plugin; the first member, so that it can be cast back */
    const struct grc_plugin_settings *settings;
    char *file;                   /* path of the shared object */
    struct grc_module *module;    /* its code; NULL: linked into the host */
    const struct gr_plugin *desc; /* host-sized copy */
    enum grc_load_state state;
    char *reason; /* one line, when it is not loaded */
    struct grc_route *routes;
    size_t route_count;
    void *options;
    void *instance; /* what init made */
    bool inited;
    bool started;
    struct grc_plugin_timer *timers; /* running ones; see call/timers.h */
    size_t timer_count;
    int64_t calls_max;     /* requests in its handlers at a time; 0: any number */
    _Atomic int64_t calls; /* requests in its handlers now */
    struct grc_runtime *runtime;
    struct grc_keep keep; /* memory that lives as long as the plugin: secrets, paths */
};

/* The file of plugins.d that names the plugin, for messages about two plugins. */
static inline const char *grc_plugin_config(const struct grc_plugin *plugin)
{
    return plugin->settings ? plugin->settings->file : "the gateway's own";
}
/* Returns "FILE:LINE:COLUMN" of a key in that file, or of the file's object if it lacks the key.
 * malloc'ed; NULL without memory. */
char *grc_plugin_where(const struct grc_plugin *plugin, const char *key);
/* The name under which the store records its migrations. */
static inline const char *grc_plugin_migrations_name(const struct grc_plugin *plugin)
{
    return plugin->desc->migrations_name ? plugin->desc->migrations_name : plugin->self.name;
}

/* Whether its routes are for the admin listener alone. */
static inline bool grc_plugin_is_for_admin(const struct grc_plugin *plugin,
                                           const struct grc_settings *settings)
{
    unsigned flags =
        settings->docs.is_public ? GRC_PLUGIN_ADMIN : GRC_PLUGIN_ADMIN | GRC_PLUGIN_DOCS;

    return (plugin->desc->flags & flags) != 0;
}

/* A path of the plugin with the prefix that the config gives it, malloc'ed; NULL without memory. */
char *grc_plugin_path(const struct grc_plugin *plugin, const char *path);

/* Reads the shared object, judges it, loads it and checks its tables: everything up to (not
 * including) init. Always returns a plugin, whose state and reason tell what happened; NULL only
 * without memory. */
struct grc_plugin *grc_plugin_load(const struct grc_settings *settings,
                                   const struct grc_plugin_settings *which);
/* The same for a file that no config names: its options are not parsed. */
struct grc_plugin *grc_plugin_read(const char *file);
/* The same for a descriptor linked into the host (health, docs). */
struct grc_plugin *grc_plugin_builtin(const struct gr_plugin *desc);
/* Checks what a plugin was compiled for. *ret_reason is one malloc'ed line. */
enum grc_load_state grc_abi_check(const char *file, const struct gr_abi *abi, char **ret_reason);
/* Checks that tables are complete, for the loader and for the test of tables. */
enum grc_load_state grc_table_check(const char *file, const struct gr_plugin *desc,
                                    char **ret_reason);
/* True when every {parameter} of a path is well-formed and also one of within, another path. */
bool grc_table_params_fit(const char *path, const char *within);
/* Frees what a route owns, not the route itself. */
void grc_route_done(struct grc_route *route);
void grc_plugin_free(struct grc_plugin *plugin);
const char *grc_load_state_name(enum grc_load_state state);
