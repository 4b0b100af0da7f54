/* What a route answers: its documented answers, and every error that its row makes possible. */
#include "base/err.h"
#include "doc/build.h"
#include "doc/schema.h"
#include "idempotency/idempotency.h"

#include <stdio.h>

/* --- the schema of errors --- */

/* The host's own format; see grc_error_json(). */
static const struct gr_field host_error_fields[] = {
    GR_FIELD("code", GR_INT, "The HTTP status", .flags = GR_FIELD_REQUIRED),
    GR_FIELD("message", GR_STRING, "What went wrong, for a person", .flags = GR_FIELD_REQUIRED),
    GR_FIELD("details", GR_ARRAY, "One line for each thing that is wrong with the request",
             .flags = GR_FIELD_NOT_NULL, .items = GR_ITEM(GR_STRING)),
    GR_END,
};
static const struct gr_field *const host_error = GR_BODY(GR_OBJECT, .fields = host_error_fields);

/* Whose format the errors of a group have: its own, or the host's. */
static bool is_own(const struct grc_plugin *plugin)
{
    return plugin->desc->render_error != NULL;
}

/* "Error404" in the host's format, "accounts.Error404" in a group's. status 0: no number. */
static const char *name_of(const struct grc_plugin *plugin, int status, char *text, size_t size)
{
    char number[16] = "";

    if (status)
        snprintf(number, sizeof(number), "%d", status);
    snprintf(text, size, "%s%sError%s", is_own(plugin) ? plugin->self.name : "",
             is_own(plugin) ? "." : "", number);
    return text;
}

/* A group that does not tell the shape of its errors has JSON objects of some kind. */
static json_t *error_schema(const struct grc_plugin *plugin)
{
    if (!is_own(plugin))
        return grc_field_schema(host_error, sizeof(*host_error), false);
    if (!plugin->desc->error_body)
        return json_pack("{s:s}", "type", "object");
    struct gr_field row = grc_field_at(plugin->desc->error_body, plugin->desc->abi.field_size, 0);
    return grc_field_schema(&row, plugin->desc->abi.field_size, false);
}

static json_t *error_content(struct grc_doc *doc, const struct grc_plugin *plugin, int status,
                             const char *message)
{
    char name[96];
    json_t *media;

    name_of(plugin, 0, name, sizeof(name));
    if (!grc_doc_has(doc, "schemas", name))
        grc_doc_add(doc, "schemas", name, error_schema(plugin));
    media = json_pack("{s:o}", "schema", grc_doc_ref("schemas", name));
    if (!is_own(plugin) && status)
        grc_doc_put(media, "example", json_pack("{s:i,s:s}", "code", status, "message", message));
    return json_pack("{s:o}", "application/json", media);
}

/* --- headers --- */

enum { ON_ALL = 1u << 0, ON_LIMITED = 1u << 1, ON_RETRY = 1u << 2, ON_KEYED = 1u << 3 };

static const struct {
    const char *name;
    const char *type;
    const char *doc;
    unsigned on;
} headers[] = {
    {"X-Request-Id", "string", "ID of the request in the log; the client's own if it sent one",
     ON_ALL},
    {"RateLimit-Limit", "integer", "Requests that the nearest limit allows at once", ON_LIMITED},
    {"RateLimit-Remaining", "integer", "Requests that this limit still allows", ON_LIMITED},
    {"RateLimit-Reset", "integer", "Seconds until this limit is full again", ON_LIMITED},
    {"Retry-After", "integer", "Seconds to wait before the next try", ON_RETRY},
    {GRC_IDEMPOTENT_REPLAYED, "string",
     "Always `true`: the answer to an earlier request with the same Idempotency-Key", ON_KEYED},
};

static json_t *headers_of(struct grc_doc *doc, unsigned on)
{
    json_t *object = json_object();

    for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
        if (!(headers[i].on & on))
            continue;
        if (!grc_doc_has(doc, "headers", headers[i].name))
            grc_doc_add(doc, "headers", headers[i].name,
                        json_pack("{s:s,s:{s:s}}", "description", headers[i].doc, "schema", "type",
                                  headers[i].type));
        grc_doc_put(object, headers[i].name, grc_doc_ref("headers", headers[i].name));
    }
    return object;
}

