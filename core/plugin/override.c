#include "plugin/override.h"

#include "base/format.h"
#include "base/near.h"
#include "config/setting.h"
#include "config/source.h"

#include <stdio.h>
#include <stdlib.h>

#define NAMES_MAX 128

/* A key. apply returns false when the key does not fit the route. */
struct key_row {
    const char *name;
    const char *wanted;
    bool (*apply)(struct grc_route *route, struct gr_forward *forward,
                  const struct grc_route_settings *settings);
};

static bool set_upstream(struct grc_route *route, struct gr_forward *forward,
                         const struct grc_route_settings *settings)
{
    (void)route;
    if (forward && settings->upstream)
        forward->upstream = settings->upstream;
    return forward || !settings->upstream;
}

static bool set_path(struct grc_route *route, struct gr_forward *forward,
                     const struct grc_route_settings *settings)
{
    if (!settings->path)
        return true;
    if (!forward || !grc_table_params_fit(settings->path, route->row->path))
        return false;
    forward->path = settings->path;
    return true;
}

static bool set_select(struct grc_route *route, struct gr_forward *forward,
                       const struct grc_route_settings *settings)
{
    (void)route;
    if (forward && settings->whole_answer)
        forward->select = NULL;
    return forward || !settings->whole_answer;
}

static bool set_scope(struct grc_route *route, struct gr_forward *forward,
                      const struct grc_route_settings *settings)
{
    (void)forward;
    if (settings->scope)
        route->scope = settings->scope;
    return !settings->scope ||
           (strchr(settings->scope, ':') && route->row->access == GR_ACCESS_CALLER);
}

static bool set_timeout(struct grc_route *route, struct gr_forward *forward,
                        const struct grc_route_settings *settings)
{
    if (settings->timeout_ms > 0)
        route->timeout_ms = (unsigned)settings->timeout_ms;
    return forward || settings->timeout_ms == 0;
}

static bool set_cache(struct grc_route *route, struct gr_forward *forward,
                      const struct grc_route_settings *settings)
{
    route->cache = settings->cache;
    return settings->cache.ttl_ms == 0 || (forward && route->row->method == GR_METHOD_GET);
}

static const struct key_row keys[] = {
    {"upstream", "to be on a route that forwards", set_upstream},
    {"path", "a path with no other {parameters} than the route's, on a route that forwards",
     set_path},
    {"select", "to be on a route that forwards", set_select},
    {"scope", "a scope like rooms:read, on a route that needs one", set_scope},
    {"timeout", "to be on a route that forwards", set_timeout},
    {"cache", "to be on a GET route that forwards", set_cache},
};

static struct grc_route *find_route(struct grc_plugin *plugin, const char *id)
{
    for (size_t i = 0; i < plugin->route_count; i++) {
        if (plugin->routes[i].row && strcmp(plugin->routes[i].row->id, id) == 0)
            return &plugin->routes[i];
    }
    return NULL;
}

/* Returns an id of this plugin that is close to a mistyped one, or NULL. */
static const char *near_id(const struct grc_plugin *plugin, const char *id)
{
    const char *names[NAMES_MAX] = {NULL};
    size_t count = 0;

    for (size_t i = 0; i < plugin->route_count && count + 1 < NAMES_MAX; i++) {
        if (plugin->routes[i].row)
            names[count++] = plugin->routes[i].row->id;
    }
    return grc_name_near(id, names);
}

/* Makes the reason "FILE:LINE:COLUMN: routes.ID.KEY: WHAT"; key may be NULL. Returns false. */
static bool refuse(const struct grc_plugin *plugin, const char *id, const char *key,
                   const char *what, const char *more, char **ret_reason)
{
    const struct grc_path routes = {.name = "routes"};
    const struct grc_path route = {.up = &routes, .name = id};
    const struct grc_path member = {.up = &route, .name = key};
    char *where = grc_source_where(plugin->settings->file, key ? &member : &route);

    (void)grc_refuse(ret_reason, "%s: routes.%s%s%s: %s%s", where ? where : plugin->settings->file,
                     id, key ? "." : "", key ? key : "", what, more);
    free(where);
    return false;
}

static bool apply_route(struct grc_plugin *plugin, const struct grc_route_settings *settings,
                        char **ret_reason)
{
    struct grc_route *route = find_route(plugin, settings->id);
    char more[160] = "";

    if (!route) {
        const char *near = near_id(plugin, settings->id);

        if (near)
            snprintf(more, sizeof(more), ", did you mean \"%s\"?", near);
        else
            snprintf(more, sizeof(more), ": greenroom routes lists ids");
        return refuse(plugin, settings->id, NULL, "no route of this plugin has that id", more,
                      ret_reason);
    }
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        /* rows.c made this copy for the host, which may change it until the plugin serves. */
        if (!keys[i].apply(route, (struct gr_forward *)(uintptr_t)route->forward, settings))
            return refuse(plugin, settings->id, keys[i].name, "expected ", keys[i].wanted,
                          ret_reason);
    }
    if (!settings->enabled)
        route->row = NULL;
    return true;
}

bool grc_override_apply(struct grc_plugin *plugin, char **ret_reason)
{
    for (size_t i = 0; i < plugin->settings->route_count; i++) {
        if (!apply_route(plugin, &plugin->settings->routes[i], ret_reason))
            return false;
    }
    size_t kept = 0;
    for (size_t i = 0; i < plugin->route_count; i++) {
        if (plugin->routes[i].row)
            plugin->routes[kept++] = plugin->routes[i];
        else
            grc_route_done(&plugin->routes[i]);
    }
    plugin->route_count = kept;
    return true;
}
