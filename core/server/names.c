#include "server/names.h"

#include "base/file.h"
#include "base/near.h"
#include "base/scope.h"
#include "config/setting.h"
#include "config/source.h"

#include <stdio.h>
#include <stdlib.h>

#define WHO_MAX_BYTES 256u

/* `, did you mean "x"?`, or nothing. */
struct hint {
    const char *before;
    const char *near;
    const char *after;
};

static struct hint hint_of(const char *name, const char *const *names)
{
    const char *near = names ? grc_name_near(name, names) : NULL;

    return near ? (struct hint){", did you mean \"", near, "\"?"} : (struct hint){"", "", ""};
}

/* --- upstreams --- */

/* Leaves a group out because its file names an unknown upstream at this path. Returns what
 * grc_plugin_drop() does. */
static bool unknown_upstream(struct grc_plugin *plugin, const struct grc_settings *settings,
                             const struct grc_reporter *reporter, const struct grc_path *path,
                             const char *name)
{
    const char **names = calloc(settings->upstream_count + 1, sizeof(*names));
    char *where = grc_source_where(grc_plugin_config(plugin), path);
    struct grc_buf text;

    for (size_t i = 0; names && i < settings->upstream_count; i++)
        names[i] = settings->upstreams[i].name;
    const struct hint hint = hint_of(name, names);
    grc_buf_init(&text, WHO_MAX_BYTES);
    grc_path_write(&text, path);
    bool overlooked =
        grc_plugin_drop(reporter, plugin, GRC_LOAD_OPTION,
                        "%s: %s: found '%s', wanted one of the config's \"upstreams\"%s%s%s",
                        where ? where : grc_plugin_config(plugin), text.ptr ? text.ptr : "upstream",
                        name, hint.before, hint.near, hint.after);
    grc_buf_done(&text);
    free(where);
    free(names);
    return overlooked;
}

/* Leaves a group out because greenroom.json lacks an upstream that a part of the plugin, who, uses.
 * Returns what grc_plugin_drop() does. */
static bool missing_upstream(struct grc_plugin *plugin, const struct grc_settings *settings,
                             const struct grc_reporter *reporter, const char *who, const char *name)
{
    const struct grc_path up = {.name = "upstreams"};
    const struct grc_path path = {.up = &up, .name = name};
    char *place = grc_source_place_main(settings->dir, &path);
    bool overlooked =
        grc_plugin_drop(reporter, plugin, GRC_LOAD_OPTION,
                        "%s: missing: %s of %s calls it: add it, or disable that group",
                        place ? place : settings->dir, who, grc_plugin_config(plugin));

    free(place);
    return overlooked;
}

static bool check_options(struct grc_plugin *plugin, const struct grc_settings *settings,
                          const struct grc_reporter *reporter)
{
    const struct gr_option *row = plugin->desc->options;
    const struct grc_path up = {.name = "config"};
    const char *name = NULL;

    for (; row && row->name; row++) {
        const struct grc_path path = {.up = &up, .name = row->name};

        if (row->type != GR_OPT_UPSTREAM)
            continue;
        memcpy(&name, (const char *)plugin->options + row->offset, sizeof(name));
        if (name && !grc_settings_upstream(settings, name))
            return unknown_upstream(plugin, settings, reporter, &path, name);
    }
    return true;
}

/* True when the text comes from an override in the config. It is compared by address. */
static bool is_override(const struct grc_plugin *plugin, const char *upstream)
{
    const struct grc_plugin_settings *settings = plugin->settings;

    for (size_t i = 0; settings && i < settings->route_count; i++) {
        if (settings->routes[i].upstream == upstream)
            return true;
    }
    return false;
}

/* The upstream of a route is from an override in the file of the group, or from its row. */
static bool refuse_route(struct grc_plugin *plugin, const struct grc_route *route,
                         const struct grc_settings *settings, const struct grc_reporter *reporter)
{
    const struct grc_path routes = {.name = "routes"};
    const struct grc_path id = {.up = &routes, .name = route->row->id};
    const struct grc_path path = {.up = &id, .name = "upstream"};
    char who[WHO_MAX_BYTES];

    if (is_override(plugin, route->forward->upstream))
        return unknown_upstream(plugin, settings, reporter, &path, route->forward->upstream);
    snprintf(who, sizeof(who), "the route %s", route->row->id);
    return missing_upstream(plugin, settings, reporter, who, route->forward->upstream);
}

bool grc_names_check_upstreams(struct grc_plugin *plugin, const struct grc_settings *settings,
                               const struct grc_reporter *reporter)
{
    const char *const *declared = plugin->desc->upstreams;

    for (size_t i = 0; i < plugin->route_count; i++) {
        if (plugin->routes[i].forward &&
            !grc_settings_upstream(settings, plugin->routes[i].forward->upstream))
            return refuse_route(plugin, &plugin->routes[i], settings, reporter);
    }
    for (; declared && *declared; declared++) {
        if (!grc_settings_upstream(settings, *declared))
            return missing_upstream(plugin, settings, reporter, "the code", *declared);
    }
    return check_options(plugin, settings, reporter);
}

/* --- routes and scopes --- */

/* The names that the loaded plugins have, and the reader that reports unknown ones. */
struct known {
    const struct grc_runtime *runtime;
    struct grc_reader reader; /* of greenroom.json */
    const char **routes;      /* NULL ends both */
    const char **scopes;
};

