/* greenroom routes: lists the routes. */
#include "base/method.h"
#include "base/near.h"
#include "base/scope.h"
#include "cmd/cmd.h"
#include "server/runtime_build.h"

#include <stdio.h>
#include <strings.h>

/* The text of the column SCOPE. */
static const char *scope_of(const struct grc_route *route)
{
    switch (route->row->access) {
    case GR_ACCESS_OPEN:
        return "(open)";
    case GR_ACCESS_GROUP:
        return "(group)";
    case GR_ACCESS_CALLER:
        break;
    }
    return route->scope ? route->scope : "-";
}

static const char *access_of(const struct grc_route *route)
{
    static const char *const names[] = {
        [GR_ACCESS_CALLER] = "caller",
        [GR_ACCESS_OPEN] = "open",
        [GR_ACCESS_GROUP] = "group",
    };

    return names[route->row->access];
}

struct routes_args {
    bool json;
    bool markdown;
    const char *group;
    const char *method;
    const char *scope;
    const char *text;
};

/* Whether a caller with that scope may use the route. */
static bool within(const struct grc_route *route, const char *scope)
{
    return route->row->access == GR_ACCESS_CALLER && route->scope &&
           grc_scope_covers(gr_str_of(scope), gr_str_of(route->scope));
}

static bool chosen(const struct grc_route *route, const struct routes_args *args)
{
    const struct gr_route *row = route->row;

    if (args->group && strcmp(args->group, route->plugin->desc->name) != 0)
        return false;
    if (args->method && strcasecmp(args->method, grc_method_name(row->method)) != 0)
        return false;
    if (args->scope && !within(route, args->scope))
        return false;
    return !args->text || strcasestr(route->path, args->text) || strcasestr(row->id, args->text) ||
           strcasestr(row->summary, args->text);
}

/* Calls visit for every route that is served and matches args, which may be NULL. */
typedef bool visit_fn(void *arg, const struct grc_route *route);
static bool each_route(const struct grc_runtime *runtime, const struct routes_args *args,
                       visit_fn *visit, void *arg)
{
    size_t p;
    size_t r;

    for (p = 0; p < runtime->plugin_count; p++) {
        const struct grc_plugin *plugin = runtime->plugins[p];

        for (r = 0; plugin->state == GRC_LOAD_OK && r < plugin->route_count; r++) {
            if ((!args || chosen(&plugin->routes[r], args)) && !visit(arg, &plugin->routes[r]))
                return false;
        }
    }
    return true;
}

static bool add_cells(void *arg, const struct grc_route *route)
{
    return grc_table_add(arg, (const char *const[]){
                                  grc_method_name(route->row->method), route->path, route->row->id,
                                  scope_of(route), route->plugin->desc->name, route->row->summary});
}

static int print_table(const struct grc_runtime *runtime, const struct routes_args *args)
{
    static const char *const head[] = {"METHOD", "PATH", "ID", "SCOPE", "GROUP", "SUMMARY"};
    struct grc_table table = {.columns = 6};
    bool made = grc_table_add(&table, head) && each_route(runtime, args, add_cells, &table);

    return grc_table_finish(&table, made);
}

static bool add_json(void *arg, const struct grc_route *route)
{
    const struct gr_forward *forward = route->forward;
    json_t *object = json_pack(
        "{s:s,s:s,s:s*,s:s,s:s,s:s*,s:s,s:s}", "method", grc_method_name(route->row->method),
        "path", route->path, "alias", route->alias, "id", route->row->id, "access",
        access_of(route), "scope", route->row->access == GR_ACCESS_CALLER ? route->scope : NULL,
        "group", route->plugin->desc->name, "summary", route->row->summary);

    if (object && forward)
        json_object_set_new(
            object, "forward",
            json_pack("{s:s,s:s}", "upstream", forward->upstream, "path", forward->path));
    return object && json_array_append_new(arg, object) == 0;
}

static int print_json(const struct grc_runtime *runtime, const struct routes_args *args)
{
    json_t *list = json_array();

    if (!list || !each_route(runtime, args, add_json, list)) {
        json_decref(list);
        list = NULL;
    }
    return grc_print_json(list);
}

static bool print_row(void *arg, const struct grc_route *route)
{
    const char **group = arg;
    const char *name = route->plugin->desc->name;

    if (!*group || strcmp(*group, name) != 0) {
        printf("%s### %s: %s\n\n| Method | Path | Operation | Scope | What it does |\n"
               "| --- | --- | --- | --- | --- |\n",
               *group ? "\n" : "", name, route->plugin->desc->summary);
        *group = name;
    }
    printf("| %s | `%s`", grc_method_name(route->row->method), route->path);
    if (route->alias)
        printf("<br>`%s`", route->alias);
    printf(" | `%s` | %s | %s |\n", route->row->id, scope_of(route), route->row->summary);
    return true;
}

