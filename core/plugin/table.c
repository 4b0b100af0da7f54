/* Checks that the rows of route tables are complete and consistent. */
#include "base/format.h"
#include "plugin/plugin.h"

#include <ctype.h>
#include <stdio.h>

/* What is wrong with a row: the member, and what was wanted. */
struct fault {
    const char *member;
    const char *wanted;
};

static bool one_line(const char *text)
{
    return text && *text && !strpbrk(text, "\r\n") && text[strlen(text) - 1] != '.';
}

/* Accepts ids like "group.verb": lower-case letters, digits, '_' and '.', with at least one dot. */
static bool id_is_good(const char *id)
{
    if (!id || !islower((unsigned char)*id) || !strchr(id, '.'))
        return false;
    for (; *id; id++) {
        if (!islower((unsigned char)*id) && !isdigit((unsigned char)*id) && *id != '_' &&
            *id != '.')
            return false;
    }
    return true;
}

/* Finds the next {name}. Returns false at the end. Malformed braces give an empty name. */
static bool next_param(const char **path, gr_str *ret_name)
{
    const char *open = strchr(*path, '{');

    if (!open)
        return false;
    size_t len = strcspn(open + 1, "}/{");
    bool whole = open[1 + len] == '}' && open[-1] == '/' && /* paths start with '/' */
                 (open[2 + len] == '/' || open[2 + len] == '\0');
    *ret_name = (gr_str){open + 1, whole ? len : 0};
    *path = open + 1 + len;
    return true;
}

static bool has_param(const char *path, gr_str name)
{
    gr_str found;

    while (next_param(&path, &found)) {
        if (gr_str_eq(found, name))
            return true;
    }
    return false;
}

bool grc_table_params_fit(const char *path, const char *within)
{
    gr_str name;
    size_t count = 0;

    while (next_param(&path, &name)) {
        if (name.len == 0 || ++count > GRC_PARAMS_MAX || !has_param(within, name))
            return false;
    }
    return true;
}

static bool path_is_good(const char *path)
{
    return path && path[0] == '/' && !strchr(path, '?') && !strstr(path, "//") &&
           (path[1] == '\0' || path[strlen(path) - 1] != '/') && grc_table_params_fit(path, path);
}

static bool scope_is_good(const struct gr_route *route)
{
    if (route->access != GR_ACCESS_CALLER)
        return true;
    return route->scope && strchr(route->scope, ':') && route->scope[0] != ':';
}

static bool forward_is_good(const struct gr_route *route)
{
    const struct gr_forward *forward = route->forward;

    return !forward || (forward->upstream && forward->path && forward->path[0] == '/' &&
                        grc_table_params_fit(forward->path, route->path));
}

static bool params_rows_fit(const struct gr_route *route, size_t field_size)
{
    const char *at = (const char *)route->params;

    for (; at; at += field_size) {
        const struct gr_field *row = (const struct gr_field *)(const void *)at;

        if (!row->name)
            break;
        if (!has_param(route->path, gr_str_of(row->name)))
            return false;
    }
    return true;
}

static struct fault find_fault(const struct gr_route *route, size_t field_size)
{
    if (route->method > GR_METHOD_DELETE)
        return (struct fault){"method", "a method of this ABI"};
    if (!path_is_good(route->path))
        return (struct fault){"path", "/literal/{param} segments, no trailing slash"};
    if (!id_is_good(route->id))
        return (struct fault){"id", "group.verb in lower case"};
    if (!one_line(route->summary))
        return (struct fault){"summary", "one line without a full stop"};
    if (route->alias &&
        (!path_is_good(route->alias) || !grc_table_params_fit(route->alias, route->path) ||
         !grc_table_params_fit(route->path, route->alias)))
        return (struct fault){"alias", "a path with the same parameters"};
    if (!scope_is_good(route))
        return (struct fault){"scope", "resource:action, or another access"};
    if (!route->forward && !route->handle)
        return (struct fault){"handle", "a forward row or a function"};
    if (!forward_is_good(route))
        return (struct fault){"forward", "an upstream and a path with parameters of the route"};
    if (!params_rows_fit(route, field_size))
        return (struct fault){"params", "rows for parameters of the path"};
    return (struct fault){NULL, NULL};
}

static const struct gr_route *same_id(const struct gr_route *from, const struct gr_route *route)
{
    for (; from != route; from++) {
        if (strcmp(from->id, route->id) == 0)
            return from;
    }
    return NULL;
}

static bool name_is_good(const char *name)
{
    if (!name || !islower((unsigned char)*name))
        return false;
    for (; *name; name++) {
        if (!islower((unsigned char)*name) && !isdigit((unsigned char)*name) && *name != '_')
            return false;
    }
    return true;
}

enum grc_load_state grc_table_check(const char *file, const struct gr_plugin *desc,
                                    char **ret_reason)
{
    const struct gr_route *route = desc->routes;
    bool good = true;

    if (!name_is_good(desc->name) || !desc->version || !one_line(desc->summary) || !desc->licence)
        good = grc_refuse(ret_reason,
                          "%s: name, version, summary, licence: wanted all four, name in "
                          "lower case, summary in one line without a full stop",
                          file);
    for (; good && route && route->method; route++) {
        struct fault fault = find_fault(route, desc->abi.field_size);

        if (fault.member)
            good = grc_refuse(ret_reason, "%s: route %zu (%s): %s: wanted %s", file,
                              (size_t)(route - desc->routes), route->id ? route->id : "no id",
                              fault.member, fault.wanted);
        else if (same_id(desc->routes, route))
            good = grc_refuse(ret_reason,
                              "%s: route %zu: id: found '%s' a second time, wanted it once", file,
                              (size_t)(route - desc->routes), route->id);
    }
    return good ? GRC_LOAD_OK : GRC_LOAD_TABLE;
}
