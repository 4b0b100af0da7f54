#include "plugin/override.h"

#include "config/options.h"

#include <stdio.h>
#include <stdlib.h>

/* One key: takes its value over into the route, or says what it wanted. */
struct key_row {
    const char *name;
    const char *wanted;
    bool (*apply)(struct grc_route *route, struct gr_forward *forward, const json_t *value);
};

static bool set_enabled(struct grc_route *route, struct gr_forward *forward, const json_t *value)
{
    (void)forward;
    if (json_is_false(value))
        route->row = NULL;
    return json_is_boolean(value);
}

static bool set_upstream(struct grc_route *route, struct gr_forward *forward, const json_t *value)
{
    (void)route;
    if (forward)
        forward->upstream = json_string_value(value);
    return forward && json_is_string(value);
}

static bool set_path(struct grc_route *route, struct gr_forward *forward, const json_t *value)
{
    (void)route;
    if (forward)
        forward->path = json_string_value(value);
    return forward && json_is_string(value) && json_string_value(value)[0] == '/';
}

static bool set_select(struct grc_route *route, struct gr_forward *forward, const json_t *value)
{
    (void)route;
    if (forward)
        forward->select = NULL;
    return forward && json_is_null(value);
}

static bool set_scope(struct grc_route *route, struct gr_forward *forward, const json_t *value)
{
    (void)forward;
    route->scope = json_string_value(value);
    return json_is_string(value) && strchr(route->scope, ':') &&
           route->row->access == GR_ACCESS_CALLER;
}

/* A duration as text, or a number of milliseconds. */
static bool read_ms(const json_t *value, int64_t max_ms, int64_t *ret_ms)
{
    if (json_is_integer(value))
        *ret_ms = json_integer_value(value);
    else if (!json_is_string(value) || !grc_duration_parse(json_string_value(value), ret_ms))
        return false;
    return *ret_ms >= 0 && *ret_ms <= max_ms;
}

static bool set_timeout(struct grc_route *route, struct gr_forward *forward, const json_t *value)
{
    int64_t ms = 0;

    if (!forward || !read_ms(value, 3600000, &ms) || ms == 0)
        return false;
    route->timeout_ms = (unsigned)ms;
    return true;
}

static bool set_cache(struct grc_route *route, struct gr_forward *forward, const json_t *value)
{
    return forward && route->row->method == GR_METHOD_GET &&
           read_ms(value, 3600000, &route->cache_ttl_ms);
}

static const struct key_row keys[] = {
    {"enabled", "true or false", set_enabled},
    {"upstream", "the name of an upstream, on a route that forwards", set_upstream},
    {"path", "a path of the upstream, on a route that forwards", set_path},
    {"select", "null, on a route that forwards", set_select},
    {"scope", "a scope like rooms:read, on a route that wants one", set_scope},
    {"timeout", "a duration up to 1h, on a route that forwards", set_timeout},
    {"cache", "a duration up to 1h, on a GET route that forwards", set_cache},
};

static const struct key_row *find_key(const char *name)
{
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        if (strcmp(keys[i].name, name) == 0)
            return &keys[i];
    }
    return NULL;
}

static struct grc_route *find_route(struct grc_plugin *plugin, const char *id)
{
    for (size_t i = 0; i < plugin->route_count; i++) {
        if (plugin->routes[i].row && strcmp(plugin->routes[i].row->id, id) == 0)
            return &plugin->routes[i];
    }
    return NULL;
}

static bool apply_route(struct grc_plugin *plugin, const char *id, const json_t *changes,
                        char **ret_reason)
{
    const char *file = plugin->settings->file;
    struct grc_route *route = find_route(plugin, id);
    const char *name;
    json_t *value;

    if (!route || !json_is_object(changes)) {
        if (asprintf(ret_reason, "%s: routes.%s: %s", file, id,
                     route ? "expected an object" : "no route of this plugin has that id") < 0)
            *ret_reason = NULL;
        return false;
    }
    json_object_foreach((json_t *)(uintptr_t)changes, name, value) {
        const struct key_row *key = find_key(name);

        /* The copy made by rows.c is the host's own, to change until it serves. */
        if (key && key->apply(route, (struct gr_forward *)(uintptr_t)route->forward, value))
            continue;
        if (asprintf(ret_reason, "%s: routes.%s.%s: %s%s", file, id, name,
                     key ? "expected " : "unknown key", key ? key->wanted : "") < 0)
            *ret_reason = NULL;
        return false;
    }
    return true;
}

bool grc_override_apply(struct grc_plugin *plugin, char **ret_reason)
{
    const char *id;
    json_t *changes;

    json_object_foreach((json_t *)(uintptr_t)plugin->settings->routes, id, changes) {
        if (!apply_route(plugin, id, changes, ret_reason))
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
