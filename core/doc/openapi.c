#include "doc/openapi.h"

#include "base/method.h"
#include "doc/schema.h"

#include <ctype.h>
#include <greenroom/version.h>
#include <stdio.h>
#include <stdlib.h>

/* See schema.c: what fails without memory leaves a word out, and the document decides nothing. */
static void put(json_t *object, const char *name, json_t *stolen)
{
    (void)json_object_set_new(object, name, stolen);
}

/* --- parameters --- */

static json_t *parameter(const struct gr_field *row, const char *in, size_t size)
{
    bool path = strcmp(in, "path") == 0;
    json_t *schema = grc_field_schema(row, size, false);
    json_t *object;

    json_object_del(schema, "description");
    if ((row->flags & GR_FIELD_REPEATED) && row->type != GR_ARRAY)
        schema = json_pack("{s:s,s:o}", "type", "array", "items", schema);
    object = json_pack("{s:s,s:s,s:b,s:o}", "name", row->name, "in", in, "required",
                       path || (row->flags & GR_FIELD_REQUIRED), "schema", schema);
    if (row->doc)
        put(object, "description", json_string(row->doc));
    return object;
}

static void add_parameters(json_t *list, const struct gr_field *rows, size_t size, const char *in)
{
    struct gr_field row;
    size_t i;

    for (i = 0; rows && (row = grc_field_at(rows, size, i), row.name); i++)
        json_array_append_new(list, parameter(&row, in, size));
}

/* Adds the parameters of the path, in its order. One without a row is a string. */
static void add_path_parameters(json_t *list, const struct grc_route *route)
{
    const struct gr_field *rows = route->params ? grc_schema_rows(route->params) : NULL;
    const char *open = strchr(route->path, '{');

    for (; open; open = strchr(open + 1, '{')) {
        char name[64];
        struct gr_field row = {.name = name, .type = GR_STRING};
        size_t i;

        snprintf(name, sizeof(name), "%.*s", (int)strcspn(open + 1, "}"), open + 1);
        for (i = 0; rows && rows[i].name; i++) {
            if (strcmp(rows[i].name, name) == 0)
                row = rows[i];
        }
        json_array_append_new(list, parameter(&row, "path", sizeof(row)));
    }
}

static json_t *parameters(const struct grc_route *route)
{
    json_t *list = json_array();
    size_t size = route->plugin->desc->abi.field_size;

    add_path_parameters(list, route);
    if (route->query)
        add_parameters(list, grc_schema_rows(route->query), sizeof(struct gr_field), "query");
    add_parameters(list, route->row->headers, size, "header");
    return list;
}

/* --- body and answers --- */

static json_t *body(const struct grc_route *route)
{
    const struct gr_field *row = grc_schema_rows(route->body);
    bool any = route->row->flags & (GR_ROUTE_ANY_CONTENT_TYPE | GR_ROUTE_RAW_BODY);

    return json_pack("{s:b,s:{s:{s:o}}}", "required", !!(row->flags & GR_FIELD_REQUIRED), "content",
                     any ? "*/*" : "application/json", "schema",
                     grc_field_schema(row, sizeof(*row), false));
}

static json_t *answer(const struct gr_answer *row, size_t field_size)
{
    json_t *object = json_pack("{s:s}", "description", row->doc ? row->doc : "");
    json_t *media = json_object();

    if (row->schema) {
        struct gr_field schema = grc_field_at(row->schema, field_size, 0);

        /* The gateway passes answers on unchecked. */
        schema.flags |= GR_FIELD_HINTS;

        put(media, "schema", grc_field_schema(&schema, field_size, false));
    }
    if (row->example)
        put(media, "example", grc_example(row->example));
    if (json_object_size(media) > 0)
        put(object, "content", json_pack("{s:o}", "application/json", media));
    else
        json_decref(media);
    return object;
}

static json_t *answers(const struct grc_route *route)
{
    const struct gr_answer *row = route->row->answers;
    json_t *object = json_object();

    for (; row && row->status; row++) {
        char status[16];

        snprintf(status, sizeof(status), "%d", row->status);
        put(object, status, answer(row, route->plugin->desc->abi.field_size));
    }
    if (json_object_size(object) == 0)
        put(object, "2XX", json_pack("{s:s}", "description", "Done"));
    if (route->plugin->desc->render_error)
        put(object, "default",
            json_pack("{s:s}", "description", "An error, in the group's format"));
    else
        put(object, "default", json_pack("{s:s}", "$ref", "#/components/responses/Error"));
    return object;
}

