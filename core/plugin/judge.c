#include "plugin/judge.h"

#include "plugin/judge_table.h"

#define DEPTH_MAX 32u

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

static bool check_pointers(struct grc_judge *judge, const struct grc_judge_place *place,
                           const struct gr_field *row)
{
    if (row->range && grc_module_room(judge->module, row->range) < sizeof(*row->range))
        return grc_judge_wrong(judge, place,
                               "range: found a pointer out of the plugin, wanted GR_RANGE()");
    if (row->when && grc_module_room(judge->module, row->when) < sizeof(*row->when))
        return grc_judge_wrong(judge, place,
                               "when: found a pointer out of the plugin, wanted GR_WHEN()");
    return grc_judge_text(judge, place, "doc", row->doc, row->name != NULL) &&
           grc_judge_list(judge, place, "values", row->values) &&
           grc_judge_text(judge, place, "pattern", row->pattern, false) &&
           grc_judge_text(judge, place, "any_of", row->any_of, false) &&
           grc_judge_text(judge, place, "default_doc", row->default_doc, false) &&
           grc_judge_text(judge, place, "binds", row->binds, false);
}

static bool check_fields(struct grc_judge *judge, const struct grc_judge_place *up,
                         const struct gr_field *rows, bool single, enum home home, unsigned depth);

static bool check_field(struct grc_judge *judge, const struct grc_judge_place *place,
                        const struct gr_field *row, enum home home, unsigned depth)
{
    if (row->type < GR_ANY || row->type > GR_MAP)
        return grc_judge_wrong(judge, place, "type: found %d, wanted one of enum gr_type",
                               (int)row->type);
    if (!check_pointers(judge, place, row))
        return false;
    const char *fault = mismatch(row, home);
    if (fault)
        return grc_judge_wrong(judge, place, "%s", fault);
    const struct grc_judge_place members = {.up = place, .what = "fields"};
    const struct grc_judge_place elements = {.up = place, .what = "items"};
    return grc_judge_json(judge, place, "example", row->example) &&
           check_fields(judge, &members, row->fields, false, home, depth + 1) &&
           check_fields(judge, &elements, row->items, true, home, depth + 1);
}

/* Checks the rows of an object or of parameters, or with single one row without a name. */
static bool check_fields(struct grc_judge *judge, const struct grc_judge_place *up,
                         const struct gr_field *rows, bool single, enum home home, unsigned depth)
{
    struct grc_judge_place place = {.up = up, .what = "row", .is_row = true};
    struct gr_field row;

    if (!rows)
        return true;
    if (depth > DEPTH_MAX)
        return grc_judge_wrong(judge, up, "found rows more than %u levels deep", DEPTH_MAX);
    const size_t room = grc_module_room(judge->module, rows);
    for (; place.row < GRC_JUDGE_ROWS_MAX; place.row++) {
        place.name = NULL;
        if (!grc_judge_row(rows, room, place.row, judge->abi->field_size, &row, sizeof(row)))
            return grc_judge_wrong(judge, &place,
                                   "found the end of the table's memory, wanted GR_END");
        if (!single && !row.name)
            return true;
        if (!grc_judge_text(judge, &place, "name", row.name, false))
            return false;
        place.name = row.name;
        bool good = check_field(judge, single ? up : &place, &row, home, depth);
        if (!good || single)
            return good;
    }
    return grc_judge_wrong(judge, &place, "found no end, wanted at most %u rows",
                           GRC_JUDGE_ROWS_MAX);
}

/* --- routes --- */

static bool check_answer(struct grc_judge *judge, const struct grc_judge_place *place,
                         const void *any)
{
    const struct gr_answer *row = any;
    const struct grc_judge_place schema = {.up = place, .what = "schema"};

    if (row->status < 100 || row->status > 599)
        return grc_judge_wrong(judge, place, "status: found %d, wanted 100 to 599", row->status);
    return grc_judge_text(judge, place, "doc", row->doc, false) &&
           grc_judge_json(judge, place, "example", row->example) &&
           check_fields(judge, &schema, row->schema, true, IN_BODY, 0);
}

