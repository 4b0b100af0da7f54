#include "base/format.h"
#include "base/method.h"
#include "doc/build.h"
#include "doc/schema.h"
#include "idempotency/idempotency.h"
#include "idempotency/key.h"

#include <ctype.h>
#include <greenroom/version.h>
#include <stdio.h>
#include <stdlib.h>

/* --- components --- */

static json_t *components_of(const struct grc_doc *doc, const char *kind)
{
    return json_object_get(json_object_get(doc->root, "components"), kind);
}

bool grc_doc_has(const struct grc_doc *doc, const char *kind, const char *name)
{
    return json_object_get(components_of(doc, kind), name) != NULL;
}

void grc_doc_add(struct grc_doc *doc, const char *kind, const char *name, json_t *stolen)
{
    if (!components_of(doc, kind))
        grc_doc_put(json_object_get(doc->root, "components"), kind, json_object());
    grc_doc_put(components_of(doc, kind), name, stolen);
}

json_t *grc_doc_ref(const char *kind, const char *name)
{
    return json_pack("{s:o}", "$ref", json_sprintf("#/components/%s/%s", kind, name));
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
        grc_doc_put(object, "description", json_string(row->doc));
    if (row->flags & GR_FIELD_DEPRECATED)
        grc_doc_put(object, "deprecated", json_true());
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

static const struct gr_field idempotency_key[] = {
    GR_FIELD(GRC_IDEMPOTENCY_KEY, GR_STRING,
             "Name of the request, such as a UUID, as a structured-field string. When the same "
             "caller repeats the request with this key, it gets the first answer, and the request "
             "is not carried out again",
             .example = "\"8e03978e-40d5-43dd-bc93-6894a57f9324\""),
    GR_END,
};

static json_t *parameters(const struct grc_route *route)
{
    json_t *list = json_array();
    size_t size = route->plugin->desc->abi.field_size;

    add_path_parameters(list, route);
    if (route->query)
        add_parameters(list, grc_schema_rows(route->query), sizeof(struct gr_field), "query");
    add_parameters(list, route->row->headers, size, "header");
    if (grc_idempotency_of(route))
        add_parameters(list, idempotency_key, sizeof(struct gr_field), "header");
    return list;
}

/* --- operations --- */

static json_t *body(const struct grc_route *route)
{
    const struct gr_field *row = grc_schema_rows(route->body);
    bool any = route->row->flags & (GR_ROUTE_ANY_CONTENT_TYPE | GR_ROUTE_RAW_BODY);

    return json_pack("{s:b,s:{s:{s:o}}}", "required", !!(row->flags & GR_FIELD_REQUIRED), "content",
                     any ? "*/*" : "application/json", "schema",
                     grc_field_schema(row, sizeof(*row), false));
}

static bool has_rate(const struct grc_rate_settings *limit)
{
    return limit->rate.per_s > 0 || limit->concurrent > 0;
}

static bool names(const struct grc_rate_settings *limits, size_t count, const char *name)
{
    for (size_t i = 0; name && i < count; i++) {
        if (strcmp(limits[i].name, name) == 0)
            return true;
    }
    return false;
}

bool grc_doc_limited(const struct grc_doc *doc, const struct grc_route *route)
{
    const struct grc_limits_settings *limits = &doc->runtime->settings->limits;

    return has_rate(&limits->caller) || has_rate(&limits->address) ||
           names(limits->scopes, limits->scope_count, route->scope) ||
           names(limits->routes, limits->route_count, route->row->id);
}

/* What the row says beyond the summary, and who may call. */
static json_t *description(const struct grc_route *route)
{
    const char *doc = route->row->doc ? route->row->doc : "";
    const char *end = *doc ? (doc[strlen(doc) - 1] == '.' ? "\n\n" : ".\n\n") : "";

    switch (route->row->access) {
    case GR_ACCESS_OPEN:
        return json_sprintf("%s%sEvery client may call it.", doc, end);
    case GR_ACCESS_GROUP:
        return json_sprintf("%s%sThe group itself authenticates its callers.", doc, end);
    case GR_ACCESS_CALLER:
        break;
    }
    return json_sprintf("%s%sCallers need the scope `%s`.", doc, end, route->scope);
}

static void add_extras(const struct grc_doc *doc, const struct grc_route *route, json_t *object)
{
    if (route->row->access == GR_ACCESS_CALLER && route->scope)
        grc_doc_put(object, "x-scope", json_string(route->scope));
    if (route->row->flags & GR_ROUTE_DEPRECATED)
        grc_doc_put(object, "deprecated", json_true());
    if (route->forward && doc->options->internal)
        grc_doc_put(object, "x-forward",
                    json_pack("{s:s,s:s}", "upstream", route->forward->upstream, "path",
                              route->forward->path));
}

static json_t *operation(struct grc_doc *doc, const struct grc_route *route, const char *id)
{
    json_t *object =
        json_pack("{s:s,s:s,s:o,s:[s],s:o,s:o,s:o}", "operationId", id, "summary",
                  route->row->summary, "description", description(route), "tags",
                  route->plugin->desc->name, "security", grc_doc_security(doc, route), "parameters",
                  parameters(route), "responses", grc_doc_responses(doc, route));

    if (route->body)
        grc_doc_put(object, "requestBody", body(route));
    add_extras(doc, route, object);
    return object;
}

static void add_operation(struct grc_doc *doc, const char *path, const struct grc_route *route,
                          const char *id)
{
    json_t *paths = json_object_get(doc->root, "paths");
    json_t *item = json_object_get(paths, path);
    char method[8];
    size_t i;

    if (!item) {
        item = json_object();
        grc_doc_put(paths, path, item);
    }
    snprintf(method, sizeof(method), "%s", grc_method_name(route->row->method));
    for (i = 0; method[i]; i++)
        method[i] = (char)tolower((unsigned char)method[i]);
    grc_doc_put(item, method, operation(doc, route, id));
}

/* Operation ids are unique, so the operation of the second path has a longer id. */
static void add_route(struct grc_doc *doc, const struct grc_route *route)
{
    char *id = route->alias ? grc_format("%s.alias", route->row->id) : NULL;

    add_operation(doc, route->path, route, route->row->id);
    if (id)
        add_operation(doc, route->alias, route, id);
    free(id);
}

/* --- the document --- */

/* Only what clients reach: the routes of the admin listener are for operators. */
static bool is_described(const struct grc_runtime *runtime, const struct grc_plugin *plugin,
                         const char *group)
{
    return plugin->state == GRC_LOAD_OK && plugin->route_count > 0 &&
           !grc_plugin_is_for_admin(plugin, runtime->settings) &&
           (!group || strcmp(group, plugin->self.name) == 0);
}

bool grc_openapi_has_group(const struct grc_runtime *runtime, const char *group)
{
    for (size_t i = 0; i < runtime->plugin_count; i++) {
        if (is_described(runtime, runtime->plugins[i], group))
            return true;
    }
    return false;
}

static void add_plugin(struct grc_doc *doc, const struct grc_plugin *plugin)
{
    for (size_t i = 0; i < plugin->route_count; i++)
        add_route(doc, &plugin->routes[i]);
    json_array_append_new(json_object_get(doc->root, "tags"),
                          json_pack("{s:s,s:s,s:s}", "name", plugin->desc->name, "description",
                                    plugin->desc->summary, "x-version", plugin->desc->version));
}

/* The URL with which clients on this machine reach the first listener. */
static json_t *first_listener(const struct grc_settings *settings)
{
    const struct grc_listen *listen = &settings->listen[0];
    bool any = strcmp(listen->address, "0.0.0.0") == 0 || strcmp(listen->address, "[::]") == 0;

    return json_sprintf("%s://%s:%u", listen->tls ? "https" : "http",
                        any ? "localhost" : listen->address, listen->port);
}

static json_t *server(const struct grc_doc *doc)
{
    const struct grc_settings *settings = doc->runtime->settings;
    const char *url = settings->docs.url ? settings->docs.url : doc->options->server;

    return url ? json_string(url) : first_listener(settings);
}

json_t *grc_openapi(const struct grc_runtime *runtime, const struct grc_openapi_options *options)
{
    struct grc_doc doc = {.runtime = runtime, .options = options};

    doc.root =
        json_pack("{s:s,s:{s:s,s:s,s:s,s:{s:s,s:s}},s:[],s:[],s:{},s:{}}", "openapi", "3.1.0",
                  "info", "title", "Greenroom", "version", GR_VERSION, "description",
                  "The routes of this gateway, made from the tables that serve them.", "license",
                  "name", "MIT", "identifier", "MIT", "servers", "tags", "paths", "components");
    if (!doc.root)
        return NULL;
    json_array_append_new(
        json_object_get(doc.root, "servers"),
        json_pack("{s:o,s:s}", "url", server(&doc), "description", "The gateway"));
    for (size_t i = 0; i < runtime->plugin_count; i++) {
        if (is_described(runtime, runtime->plugins[i], options->group))
            add_plugin(&doc, runtime->plugins[i]);
    }
    return doc.root;
}