static int print_markdown(const struct grc_runtime *runtime, const struct routes_args *args)
{
    const char *group = NULL;

    each_route(runtime, args, print_row, &group);
    return grc_print_done(GRC_EXIT_OK);
}

/* --- scopes --- */

static bool wants_none_of(void *arg, const struct grc_route *route)
{
    const char *held = arg;

    return !route->scope || !grc_scope_covers(gr_str_of(held), gr_str_of(route->scope));
}

static void say_nothing(void *arg, const char *line)
{
    (void)arg;
    (void)line;
}

void grc_routes_warn_unknown_scopes(const struct grc_cli *cli, const char *const *scopes)
{
    struct grc_runtime *runtime =
        grc_runtime_new(cli->config_dir, GRC_RUNTIME_TABLES, say_nothing, NULL);

    for (; runtime && *scopes; scopes++) {
        if (each_route(runtime, NULL, wants_none_of, (char *)(uintptr_t)*scopes))
            grc_complain("no route that is served needs the scope \"%s\"; see greenroom routes",
                         *scopes);
    }
    grc_runtime_unref(runtime);
}

/* --- the command --- */

/* Stops at the first route, which shows that some route matches. */
static bool stop_at_first(void *arg, const struct grc_route *route)
{
    (void)arg;
    (void)route;
    return false;
}

/* Returns false after complaining when no group that is served has the name. */
static bool group_is_there(const struct grc_runtime *runtime, const char *group)
{
    const char **names = calloc(runtime->plugin_count + 1, sizeof(*names));
    size_t count = 0;
    bool there = false;

    for (size_t i = 0; names && i < runtime->plugin_count; i++) {
        const struct grc_plugin *plugin = runtime->plugins[i];

        if (plugin->state != GRC_LOAD_OK)
            continue;
        names[count++] = plugin->desc->name;
        there = there || strcmp(plugin->desc->name, group) == 0;
    }
    const char *near = names && !there ? grc_name_near(group, names) : NULL;
    if (!there)
        grc_complain("no group that is served is called '%s'%s%s%s", group,
                     near ? ", did you mean '" : "", near ? near : "", near ? "'?" : "");
    free(names);
    return there;
}

/* Returns false after complaining when no route matches. */
static bool any_chosen(const struct grc_runtime *runtime, const struct routes_args *args)
{
    if (!each_route(runtime, args, stop_at_first, NULL))
        return true;
    if (!args->group || group_is_there(runtime, args->group))
        grc_complain("no route that is served matches");
    return false;
}

static int routes(const struct grc_cli *cli, const void *args, int count, char **words)
{
    struct routes_args asked = *(const struct routes_args *)args;
    struct grc_runtime *runtime;
    int status;

    asked.text = count > 0 ? words[0] : NULL;
    if (asked.json && asked.markdown)
        return grc_usage_error(cli, "either --json or --markdown");
    grc_cli_quiet(GR_LOG_WARN, true);
    runtime = grc_runtime_new(cli->config_dir, GRC_RUNTIME_TABLES, grc_cli_report, NULL);
    if (!runtime)
        return GRC_EXIT_CONFIG;
    status = asked.json       ? print_json(runtime, &asked)
             : asked.markdown ? print_markdown(runtime, &asked)
                              : print_table(runtime, &asked);
    if (status == GRC_EXIT_OK && !any_chosen(runtime, &asked))
        status = GRC_EXIT_FAILED;
    grc_runtime_unref(runtime);
    return status;
}

static const struct grc_flag routes_flags[] = {
    GRC_TEXT(routes_args, "--group", group, "NAME", "Only list routes of this group",
             .choices = &grc_choices_groups),
    GRC_TEXT(routes_args, "--method", method, "METHOD", "Only list routes with this method",
             .choices = &grc_choices_methods),
    GRC_TEXT(routes_args, "--scope", scope, "SCOPE",
             "Only list routes that a caller with this scope may use, such as 'rooms:*'",
             .choices = &grc_choices_scopes),
    GRC_SWITCH(routes_args, "--json", json, "As JSON"),
    GRC_SWITCH(routes_args, "--markdown", markdown, "Print tables in markdown"),
    GRC_FLAG_END,
};

const struct grc_command grc_command_routes = {
    .name = "routes",
    .words = "[TEXT]",
    .summary = "List the routes that are served, or those with TEXT in path, id or summary",
    .flags = routes_flags,
    .args_size = sizeof(struct routes_args),
    .run = routes,
};
