#include "plugin/rows.h"

#include <stdlib.h>

/* For rows that start with a name: the row that ends a table has none. */
static bool is_end(const void *row)
{
    const char *name = NULL;

    memcpy(&name, row, sizeof(name));
    return name == NULL;
}

/* For rows that start with an int or an enum, such as a status or a method. */
static bool is_end_int(const void *row)
{
    int word = 0;

    memcpy(&word, row, sizeof(word));
    return word == 0;
}

static size_t count_rows(const void *rows, size_t size, bool (*end)(const void *))
{
    size_t count = 0;

    while (rows && !end((const char *)rows + count * size))
        count++;
    return count;
}

/* Copies a table, its end included, from rows of `from` bytes to rows of `to` bytes. */
static void *copy_rows(const void *rows, size_t from, size_t to, bool (*end)(const void *))
{
    const char *source = rows;
    size_t count = count_rows(rows, from, end);
    char *copy = calloc(count + 1, to);
    for (size_t i = 0; copy && i < count; i++)
        memcpy(copy + i * to, source + i * from, from < to ? from : to);
    return copy;
}

#define COPY(desc, member, type, size, end)                                                        \
    ((desc)->member ? copy_rows((desc)->member, (desc)->abi.size, sizeof(type), end) : NULL)

/* Copies what a route points to. */
static bool copy_route(struct gr_route *route, const struct gr_plugin *desc)
{
    if (route->forward) {
        struct gr_forward *forward = calloc(1, sizeof(*forward));

        if (forward)
            memcpy(forward, route->forward,
                   desc->abi.forward_size < sizeof(*forward) ? desc->abi.forward_size
                                                             : sizeof(*forward));
        route->forward = forward;
        if (!forward) {
            route->answers = NULL;
            return false;
        }
    }
    if (route->answers) {
        route->answers =
            copy_rows(route->answers, desc->abi.answer_size, sizeof(struct gr_answer), is_end_int);
        return route->answers != NULL;
    }
    return true;
}

/* Appends rows to copy, which has count rows. Returns the new count. */
static size_t append_routes(struct gr_route *copy, size_t count, const struct gr_route *rows,
                            size_t size)
{
    size_t more = count_rows(rows, size, is_end_int);

    for (size_t i = 0; i < more; i++)
        memcpy(&copy[count + i], (const char *)rows + i * size,
               size < sizeof(*copy) ? size : sizeof(*copy));
    return count + more;
}

/* Joins the routes of all tables into one; NULL without memory. */
static struct gr_route *join_routes(const struct gr_plugin *desc)
{
    const struct gr_route *const *table;
    size_t size = desc->abi.route_size;
    size_t count = count_rows(desc->routes, size, is_end_int);

    for (table = desc->route_tables; table && *table; table++)
        count += count_rows(*table, size, is_end_int);
    struct gr_route *copy = calloc(count + 1, sizeof(*copy));
    count = copy ? append_routes(copy, 0, desc->routes, size) : 0;
    for (table = desc->route_tables; copy && table && *table; table++)
        count = append_routes(copy, count, *table, size);
    return copy;
}

static bool copy_routes(struct gr_plugin *copy, const struct gr_plugin *desc)
{
    bool ok = true;

    struct gr_route *routes = join_routes(desc);
    copy->routes = routes;
    copy->route_tables = NULL;
    for (; routes && routes->method; routes++) {
        if (!ok) { /* grc_rows_free() must not free memory of the plugin */
            routes->forward = NULL;
            routes->answers = NULL;
        } else {
            ok = copy_route(routes, desc);
        }
    }
    return ok && copy->routes;
}

const struct gr_plugin *grc_rows_normalise(const struct gr_plugin *desc)
{
    struct gr_plugin *copy = calloc(1, sizeof(*copy));

    if (!copy)
        return NULL;
    memcpy(copy, desc,
           desc->abi.plugin_size < sizeof(*copy) ? desc->abi.plugin_size : sizeof(*copy));
    copy->routes = NULL;
    copy->options = COPY(desc, options, struct gr_option, option_size, is_end);
    copy->migrations = COPY(desc, migrations, struct gr_migration, migration_size, is_end_int);
    copy->metrics = COPY(desc, metrics, struct gr_metric, metric_size, is_end);
    copy->timers = COPY(desc, timers, struct gr_timer, timer_size, is_end);
    copy->commands = COPY(desc, commands, struct gr_command, command_size, is_end);
    bool ok = copy_routes(copy, desc) && (copy->options || !desc->options) &&
              (copy->migrations || !desc->migrations) && (copy->metrics || !desc->metrics) &&
              (copy->timers || !desc->timers) && (copy->commands || !desc->commands);
    if (ok)
        return copy;
    grc_rows_free(copy);
    return NULL;
}

/* The copies belong to this file; they are const only for their readers. */
static void free_const(const void *ptr)
{
    free((void *)(uintptr_t)ptr);
}

void grc_rows_free(const struct gr_plugin *desc)
{
    if (!desc)
        return;
    for (const struct gr_route *route = desc->routes; route && route->method; route++) {
        free_const(route->forward);
        free_const(route->answers);
    }
    free_const(desc->routes);
    free_const(desc->options);
    free_const(desc->migrations);
    free_const(desc->metrics);
    free_const(desc->timers);
    free_const(desc->commands);
    free_const(desc);
}

size_t grc_route_rows(const struct gr_route *rows)
{
    size_t count = 0;

    while (rows && rows[count].method)
        count++;
    return count;
}