/* --- which errors --- */

static bool takes_body(const struct grc_route *route)
{
    return route->body || (route->row->flags & GR_ROUTE_RAW_BODY);
}

static bool always(const struct grc_doc *doc, const struct grc_route *route)
{
    (void)doc;
    (void)route;
    return true;
}

static bool has_callers(const struct grc_doc *doc, const struct grc_route *route)
{
    const struct grc_auth_settings *auth = &doc->runtime->settings->auth;

    return route->row->access == GR_ACCESS_GROUP ||
           (route->row->access == GR_ACCESS_CALLER && (auth->keys_file || auth->jwt_count > 0));
}

static bool has_scope(const struct grc_doc *doc, const struct grc_route *route)
{
    return route->row->access == GR_ACCESS_CALLER && has_callers(doc, route);
}

static bool names_one(const struct grc_doc *doc, const struct grc_route *route)
{
    (void)doc;
    return strchr(route->path, '{') != NULL;
}

static bool reads_body(const struct grc_doc *doc, const struct grc_route *route)
{
    (void)doc;
    return takes_body(route);
}

static bool wants_json(const struct grc_doc *doc, const struct grc_route *route)
{
    (void)doc;
    return (takes_body(route) && !(route->row->flags & GR_ROUTE_ANY_CONTENT_TYPE)) ||
           ((route->plugin->desc->flags & GR_PLUGIN_NEEDS_JSON_TYPE) &&
            route->row->method != GR_METHOD_GET && route->row->method != GR_METHOD_DELETE);
}

static bool is_limited(const struct grc_doc *doc, const struct grc_route *route)
{
    return route->forward || has_callers(doc, route) || grc_doc_limited(doc, route);
}

static bool forwards(const struct grc_doc *doc, const struct grc_route *route)
{
    (void)doc;
    return route->forward != NULL;
}

static bool takes_key(const struct grc_doc *doc, const struct grc_route *route)
{
    (void)doc;
    return grc_idempotency_of(route) != NULL;
}

static bool may_be_late(const struct grc_doc *doc, const struct grc_route *route)
{
    return forwards(doc, route) || takes_key(doc, route);
}

/* The status is that of err. */
static const struct {
    enum gr_err err;
    bool (*can)(const struct grc_doc *doc, const struct grc_route *route);
    const char *doc;
} errors[] = {
    {GR_ERR_BAD_REQUEST, always, "The request does not fit the operation"},
    {GR_ERR_UNAUTHORIZED, has_callers, "No credential, or an invalid one"},
    {GR_ERR_FORBIDDEN, has_scope, "The caller lacks the scope, or is bound to other values"},
    {GR_ERR_NOT_FOUND, names_one, "What the path names does not exist"},
    {GR_ERR_TIMEOUT, reads_body, "The client sent its body too slowly"},
    {GR_ERR_CONFLICT, takes_key,
     "The first request with this Idempotency-Key is still being served"},
    {GR_ERR_TOO_LARGE, reads_body, "The body is too large"},
    {GR_ERR_URI, always, "The request target is too long"},
    {GR_ERR_MEDIA_TYPE, wants_json, "The Content-Type is not application/json"},
    {GR_ERR_UNPROCESSABLE, takes_key, "This Idempotency-Key was used for another request"},
    {GR_ERR_RATE, is_limited, "Too many requests"},
    {GR_ERR_HEADERS, always, "Too many or too large headers"},
    {GR_ERR_INTERNAL, always, "A fault of the gateway"},
    {GR_ERR_UPSTREAM_CONNECT, forwards,
     "The upstream was not reached, or its answer cannot be used"},
    {GR_ERR_OVERLOAD, always, "No capacity, the gateway stops, or the upstream is not available"},
    {GR_ERR_UPSTREAM_TIMEOUT, may_be_late,
     "The upstream took too long, or the outcome of the first request with this Idempotency-Key is "
     "not known"},
};