/* --- operations --- */

static json_t *security(const struct grc_route *route)
{
    const struct gr_plugin *desc = route->plugin->desc;

    switch (route->row->access) {
    case GR_ACCESS_OPEN:
        break;
    case GR_ACCESS_GROUP:
        return json_pack("[{s:[]}]", desc->name);
    case GR_ACCESS_CALLER:
        if (route->scope)
            return json_pack("[{s:[s]}]", "caller", route->scope);
        return json_pack("[{s:[]}]", "caller");
    }
    return json_array();
}

static json_t *operation(const struct grc_route *route, const char *id)
{
    const struct gr_route *row = route->row;
    json_t *object =
        json_pack("{s:s,s:s,s:[s],s:o,s:o,s:o}", "operationId", id, "summary", row->summary, "tags",
                  route->plugin->desc->name, "security", security(route), "parameters",
                  parameters(route), "responses", answers(route));

    if (row->doc)
        put(object, "description", json_string(row->doc));
    if (route->body)
        put(object, "requestBody", body(route));
    if (route->forward)
        put(object, "x-forward",
            json_pack("{s:s,s:s}", "upstream", route->forward->upstream, "path",
                      route->forward->path));
    return object;
}

static void add_operation(json_t *paths, const char *path, const struct grc_route *route,
                          const char *id)
{
    json_t *item = json_object_get(paths, path);
    char method[8];
    size_t i;

    if (!item) {
        item = json_object();
        put(paths, path, item);
    }
    snprintf(method, sizeof(method), "%s", grc_method_name(route->row->method));
    for (i = 0; method[i]; i++)
        method[i] = (char)tolower((unsigned char)method[i]);
    put(item, method, operation(route, id));
}

/* Operation ids are unique, so that of the alias gets a suffix. */
static void add_route(json_t *paths, const struct grc_route *route)
{
    char *id = NULL;

    add_operation(paths, route->path, route, route->row->id);
    if (route->alias && asprintf(&id, "%s.alias", route->row->id) >= 0) {
        add_operation(paths, route->alias, route, id);
        free(id);
    }
}

/* --- the document --- */

static json_t *error_response(void)
{
    return json_pack("{s:s,s:{s:{s:{s:s,s:{s:{s:s},s:{s:s},s:{s:s,s:{s:s}}}}}}}", "description",
                     "An error", "content", "application/json", "schema", "type", "object",
                     "properties", "code", "type", "integer", "message", "type", "string",
                     "details", "type", "array", "items", "type", "string");
}

static json_t *scheme(const char *description)
{
    return json_pack("{s:s,s:s,s:s}", "type", "http", "scheme", "bearer", "description",
                     description);
}

static void add_plugin(json_t *document, const struct grc_plugin *plugin)
{
    json_t *schemes = json_object_get(json_object_get(document, "components"), "securitySchemes");
    bool own = false;
    size_t i;

    for (i = 0; i < plugin->route_count; i++) {
        own = own || plugin->routes[i].row->access == GR_ACCESS_GROUP;
        add_route(json_object_get(document, "paths"), &plugin->routes[i]);
    }
    if (own)
        put(schemes, plugin->desc->name, scheme("The group's own authentication"));
    if (plugin->route_count > 0)
        json_array_append_new(json_object_get(document, "tags"),
                              json_pack("{s:s,s:s}", "name", plugin->desc->name, "description",
                                        plugin->desc->summary));
}

json_t *grc_openapi(const struct grc_runtime *runtime)
{
    json_t *document = json_pack(
        "{s:s,s:{s:s,s:s},s:[],s:{},s:{s:{s:o},s:{s:o}}}", "openapi", "3.1.0", "info", "title",
        "Greenroom", "version", GR_VERSION, "tags", "paths", "components", "securitySchemes",
        "caller", scheme("An API key or a token of a provider in the gateway's config"),
        "responses", "Error", error_response());
    size_t i;

    for (i = 0; document && i < runtime->plugin_count; i++) {
        if (runtime->plugins[i]->state == GRC_LOAD_OK)
            add_plugin(document, runtime->plugins[i]);
    }
    return document;
}
