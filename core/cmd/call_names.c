/* greenroom call --names: the names that an operation takes, for people and for completion. */
#include "cmd/call_names.h"

#include "base/arena.h"
#include "cmd/cmd.h"
#include "plugin/plugin.h"

#define MEMORY_MAX_BYTES ((size_t)1 << 20)

struct names {
    struct grc_table table;
    struct grc_arena arena;
    bool complete; /* false: out of memory */
};

/* "host|guest" for a row with such values, "-" for one without a list of values. */
static const char *values_of(struct grc_arena *arena, const struct gr_field *row)
{
    const char *text = row->type == GR_BOOL ? "true|false" : "-";

    for (size_t i = 0; text && row->values && row->values[i]; i++)
        text = i == 0 ? row->values[0] : grc_arena_format(arena, "%s|%s", text, row->values[i]);
    return text;
}

/* Adds a line. row may be NULL: a parameter of the path that no row describes. */
static void add(struct names *names, const char *name, const char *in, bool needed,
                const struct gr_field *row)
{
    static const struct gr_field any = {.type = GR_STRING, .doc = ""};
    const struct gr_field *known = row ? row : &any;
    const char *cells[8] = {name, in, needed ? "yes" : "-", values_of(&names->arena, known),
                            known->doc};

    names->complete = names->complete && name && cells[3] && grc_table_add(&names->table, cells);
}

static void add_rows(struct names *names, const struct gr_field *rows, const char *in)
{
    for (; rows && rows->type; rows++)
        add(names, rows->name, in, (rows->flags & GR_FIELD_REQUIRED) != 0, rows);
}

static const struct gr_field *row_of(const struct gr_field *rows, gr_str name)
{
    while (rows && rows->type && !gr_str_eq(gr_str_of(rows->name), name))
        rows++;
    return rows && rows->type ? rows : NULL;
}

static void add_path(struct names *names, const struct grc_route *route)
{
    const struct gr_field *rows = route->params ? grc_schema_rows(route->params) : NULL;
    const char *at = strchr(route->path, '{');

    for (; at; at = strchr(at, '{')) {
        gr_str name = {at + 1, strcspn(at + 1, "}")};

        add(names, grc_arena_copy(&names->arena, name), "path", true, row_of(rows, name));
        at++;
    }
}

int grc_call_names_print(const struct grc_route *route)
{
    static const char *const head[8] = {"NAME", "IN", "NEEDED", "VALUES", "SUMMARY"};
    struct names names = {.table = {.columns = 5}, .complete = true};
    const struct gr_field *body = route->body ? grc_schema_rows(route->body) : NULL;

    grc_arena_init(&names.arena, MEMORY_MAX_BYTES);
    names.complete = grc_table_add(&names.table, head);
    add_path(&names, route);
    add_rows(&names, route->query ? grc_schema_rows(route->query) : NULL, "query");
    add_rows(&names, body && body->type == GR_OBJECT ? body->fields : NULL, "body");
    int status = grc_table_finish(&names.table, names.complete);
    grc_arena_done(&names.arena);
    return status;
}