/* True for the id of a route that the operator switched off, and for a name of a group that is
 * configured but not loaded. */
static bool is_of_absent(const struct grc_runtime *runtime, const char *name)
{
    const gr_str group = {name, strcspn(name, ".:")};

    for (size_t i = 0; i < runtime->plugin_count; i++) {
        const struct grc_plugin *plugin = runtime->plugins[i];

        if (plugin->state != GRC_LOAD_OK && gr_str_eq(gr_str_of(plugin->self.name), group))
            return true;
        for (size_t j = 0; plugin->settings && j < plugin->settings->route_count; j++) {
            if (strcmp(plugin->settings->routes[j].id, name) == 0)
                return true;
        }
    }
    return false;
}

/* what: "no route has the id". */
static void refuse(struct known *known, const struct grc_path *path, const char *what,
                   const char *name, const char *const *candidates)
{
    const struct hint hint = hint_of(name, candidates);
    const char *listed = hint.near[0] ? "" : ": greenroom routes lists ids and scopes";

    grc_reader_problem(&known->reader, path, "%s \"%s\"%s%s%s%s", what, name, hint.before,
                       hint.near, hint.after, listed);
}

static void check_route(struct known *known, const struct grc_path *path, const char *name)
{
    for (const char **id = known->routes; *id; id++) {
        if (strcmp(*id, name) == 0)
            return;
    }
    if (!is_of_absent(known->runtime, name))
        refuse(known, path, "no route has the id", name, known->routes);
}

static void check_scope(struct known *known, const struct grc_path *path, const char *name)
{
    for (const char **scope = known->scopes; *scope; scope++) {
        if (grc_scope_covers(gr_str_of(name), gr_str_of(*scope)))
            return;
    }
    if (!is_of_absent(known->runtime, name))
        refuse(known, path, "no route wants the scope", name, known->scopes);
}

static void check_limits(struct known *known, const struct grc_limits_settings *limits)
{
    const struct grc_path root = {.name = "limits"};
    const struct grc_path routes = {.up = &root, .name = "routes"};
    const struct grc_path scopes = {.up = &root, .name = "scopes"};

    for (size_t i = 0; i < limits->route_count; i++) {
        const struct grc_path path = {.up = &routes, .name = limits->routes[i].name};

        check_route(known, &path, limits->routes[i].name);
    }
    for (size_t i = 0; i < limits->scope_count; i++) {
        const struct grc_path path = {.up = &scopes, .name = limits->scopes[i].name};

        check_scope(known, &path, limits->scopes[i].name);
    }
}

static void check_scope_list(struct known *known, const struct grc_path *path,
                             const char *const *scopes)
{
    for (; scopes && *scopes; scopes++)
        check_scope(known, path, *scopes);
}

static void check_auth(struct known *known, const struct grc_auth_settings *auth)
{
    const struct grc_path root = {.name = "auth"};
    const struct grc_path none = {.up = &root, .name = "none"};
    const struct grc_path none_scopes = {.up = &none, .name = "scopes"};
    const struct grc_path jwt = {.up = &root, .name = "jwt"};

    check_scope_list(known, &none_scopes, auth->none_scopes);
    for (size_t i = 0; i < auth->jwt_count; i++) {
        const struct grc_path provider = {.up = &jwt, .name = auth->jwt[i].name};
        const struct grc_path scopes = {.up = &provider, .name = "scopes"};

        for (size_t j = 0; j < auth->jwt[i].scope_count; j++) {
            const struct grc_path value = {.up = &scopes, .name = auth->jwt[i].scopes[j].value};

            check_scope_list(known, &value, auth->jwt[i].scopes[j].scopes);
        }
    }
}

static bool collect(struct known *known)
{
    const struct grc_runtime *runtime = known->runtime;
    size_t count = 0;
    size_t scopes = 0;
    size_t routes = 0;

    for (size_t i = 0; i < runtime->plugin_count; i++)
        count += runtime->plugins[i]->route_count;
    known->routes = calloc(count + 1, sizeof(*known->routes));
    known->scopes = calloc(count + 1, sizeof(*known->scopes));
    for (size_t i = 0; known->routes && known->scopes && i < runtime->plugin_count; i++) {
        const struct grc_plugin *plugin = runtime->plugins[i];

        for (size_t j = 0; plugin->state == GRC_LOAD_OK && j < plugin->route_count; j++) {
            known->routes[routes++] = plugin->routes[j].row->id;
            if (plugin->routes[j].scope)
                known->scopes[scopes++] = plugin->routes[j].scope;
        }
    }
    return known->routes && known->scopes;
}

bool grc_names_check_config(const struct grc_runtime *runtime, const struct grc_reporter *reporter)
{
    char *file = grc_path_join(runtime->settings->dir, "greenroom.json");
    struct known known = {
        .runtime = runtime,
        .reader = {.where = file, .report = reporter->report, .arg = reporter->arg}};

    if (file && collect(&known)) {
        check_limits(&known, &runtime->settings->limits);
        check_auth(&known, &runtime->settings->auth);
    } else {
        grc_say(reporter, "out of memory");
        known.reader.problems++;
    }
    free(file);
    free(known.routes);
    free(known.scopes);
    return known.reader.problems == 0;
}