static bool check_forward(struct grc_judge *judge, const struct grc_judge_place *place,
                          const struct gr_forward *from)
{
    struct gr_forward forward;

    if (!from)
        return true;
    if (!grc_judge_row(from, grc_module_room(judge->module, from), 0, judge->abi->forward_size,
                       &forward, sizeof(forward)))
        return grc_judge_wrong(judge, place,
                               "forward: found a pointer out of the plugin, wanted "
                               "GR_FORWARD()");
    if (forward.method > GR_METHOD_DELETE ||
        (forward.flags & ~((unsigned)GR_FORWARD_IDEMPOTENT | (unsigned)GR_FORWARD_NO_BODY)))
        return grc_judge_wrong(judge, place,
                               "forward: found a method or a flag that this ABI does not have");
    if (forward.select && grc_module_room(judge->module, forward.select) < sizeof(*forward.select))
        return grc_judge_wrong(judge, place,
                               "select: found a pointer out of the plugin, wanted GR_SELECT()");
    return grc_judge_text(judge, place, "forward.upstream", forward.upstream, true) &&
           grc_judge_text(judge, place, "forward.path", forward.path, true) &&
           grc_judge_json(judge, place, "forward.body", forward.body);
}

static bool check_route(struct grc_judge *judge, const struct grc_judge_place *place,
                        const void *any)
{
    static const struct grc_judge_kind answers = {"answer", sizeof(struct gr_answer), sizeof(int),
                                                  check_answer};
    const struct gr_route *row = any;
    const unsigned flags = (unsigned)GR_ROUTE_ANY_CONTENT_TYPE | (unsigned)GR_ROUTE_RAW_BODY |
                           (unsigned)GR_ROUTE_HIDDEN_PATH | (unsigned)GR_ROUTE_DEPRECATED |
                           (unsigned)GR_ROUTE_IDEMPOTENCY_KEY;
    struct grc_judge_place named = *place;

    if (!grc_judge_text(judge, place, "id", row->id, true))
        return false;
    named.name = row->id;
    if (row->method < GR_METHOD_GET || row->method > GR_METHOD_DELETE)
        return grc_judge_wrong(judge, &named, "method: found %d, wanted one of enum gr_method",
                               (int)row->method);
    if (row->access > GR_ACCESS_GROUP || (row->flags & ~flags))
        return grc_judge_wrong(judge, &named,
                               "access, flags: found a value that this ABI does not have");
    if ((row->flags & GR_ROUTE_IDEMPOTENCY_KEY) && row->method != GR_METHOD_POST)
        return grc_judge_wrong(judge, &named,
                               "flags: found GR_ROUTE_IDEMPOTENCY_KEY, wanted it on a POST");
    const struct grc_judge_place params = {.up = &named, .what = "params"};
    const struct grc_judge_place query = {.up = &named, .what = "query"};
    const struct grc_judge_place headers = {.up = &named, .what = "headers"};
    const struct grc_judge_place body = {.up = &named, .what = "body"};
    return grc_judge_text(judge, &named, "path", row->path, true) &&
           grc_judge_text(judge, &named, "summary", row->summary, true) &&
           grc_judge_text(judge, &named, "alias", row->alias, false) &&
           grc_judge_text(judge, &named, "scope", row->scope, false) &&
           grc_judge_text(judge, &named, "doc", row->doc, false) &&
           grc_judge_text(judge, &named, "source", row->source, false) &&
           check_fields(judge, &params, row->params, false, IN_PARAMETERS, 0) &&
           check_fields(judge, &query, row->query, false, IN_QUERY, 0) &&
           check_fields(judge, &headers, row->headers, false, IN_PARAMETERS, 0) &&
           check_fields(judge, &body, row->body, true, IN_BODY, 0) &&
           check_forward(judge, &named, row->forward) &&
           grc_judge_table(judge, &named, &answers, row->answers, judge->abi->answer_size);
}

