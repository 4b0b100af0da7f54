#include "server/runtime_check.h"

#include "config/setting.h"
#include "config/source.h"
#include "idempotency/idempotency.h"
#include "server/names.h"
#include "store/try.h"

#include <stdlib.h>

static struct grc_plugin *same_name(const struct grc_runtime *runtime,
                                    const struct grc_plugin *plugin)
{
    for (size_t i = 0; i < runtime->plugin_count; i++) {
        struct grc_plugin *other = runtime->plugins[i];

        if (other == plugin)
            return NULL;
        if (other->state == GRC_LOAD_OK && strcmp(other->self.name, plugin->self.name) == 0)
            return other;
    }
    return NULL;
}

/* Finds another route with the same operation id. Ids must be unique in the gateway, since metrics,
 * scopes and overrides use them. */
static const struct grc_route *same_id(const struct grc_runtime *runtime,
                                       const struct grc_plugin *plugin, const char *id)
{
    for (size_t i = 0; i < runtime->plugin_count && runtime->plugins[i] != plugin; i++) {
        const struct grc_plugin *other = runtime->plugins[i];

        for (size_t j = 0; other->state == GRC_LOAD_OK && j < other->route_count; j++) {
            if (strcmp(other->routes[j].row->id, id) == 0)
                return &other->routes[j];
        }
    }
    return NULL;
}

bool grc_runtime_check_unique(const struct grc_runtime *runtime, struct grc_plugin *plugin,
                              const struct grc_reporter *reporter)
{
    const struct grc_plugin *other = same_name(runtime, plugin);

    if (other)
        return grc_plugin_drop_at(reporter, plugin, GRC_LOAD_CLASH, "library",
                                  "%s: name: found '%s' a second time, wanted a name that %s (%s) "
                                  "does not have: disable one of the two",
                                  plugin->file, plugin->self.name, grc_plugin_config(other),
                                  other->file);
    for (size_t i = 0; i < plugin->route_count; i++) {
        const struct grc_route *route = same_id(runtime, plugin, plugin->routes[i].row->id);

        /* For routes with the same path, the router has a better message. */
        if (route && strcmp(route->path, plugin->routes[i].path) != 0)
            return grc_plugin_drop_at(reporter, plugin, GRC_LOAD_CLASH, "library",
                                      "%s: route %zu: id: found '%s' a second time, wanted an id "
                                      "that %s (%s) does not have: disable one of the two",
                                      plugin->file, i, plugin->routes[i].row->id,
                                      grc_plugin_config(route->plugin), route->plugin->file);
    }
    return true;
}

static bool check_store(struct grc_plugin *plugin, const struct grc_settings *settings,
                        const struct grc_reporter *reporter)
{
    if (!plugin->desc->migrations || settings->store)
        return true;
    const struct grc_path path = {.name = "store"};
    char *place = grc_source_place_main(settings->dir, &path);
    bool overlooked = grc_plugin_drop(reporter, plugin, GRC_LOAD_OPTION,
                                      "%s: missing: the group of %s keeps data: name a "
                                      "database, such as \"sqlite:greenroom.db\"",
                                      place ? place : settings->dir, grc_plugin_config(plugin));
    free(place);
    return overlooked;
}

static bool try_migrations(const struct grc_runtime *runtime, struct grc_plugin *plugin,
                           const struct grc_reporter *reporter)
{
    const struct gr_migration *steps = plugin->desc->migrations;
    char *reason = NULL;

    if (runtime->store && grc_store_is_migrated(runtime->store, grc_plugin_migrations_name(plugin),
                                                steps, sizeof(*steps)))
        return true;
    bool fine = grc_migrations_try(steps, &reason) ||
                grc_plugin_drop(reporter, plugin, GRC_LOAD_TABLE, "%s: %s", plugin->file,
                                reason ? reason : "out of memory");
    free(reason);
    return fine;
}

/* The gateway makes the tables, and the group's process uses them. */
static bool check_isolation(struct grc_plugin *plugin, const struct grc_settings *settings,
                            const struct grc_reporter *reporter)
{
    if (!plugin->settings || !plugin->settings->isolated || !plugin->desc->migrations ||
        !settings->store || strcmp(settings->store, "sqlite::memory:") != 0)
        return true;
    return grc_plugin_drop_at(reporter, plugin, GRC_LOAD_OPTION, "isolation",
                              "the group keeps data, but its process cannot reach "
                              "\"store\": \"sqlite::memory:\"; name a file");
}

static bool takes_keys(const struct grc_plugin *plugin)
{
    for (size_t i = 0; i < plugin->route_count; i++) {
        if (grc_idempotency_of(&plugin->routes[i]))
            return true;
    }
    return false;
}

/* Records in memory would be lost with every reload, and requests carried out twice. */
static bool check_idempotency(struct grc_plugin *plugin, const struct grc_settings *settings,
                              const struct grc_reporter *reporter)
{
    const char *problem = NULL;

    if (!plugin->settings || plugin->settings->idempotency.keep_ms == 0)
        return true;
    if (!takes_keys(plugin))
        problem = "no route of this group takes an Idempotency-Key";
    else if (!settings->store)
        problem = "the records need a store, but the config names no \"store\"";
    else if (strcmp(settings->store, "sqlite::memory:") == 0)
        problem = "the records cannot be kept in \"store\": \"sqlite::memory:\"; name a file";
    return !problem || grc_plugin_drop(reporter, plugin, GRC_LOAD_OPTION, "%s: idempotency: %s",
                                       plugin->settings->file, problem);
}

/* Keys in memory would be lost with every reload, and `greenroom keys` could add none. */
static bool check_keys(const struct grc_settings *settings, const struct grc_reporter *reporter)
{
    const struct grc_path auth = {.name = "auth"};
    const struct grc_path keys = {.up = &auth, .name = "keys"};
    const struct grc_path path = {.up = &keys, .name = "store"};
    bool lasts = settings->store && strcmp(settings->store, "sqlite::memory:") != 0;

    return !settings->auth.keys_in_store || lasts ||
           grc_source_say_main(settings->dir, &path, reporter->report, reporter->arg,
                               "the keys need a \"store\" that lasts: \"sqlite:FILE\" or "
                               "\"postgres://…\"");
}

bool grc_runtime_check(struct grc_runtime *runtime, const struct grc_reporter *reporter)
{
    bool fine = true;

    if (!check_keys(runtime->settings, reporter))
        return false;
    for (size_t i = 0; i < runtime->plugin_count; i++) {
        struct grc_plugin *plugin = runtime->plugins[i];

        if (plugin->state == GRC_LOAD_OK &&
            !grc_names_check_upstreams(plugin, runtime->settings, reporter))
            fine = false;
        if (plugin->state == GRC_LOAD_OK && !check_store(plugin, runtime->settings, reporter))
            fine = false;
        if (plugin->state == GRC_LOAD_OK && !check_isolation(plugin, runtime->settings, reporter))
            fine = false;
        if (plugin->state == GRC_LOAD_OK && !check_idempotency(plugin, runtime->settings, reporter))
            fine = false;
    }
    return fine;
}

bool grc_runtime_try_migrations(struct grc_runtime *runtime, const struct grc_reporter *reporter)
{
    bool fine = true;

    for (size_t i = 0; i < runtime->plugin_count; i++) {
        struct grc_plugin *plugin = runtime->plugins[i];

        if (plugin->state == GRC_LOAD_OK && plugin->desc->migrations &&
            !try_migrations(runtime, plugin, reporter))
            fine = false;
    }
    return fine;
}