static unsigned headers_on(enum gr_err err)
{
    if (err == GR_ERR_RATE)
        return ON_ALL | ON_LIMITED | ON_RETRY;
    return err == GR_ERR_OVERLOAD || err == GR_ERR_CONFLICT ? ON_ALL | ON_RETRY : ON_ALL;
}

/* Errors stand once in the document for each format, and are referred to. */
static void add_error(struct grc_doc *doc, const struct grc_route *route, json_t *responses,
                      size_t which)
{
    int status = grc_err_status(errors[which].err);
    char number[16];
    char name[96];

    snprintf(number, sizeof(number), "%d", status);
    if (json_object_get(responses, number) || !errors[which].can(doc, route))
        return;
    name_of(route->plugin, status, name, sizeof(name));
    if (!grc_doc_has(doc, "responses", name))
        grc_doc_add(
            doc, "responses", name,
            json_pack("{s:s,s:o,s:o}", "description", errors[which].doc, "headers",
                      headers_of(doc, headers_on(errors[which].err)), "content",
                      error_content(doc, route->plugin, status, grc_err_doc(errors[which].err))));
    grc_doc_put(responses, number, grc_doc_ref("responses", name));
}

static void add_default(struct grc_doc *doc, const struct grc_route *route, json_t *responses)
{
    char name[96];

    name_of(route->plugin, 0, name, sizeof(name));
    if (!grc_doc_has(doc, "responses", name))
        grc_doc_add(doc, "responses", name,
                    json_pack("{s:s,s:o,s:o}", "description",
                              "Any other error, including those of an upstream", "headers",
                              headers_of(doc, ON_ALL), "content",
                              error_content(doc, route->plugin, 0, NULL)));
    grc_doc_put(responses, "default", grc_doc_ref("responses", name));
}

/* --- documented answers --- */

static json_t *content(const struct gr_answer *row, size_t field_size)
{
    json_t *media = json_object();

    if (row->schema) {
        struct gr_field schema = grc_field_at(row->schema, field_size, 0);

        schema.flags |= GR_FIELD_HINTS; /* the gateway passes answers on unchecked */
        grc_doc_put(media, "schema", grc_field_schema(&schema, field_size, false));
    }
    if (row->example)
        grc_doc_put(media, "example", grc_example(row->example));
    if (json_object_size(media) > 0)
        return json_pack("{s:o}", "application/json", media);
    json_decref(media);
    return NULL;
}

static json_t *answer(struct grc_doc *doc, const struct grc_route *route,
                      const struct gr_answer *row)
{
    json_t *shape = content(row, route->plugin->desc->abi.field_size);
    unsigned on = grc_doc_limited(doc, route) ? ON_ALL | ON_LIMITED : ON_ALL;

    if (takes_key(doc, route))
        on |= ON_KEYED;
    if (!shape && row->status >= 400)
        shape = error_content(doc, route->plugin, row->status, row->doc ? row->doc : "");
    return json_pack("{s:s,s:o,s:o*}", "description", row->doc && *row->doc ? row->doc : "Done",
                     "headers", headers_of(doc, on), "content", shape);
}

json_t *grc_doc_responses(struct grc_doc *doc, const struct grc_route *route)
{
    static const struct gr_answer done = {.status = 200, .doc = "Done"};
    const struct gr_answer *row = route->row->answers;
    json_t *responses = json_object();
    bool good = false;

    for (; row && row->status; row++) {
        char status[16];

        snprintf(status, sizeof(status), "%d", row->status);
        grc_doc_put(responses, status, answer(doc, route, row));
        good = good || row->status < 400;
    }
    if (!good)
        grc_doc_put(responses, "2XX", answer(doc, route, &done));
    for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++)
        add_error(doc, route, responses, i);
    add_default(doc, route, responses);
    return responses;
}