static bool check_routes(struct grc_judge *judge, const struct gr_plugin *desc)
{
    static const struct grc_judge_kind routes = {"route", sizeof(struct gr_route), sizeof(int),
                                                 check_route};
    const struct grc_judge_place tables = {.what = "route_tables"};
    const struct gr_route *const *table;

    if (!grc_judge_table(judge, NULL, &routes, desc->routes, judge->abi->route_size))
        return false;
    table = desc->route_tables;
    const size_t room = table ? grc_module_room(judge->module, table) / sizeof(*table) : 0;
    for (size_t i = 0; table; i++) {
        if (i >= room)
            return grc_judge_wrong(judge, &tables, "found no end, wanted GR_ROUTE_TABLES()");
        if (!table[i])
            break;
        if (!grc_judge_table(judge, &tables, &routes, table[i], judge->abi->route_size))
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

static bool check_option(struct grc_judge *judge, const struct grc_judge_place *place,
                         const void *any)
{
    const struct gr_option *row = any;
    struct grc_judge_place named = *place;
    const struct grc_judge_place json = {.up = &named, .what = "json"};

    if (!grc_judge_text(judge, place, "name", row->name, true))
        return false;
    named.name = row->name;
    if (row->type < GR_OPT_BOOL || row->type > GR_OPT_UPSTREAM)
        return grc_judge_wrong(judge, &named, "type: found %d, wanted one of enum gr_option_type",
                               (int)row->type);
    if (row->size != option_size(row->type))
        return grc_judge_wrong(judge, &named, "member: found %zu bytes, wanted %zu for its type",
                               row->size, option_size(row->type));
    if (row->offset > judge->options_size || row->size > judge->options_size - row->offset)
        return grc_judge_wrong(
            judge, &named, "offset: found %zu to %zu, wanted it within .options_size, which is %zu",
            row->offset, row->offset + row->size, judge->options_size);
    if (row->required && row->fallback)
        return grc_judge_wrong(judge, &named,
                               "required: found a fallback beside it, wanted one of them");
    if (row->range && grc_module_room(judge->module, row->range) < sizeof(*row->range))
        return grc_judge_wrong(judge, &named,
                               "range: found a pointer out of the plugin, wanted GR_RANGE()");
    return grc_judge_text(judge, &named, "doc", row->doc, true) &&
           grc_judge_text(judge, &named, "fallback", row->fallback, false) &&
           grc_judge_text(judge, &named, "env", row->env, false) &&
           grc_judge_list(judge, &named, "values", row->values) &&
           check_fields(judge, &json, row->json, true, IN_BODY, 0);
}

static bool check_migration(struct grc_judge *judge, const struct grc_judge_place *place,
                            const void *any)
{
    const struct gr_migration *row = any;

    if (row->version != (int)place->row + 1)
        return grc_judge_wrong(judge, place, "version: found %d, wanted %zu", row->version,
                               place->row + 1);
    return grc_judge_text(judge, place, "name", row->name, true) &&
           grc_judge_text(judge, place, "sql", row->sql, true) &&
           grc_judge_text(judge, place, "postgres", row->postgres, false);
}

static bool check_metric(struct grc_judge *judge, const struct grc_judge_place *place,
                         const void *any)
{
    const struct gr_metric *row = any;

    if (row->kind != GR_COUNTER && row->kind != GR_GAUGE)
        return grc_judge_wrong(judge, place, "kind: found %d, wanted GR_COUNTER or GR_GAUGE",
                               (int)row->kind);
    return grc_judge_text(judge, place, "name", row->name, true) &&
           grc_judge_text(judge, place, "help", row->help, true) &&
           grc_judge_text(judge, place, "label", row->label, false);
}

/* The options were judged before the timers are. */
static bool has_interval(const struct grc_judge *judge, const char *name)
{
    struct gr_option row;

    for (size_t i = 0; judge->options; i++) {
        if (!grc_judge_row(judge->options, SIZE_MAX, i, judge->abi->option_size, &row,
                           sizeof(row)) ||
            !row.name)
            break;
        if (strcmp(row.name, name) == 0)
            return row.type == GR_OPT_MS && row.range && row.range->min >= 1;
    }
    return false;
}

static bool check_timer(struct grc_judge *judge, const struct grc_judge_place *place,
                        const void *any)
{
    const struct gr_timer *row = any;

    struct grc_judge_place named = *place;

    if (!grc_judge_text(judge, place, "name", row->name, true))
        return false;
    named.name = row->name;
    if (!row->run)
        return grc_judge_wrong(judge, &named, "run: found none, wanted a function");
    if ((row->interval_ms == 0) == (row->interval_option == NULL))
        return grc_judge_wrong(judge, &named,
                               "interval_ms: found %u, wanted an interval or .interval_option",
                               row->interval_ms);
    return grc_judge_text(judge, &named, "interval_option", row->interval_option, false) &&
           (!row->interval_option || has_interval(judge, row->interval_option) ||
            grc_judge_wrong(
                judge, &named,
                "interval_option: found '%.60s', wanted an option of type GR_OPT_MS with .range "
                "from 1 up",
                row->interval_option));
}

static bool check_command(struct grc_judge *judge, const struct grc_judge_place *place,
                          const void *any)
{
    const struct gr_command *row = any;
    const struct grc_judge_place flags = {.up = place, .what = "flag"};

    if (!row->run)
        return grc_judge_wrong(judge, place, "run: found none, wanted a function");
    return grc_judge_text(judge, place, "name", row->name, true) &&
           grc_judge_text(judge, place, "usage", row->usage, false) &&
           grc_judge_text(judge, place, "summary", row->summary, true) &&
           check_fields(judge, &flags, row->flags, false, IN_QUERY, 0);
}

bool grc_judge(const char *file, const struct grc_module *module, const struct gr_plugin *desc,
               char **ret_reason)
{
    static const struct grc_judge_kind options = {"option", sizeof(struct gr_option),
                                                  sizeof(char *), check_option};
    static const struct grc_judge_kind steps = {"migration", sizeof(struct gr_migration),
                                                sizeof(int), check_migration};
    static const struct grc_judge_kind metrics = {"metric", sizeof(struct gr_metric),
                                                  sizeof(char *), check_metric};
    static const struct grc_judge_kind timers = {"timer", sizeof(struct gr_timer), sizeof(char *),
                                                 check_timer};
    static const struct grc_judge_kind commands = {"command", sizeof(struct gr_command),
                                                   sizeof(char *), check_command};
    const struct grc_judge_place plugin = {.what = "descriptor"};
    const struct grc_judge_place error_body = {.what = "error_body"};
    struct gr_plugin copy;
    struct grc_judge judge = {.file = file, .module = module, .abi = &desc->abi};

    if (!grc_judge_row(desc, grc_module_room(module, desc), 0, desc->abi.plugin_size, &copy,
                       sizeof(copy))) {
        (void)grc_judge_wrong(&judge, &plugin,
                              "found a pointer out of the plugin, wanted GR_PLUGIN()");
        *ret_reason = judge.reason;
        return false;
    }
    judge.options = copy.options;
    judge.options_size = copy.options_size;
    bool good = grc_judge_text(&judge, &plugin, "version", copy.version, true) &&
                grc_judge_text(&judge, &plugin, "summary", copy.summary, true) &&
                grc_judge_text(&judge, &plugin, "licence", copy.licence, true) &&
                grc_judge_text(&judge, &plugin, "migrations_name", copy.migrations_name, false) &&
                grc_judge_list(&judge, &plugin, "owns", copy.owns) &&
                grc_judge_list(&judge, &plugin, "upstreams", copy.upstreams) &&
                check_routes(&judge, &copy) &&
                check_fields(&judge, &error_body, copy.error_body, true, IN_BODY, 0) &&
                grc_judge_table(&judge, NULL, &options, copy.options, desc->abi.option_size) &&
                grc_judge_table(&judge, NULL, &steps, copy.migrations, desc->abi.migration_size) &&
                grc_judge_table(&judge, NULL, &metrics, copy.metrics, desc->abi.metric_size) &&
                grc_judge_table(&judge, NULL, &timers, copy.timers, desc->abi.timer_size) &&
                grc_judge_table(&judge, NULL, &commands, copy.commands, desc->abi.command_size);
    *ret_reason = judge.reason;
    return good;
}
