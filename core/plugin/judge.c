#include "plugin/judge.h"

#include "base/json.h"

#include <stdio.h>
#include <stdlib.h>

#define ROWS_MAX 4096u
#define DEPTH_MAX 32u
#define JSON_DEPTH_MAX 64u

struct judge {
    const char *file;
    const struct grc_module *module;
    const struct gr_abi *abi;
    const struct gr_option *options;
    size_t options_size;
    char *reason;
};

/* The place of a row, for messages: "route 3 (rooms.get)", then "body" and so on. */
struct place {
    const struct place *up;
    const char *what;
    const char *name; /* NULL when it has no name, or an unknown one */
    size_t row;
    bool is_row;
};

static void write_place(char *text, size_t size, const struct place *place)
{
    size_t len;

    if (place->up)
        write_place(text, size, place->up);
    len = strlen(text);
    if (place->is_row && place->name)
        snprintf(text + len, size - len, "%s %zu (%s): ", place->what, place->row, place->name);
    else if (place->is_row)
        snprintf(text + len, size - len, "%s %zu: ", place->what, place->row);
    else
        snprintf(text + len, size - len, "%s: ", place->what);
}

static bool wrong(struct judge *judge, const struct place *place, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static bool wrong(struct judge *judge, const struct place *place, const char *format, ...)
{
    char where[512] = "";
    char what[512];
    va_list args;

    va_start(args, format);
    vsnprintf(what, sizeof(what), format, args);
    va_end(args);
    write_place(where, sizeof(where), place);
    if (asprintf(&judge->reason, "%s: %s%s", judge->file, where, what) < 0)
        judge->reason = NULL;
    return false;
}

/* --- memory --- */

static bool is_text(const struct judge *judge, const char *text)
{
    size_t room = grc_module_room(judge->module, text);

    return room > 0 && memchr(text, '\0', room);
}

/* Checks a text of the plugin, which may be NULL unless it is required. */
static bool check_text(struct judge *judge, const struct place *place, const char *member,
                       const char *text, bool required)
{
    if (!text)
        return !required || wrong(judge, place, "%s: found none, wanted a text", member);
    return is_text(judge, text) ||
           wrong(judge, place, "%s: found a pointer out of the plugin, wanted a text", member);
}

static bool check_list(struct judge *judge, const struct place *place, const char *member,
                       const char *const *list)
{
    /* Measured from the first element, since another object may follow the last one. */
    const size_t room = list ? grc_module_room(judge->module, list) / sizeof(*list) : 0;

    for (size_t i = 0; list; i++) {
        if (i >= room)
            return wrong(judge, place, "%s: found no end, wanted GR_LIST()", member);
        if (!list[i])
            break;
        if (!check_text(judge, place, member, list[i], true))
            return false;
    }
    return true;
}

static bool check_json(struct judge *judge, const struct place *place, const char *member,
                       const char *text)
{
    const char *reason = NULL;

    if (!check_text(judge, place, member, text, false))
        return false;
    json_t *value = text ? grc_json_parse(gr_str_of(text), JSON_DEPTH_MAX, &reason) : NULL;
    bool good = !text || value;
    json_decref(value);
    return good || wrong(judge, place, "%s: found '%.60s', wanted JSON: %s", member, text, reason);
}

/* Copies the index-th row of a table, which has room bytes, from the plugin's row size to the
 * host's. */
static bool take_row(const void *rows, size_t room, size_t index, size_t from, void *ret, size_t to)
{
    if (room / from <= index)
        return false;
    memset(ret, 0, to);
    memcpy(ret, (const char *)rows + index * from, from < to ? from : to);
    return true;
}

typedef bool row_fn(struct judge *judge, const struct place *place, const void *row);

/* A kind of table. The row that ends it has a first member of zero. */
struct kind {
    const char *what;
    size_t size;
    size_t first_size;
    row_fn *check;
};

union any_row {
    struct gr_route route;
    struct gr_option option;
    struct gr_migration migration;
    struct gr_metric metric;
    struct gr_timer timer;
    struct gr_command command;
    struct gr_answer answer;
    unsigned char first[sizeof(void *)];
};

static bool is_end(const union any_row *row, size_t first_size)
{
    static const unsigned char zeros[sizeof(void *)];

    return memcmp(row->first, zeros, first_size) == 0;
}

static bool check_table(struct judge *judge, const struct place *up, const struct kind *kind,
                        const void *rows, size_t from)
{
    struct place place = {.up = up, .what = kind->what, .is_row = true};
    const size_t room = rows ? grc_module_room(judge->module, rows) : 0;
    union any_row row;

    for (; rows && place.row < ROWS_MAX; place.row++) {
        if (!take_row(rows, room, place.row, from, &row, kind->size))
            return wrong(judge, &place, "found the end of the table's memory, wanted GR_END");
        if (is_end(&row, kind->first_size))
            return true;
        if (!kind->check(judge, &place, &row))
            return false;
    }
    return !rows || wrong(judge, &place, "found no end, wanted at most %u rows", ROWS_MAX);
}

/* --- field rows --- */

enum home { IN_BODY, IN_PARAMETERS, IN_QUERY };

static const unsigned all_field_flags = (unsigned)GR_FIELD_REQUIRED | (unsigned)GR_FIELD_NOT_NULL |
                                        (unsigned)GR_FIELD_SECRET | (unsigned)GR_FIELD_REPEATED |
                                        (unsigned)GR_FIELD_STRIP | (unsigned)GR_FIELD_STRICT |
                                        (unsigned)GR_FIELD_HINTS | (unsigned)GR_FIELD_DEPRECATED;

/* Returns what does not fit together, or NULL. */
static const char *mismatch(const struct gr_field *row, enum home home)
{
    const bool number = row->type == GR_INT || row->type == GR_NUMBER;
    const bool many = row->type == GR_ARRAY || row->type == GR_MAP;

    if (row->flags & ~all_field_flags)
        return "flags: found a bit that is not in enum gr_field_flag, wanted GR_FIELD_…";
    if (row->fields && row->type != GR_OBJECT)
        return "fields: found them on another type, wanted GR_OBJECT";
    if (row->items && !many)
        return "items: found them on another type, wanted GR_ARRAY or GR_MAP";
    if ((row->values || row->pattern) && row->type != GR_STRING)
        return "values, pattern: found one on another type, wanted GR_STRING";
    if (row->multiple_of != 0 && !number)
        return "multiple_of: found it on another type, wanted GR_INT or GR_NUMBER";
    if (row->range && !number && !many && row->type != GR_STRING)
        return "range: found it on a type that has no size";
    if (row->range && !(row->range->min <= row->range->max))
        return "range: found a minimum above the maximum";
    if ((row->flags & GR_FIELD_STRICT) && row->type != GR_OBJECT)
        return "flags: found GR_FIELD_STRICT on another type, wanted GR_OBJECT";
    if ((row->flags & GR_FIELD_REPEATED) && home != IN_QUERY)
        return "flags: found GR_FIELD_REPEATED outside of a query";
    if ((row->flags & GR_FIELD_STRIP) && home != IN_BODY)
        return "flags: found GR_FIELD_STRIP outside of a body";
    return NULL;
}

static bool check_pointers(struct judge *judge, const struct place *place,
                           const struct gr_field *row)
{
    if (row->range && grc_module_room(judge->module, row->range) < sizeof(*row->range))
        return wrong(judge, place, "range: found a pointer out of the plugin, wanted GR_RANGE()");
    if (row->when && grc_module_room(judge->module, row->when) < sizeof(*row->when))
        return wrong(judge, place, "when: found a pointer out of the plugin, wanted GR_WHEN()");
    return check_text(judge, place, "doc", row->doc, row->name != NULL) &&
           check_list(judge, place, "values", row->values) &&
           check_text(judge, place, "pattern", row->pattern, false) &&
           check_text(judge, place, "any_of", row->any_of, false) &&
           check_text(judge, place, "default_doc", row->default_doc, false) &&
           check_text(judge, place, "binds", row->binds, false);
}

static bool check_fields(struct judge *judge, const struct place *up, const struct gr_field *rows,
                         bool single, enum home home, unsigned depth);

static bool check_field(struct judge *judge, const struct place *place, const struct gr_field *row,
                        enum home home, unsigned depth)
{
    if (row->type < GR_ANY || row->type > GR_MAP)
        return wrong(judge, place, "type: found %d, wanted one of enum gr_type", (int)row->type);
    if (!check_pointers(judge, place, row))
        return false;
    const char *fault = mismatch(row, home);
    if (fault)
        return wrong(judge, place, "%s", fault);
    const struct place members = {.up = place, .what = "fields"};
    const struct place elements = {.up = place, .what = "items"};
    return check_json(judge, place, "example", row->example) &&
           check_fields(judge, &members, row->fields, false, home, depth + 1) &&
           check_fields(judge, &elements, row->items, true, home, depth + 1);
}

/* Checks the rows of an object or of parameters, or with single one row without a name. */
static bool check_fields(struct judge *judge, const struct place *up, const struct gr_field *rows,
                         bool single, enum home home, unsigned depth)
{
    struct place place = {.up = up, .what = "row", .is_row = true};
    struct gr_field row;

    if (!rows)
        return true;
    if (depth > DEPTH_MAX)
        return wrong(judge, up, "found rows more than %u levels deep", DEPTH_MAX);
    const size_t room = grc_module_room(judge->module, rows);
    for (; place.row < ROWS_MAX; place.row++) {
        place.name = NULL;
        if (!take_row(rows, room, place.row, judge->abi->field_size, &row, sizeof(row)))
            return wrong(judge, &place, "found the end of the table's memory, wanted GR_END");
        if (!single && !row.name)
            return true;
        if (!check_text(judge, &place, "name", row.name, false))
            return false;
        place.name = row.name;
        bool good = check_field(judge, single ? up : &place, &row, home, depth);
        if (!good || single)
            return good;
    }
    return wrong(judge, &place, "found no end, wanted at most %u rows", ROWS_MAX);
}

/* --- routes --- */

static bool check_answer(struct judge *judge, const struct place *place, const void *any)
{
    const struct gr_answer *row = any;
    const struct place schema = {.up = place, .what = "schema"};

    if (row->status < 100 || row->status > 599)
        return wrong(judge, place, "status: found %d, wanted 100 to 599", row->status);
    return check_text(judge, place, "doc", row->doc, false) &&
           check_json(judge, place, "example", row->example) &&
           check_fields(judge, &schema, row->schema, true, IN_BODY, 0);
}

static bool check_forward(struct judge *judge, const struct place *place,
                          const struct gr_forward *from)
{
    struct gr_forward forward;

    if (!from)
        return true;
    if (!take_row(from, grc_module_room(judge->module, from), 0, judge->abi->forward_size, &forward,
                  sizeof(forward)))
        return wrong(judge, place,
                     "forward: found a pointer out of the plugin, wanted "
                     "GR_FORWARD()");
    if (forward.method > GR_METHOD_DELETE ||
        (forward.flags & ~((unsigned)GR_FORWARD_IDEMPOTENT | (unsigned)GR_FORWARD_NO_BODY)))
        return wrong(judge, place, "forward: found a method or a flag that this ABI does not have");
    if (forward.select && grc_module_room(judge->module, forward.select) < sizeof(*forward.select))
        return wrong(judge, place, "select: found a pointer out of the plugin, wanted GR_SELECT()");
    return check_text(judge, place, "forward.upstream", forward.upstream, true) &&
           check_text(judge, place, "forward.path", forward.path, true) &&
           check_json(judge, place, "forward.body", forward.body);
}

static bool check_route(struct judge *judge, const struct place *place, const void *any)
{
    static const struct kind answers = {"answer", sizeof(struct gr_answer), sizeof(int),
                                        check_answer};
    const struct gr_route *row = any;
    const unsigned flags = (unsigned)GR_ROUTE_ANY_CONTENT_TYPE | (unsigned)GR_ROUTE_RAW_BODY |
                           (unsigned)GR_ROUTE_HIDDEN_PATH | (unsigned)GR_ROUTE_DEPRECATED |
                           (unsigned)GR_ROUTE_IDEMPOTENCY_KEY;
    struct place named = *place;

    if (!check_text(judge, place, "id", row->id, true))
        return false;
    named.name = row->id;
    if (row->method < GR_METHOD_GET || row->method > GR_METHOD_DELETE)
        return wrong(judge, &named, "method: found %d, wanted one of enum gr_method",
                     (int)row->method);
    if (row->access > GR_ACCESS_GROUP || (row->flags & ~flags))
        return wrong(judge, &named, "access, flags: found a value that this ABI does not have");
    if ((row->flags & GR_ROUTE_IDEMPOTENCY_KEY) && row->method != GR_METHOD_POST)
        return wrong(judge, &named, "flags: found GR_ROUTE_IDEMPOTENCY_KEY, wanted it on a POST");
    const struct place params = {.up = &named, .what = "params"};
    const struct place query = {.up = &named, .what = "query"};
    const struct place headers = {.up = &named, .what = "headers"};
    const struct place body = {.up = &named, .what = "body"};
    return check_text(judge, &named, "path", row->path, true) &&
           check_text(judge, &named, "summary", row->summary, true) &&
           check_text(judge, &named, "alias", row->alias, false) &&
           check_text(judge, &named, "scope", row->scope, false) &&
           check_text(judge, &named, "doc", row->doc, false) &&
           check_text(judge, &named, "source", row->source, false) &&
           check_fields(judge, &params, row->params, false, IN_PARAMETERS, 0) &&
           check_fields(judge, &query, row->query, false, IN_QUERY, 0) &&
           check_fields(judge, &headers, row->headers, false, IN_PARAMETERS, 0) &&
           check_fields(judge, &body, row->body, true, IN_BODY, 0) &&
           check_forward(judge, &named, row->forward) &&
           check_table(judge, &named, &answers, row->answers, judge->abi->answer_size);
}

static bool check_routes(struct judge *judge, const struct gr_plugin *desc)
{
    static const struct kind routes = {"route", sizeof(struct gr_route), sizeof(int), check_route};
    const struct place tables = {.what = "route_tables"};
    const struct gr_route *const *table;

    if (!check_table(judge, NULL, &routes, desc->routes, judge->abi->route_size))
        return false;
    table = desc->route_tables;
    const size_t room = table ? grc_module_room(judge->module, table) / sizeof(*table) : 0;
    for (size_t i = 0; table; i++) {
        if (i >= room)
            return wrong(judge, &tables, "found no end, wanted GR_ROUTE_TABLES()");
        if (!table[i])
            break;
        if (!check_table(judge, &tables, &routes, table[i], judge->abi->route_size))
            return false;
    }
    return true;
}

/* --- the other tables --- */

static size_t option_size(enum gr_option_type type)
{
    switch (type) {
    case GR_OPT_BOOL:
        return sizeof(bool);
    case GR_OPT_INT:
    case GR_OPT_MS:
    case GR_OPT_BYTES:
        return sizeof(int64_t);
    case GR_OPT_STRING:
    case GR_OPT_SECRET:
    case GR_OPT_LIST:
    case GR_OPT_JSON:
    case GR_OPT_UPSTREAM:
        break;
    }
    return sizeof(void *);
}

static bool check_option(struct judge *judge, const struct place *place, const void *any)
{
    const struct gr_option *row = any;
    struct place named = *place;
    const struct place json = {.up = &named, .what = "json"};

    if (!check_text(judge, place, "name", row->name, true))
        return false;
    named.name = row->name;
    if (row->type < GR_OPT_BOOL || row->type > GR_OPT_UPSTREAM)
        return wrong(judge, &named, "type: found %d, wanted one of enum gr_option_type",
                     (int)row->type);
    if (row->size != option_size(row->type))
        return wrong(judge, &named, "member: found %zu bytes, wanted %zu for its type", row->size,
                     option_size(row->type));
    if (row->offset > judge->options_size || row->size > judge->options_size - row->offset)
        return wrong(judge, &named,
                     "offset: found %zu to %zu, wanted it within .options_size, which is %zu",
                     row->offset, row->offset + row->size, judge->options_size);
    if (row->required && row->fallback)
        return wrong(judge, &named, "required: found a fallback beside it, wanted one of them");
    if (row->range && grc_module_room(judge->module, row->range) < sizeof(*row->range))
        return wrong(judge, &named, "range: found a pointer out of the plugin, wanted GR_RANGE()");
    return check_text(judge, &named, "doc", row->doc, true) &&
           check_text(judge, &named, "fallback", row->fallback, false) &&
           check_text(judge, &named, "env", row->env, false) &&
           check_list(judge, &named, "values", row->values) &&
           check_fields(judge, &json, row->json, true, IN_BODY, 0);
}

static bool check_migration(struct judge *judge, const struct place *place, const void *any)
{
    const struct gr_migration *row = any;

    if (row->version != (int)place->row + 1)
        return wrong(judge, place, "version: found %d, wanted %zu", row->version, place->row + 1);
    return check_text(judge, place, "name", row->name, true) &&
           check_text(judge, place, "sql", row->sql, true) &&
           check_text(judge, place, "postgres", row->postgres, false);
}

static bool check_metric(struct judge *judge, const struct place *place, const void *any)
{
    const struct gr_metric *row = any;

    if (row->kind != GR_COUNTER && row->kind != GR_GAUGE)
        return wrong(judge, place, "kind: found %d, wanted GR_COUNTER or GR_GAUGE", (int)row->kind);
    return check_text(judge, place, "name", row->name, true) &&
           check_text(judge, place, "help", row->help, true) &&
           check_text(judge, place, "label", row->label, false);
}

/* The options were judged before the timers are. */
static bool has_interval(const struct judge *judge, const char *name)
{
    struct gr_option row;

    for (size_t i = 0; judge->options; i++) {
        if (!take_row(judge->options, SIZE_MAX, i, judge->abi->option_size, &row, sizeof(row)) ||
            !row.name)
            break;
        if (strcmp(row.name, name) == 0)
            return row.type == GR_OPT_MS && row.range && row.range->min >= 1;
    }
    return false;
}

static bool check_timer(struct judge *judge, const struct place *place, const void *any)
{
    const struct gr_timer *row = any;

    struct place named = *place;

    if (!check_text(judge, place, "name", row->name, true))
        return false;
    named.name = row->name;
    if (!row->run)
        return wrong(judge, &named, "run: found none, wanted a function");
    if ((row->interval_ms == 0) == (row->interval_option == NULL))
        return wrong(judge, &named, "interval_ms: found %u, wanted an interval or .interval_option",
                     row->interval_ms);
    return check_text(judge, &named, "interval_option", row->interval_option, false) &&
           (!row->interval_option || has_interval(judge, row->interval_option) ||
            wrong(judge, &named,
                  "interval_option: found '%.60s', wanted an option of type GR_OPT_MS with .range "
                  "from 1 up",
                  row->interval_option));
}

static bool check_command(struct judge *judge, const struct place *place, const void *any)
{
    const struct gr_command *row = any;
    const struct place flags = {.up = place, .what = "flag"};

    if (!row->run)
        return wrong(judge, place, "run: found none, wanted a function");
    return check_text(judge, place, "name", row->name, true) &&
           check_text(judge, place, "usage", row->usage, false) &&
           check_text(judge, place, "summary", row->summary, true) &&
           check_fields(judge, &flags, row->flags, false, IN_QUERY, 0);
}

bool grc_judge(const char *file, const struct grc_module *module, const struct gr_plugin *desc,
               char **ret_reason)
{
    static const struct kind options = {"option", sizeof(struct gr_option), sizeof(char *),
                                        check_option};
    static const struct kind steps = {"migration", sizeof(struct gr_migration), sizeof(int),
                                      check_migration};
    static const struct kind metrics = {"metric", sizeof(struct gr_metric), sizeof(char *),
                                        check_metric};
    static const struct kind timers = {"timer", sizeof(struct gr_timer), sizeof(char *),
                                       check_timer};
    static const struct kind commands = {"command", sizeof(struct gr_command), sizeof(char *),
                                         check_command};
    const struct place plugin = {.what = "descriptor"};
    const struct place error_body = {.what = "error_body"};
    struct gr_plugin copy;
    struct judge judge = {.file = file, .module = module, .abi = &desc->abi};

    if (!take_row(desc, grc_module_room(module, desc), 0, desc->abi.plugin_size, &copy,
                  sizeof(copy))) {
        (void)wrong(&judge, &plugin, "found a pointer out of the plugin, wanted GR_PLUGIN()");
        *ret_reason = judge.reason;
        return false;
    }
    judge.options = copy.options;
    judge.options_size = copy.options_size;
    bool good = check_text(&judge, &plugin, "version", copy.version, true) &&
                check_text(&judge, &plugin, "summary", copy.summary, true) &&
                check_text(&judge, &plugin, "licence", copy.licence, true) &&
                check_text(&judge, &plugin, "migrations_name", copy.migrations_name, false) &&
                check_list(&judge, &plugin, "owns", copy.owns) &&
                check_list(&judge, &plugin, "upstreams", copy.upstreams) &&
                check_routes(&judge, &copy) &&
                check_fields(&judge, &error_body, copy.error_body, true, IN_BODY, 0) &&
                check_table(&judge, NULL, &options, copy.options, desc->abi.option_size) &&
                check_table(&judge, NULL, &steps, copy.migrations, desc->abi.migration_size) &&
                check_table(&judge, NULL, &metrics, copy.metrics, desc->abi.metric_size) &&
                check_table(&judge, NULL, &timers, copy.timers, desc->abi.timer_size) &&
                check_table(&judge, NULL, &commands, copy.commands, desc->abi.command_size);
    *ret_reason = judge.reason;
    return good;
}
