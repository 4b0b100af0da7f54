/* Security schemes: one for each way in which the configured providers take a credential. */
#include "base/scope.h"
#include "doc/build.h"
#include "doc/schema.h"

#include <stdio.h>

#define API_KEY "api_key"
#define API_KEY_BEARER "api_key_bearer"

static json_t *bearer(const char *description)
{
    return json_pack("{s:s,s:s,s:s}", "type", "http", "scheme", "bearer", "description",
                     description);
}

static json_t *in_header(const char *name, const char *description)
{
    return json_pack("{s:s,s:s,s:s,s:s}", "type", "apiKey", "in", "header", "name", name,
                     "description", description);
}

/* --- callers --- */

/* Adds an alternative: this scheme, with the scope of the route. */
static void add_way(json_t *ways, const char *scheme, const char *scope)
{
    json_array_append_new(ways, scope ? json_pack("{s:[s]}", scheme, scope)
                                      : json_pack("{s:[]}", scheme));
}

static void add_keys(struct grc_doc *doc, json_t *ways, const char *scope)
{
    grc_doc_add(doc, "securitySchemes", API_KEY, in_header("X-API-Key", "An API key"));
    grc_doc_add(doc, "securitySchemes", API_KEY_BEARER, bearer("An API key as a bearer token"));
    add_way(ways, API_KEY, scope);
    add_way(ways, API_KEY_BEARER, scope);
}

static void add_jwt(struct grc_doc *doc, json_t *ways, const struct grc_jwt_settings *jwt,
                    const char *scope)
{
    char name[128];

    snprintf(name, sizeof(name), "jwt_%s", jwt->name);
    if (!grc_doc_has(doc, "securitySchemes", name)) {
        json_t *scheme = bearer("A JSON Web Token of this issuer");

        grc_doc_put(scheme, "bearerFormat", json_string("JWT"));
        if (jwt->issuer)
            grc_doc_put(scheme, "x-issuer", json_string(jwt->issuer));
        grc_doc_add(doc, "securitySchemes", name, scheme);
    }
    add_way(ways, name, scope);
}

static bool anonymous_has(const struct grc_auth_settings *auth, const char *scope)
{
    for (size_t i = 0; auth->none_scopes && auth->none_scopes[i]; i++) {
        if (!scope || grc_scope_covers(gr_str_of(auth->none_scopes[i]), gr_str_of(scope)))
            return true;
    }
    return false;
}

/* Without a provider every client may call. */
static json_t *of_callers(struct grc_doc *doc, const char *scope)
{
    const struct grc_auth_settings *auth = &doc->runtime->settings->auth;
    json_t *ways = json_array();

    if (auth->keys_file)
        add_keys(doc, ways, scope);
    for (size_t i = 0; i < auth->jwt_count; i++)
        add_jwt(doc, ways, &auth->jwt[i], scope);
    if (json_array_size(ways) > 0 && anonymous_has(auth, scope))
        json_array_append_new(ways, json_object());
    return ways;
}

/* --- groups that know their callers themselves --- */

/* Returns the name of the secret header with which callers of the route authenticate, or NULL. */
static const char *secret_header(const struct grc_route *route)
{
    size_t size = route->plugin->desc->abi.field_size;
    struct gr_field row;

    for (size_t i = 0; route->row->headers; i++) {
        row = grc_field_at(route->row->headers, size, i);
        if (!row.name)
            break;
        if (row.flags & GR_FIELD_SECRET)
            return row.name;
    }
    return NULL;
}

static json_t *of_group(struct grc_doc *doc, const struct grc_route *route)
{
    const char *name = route->plugin->self.name;
    const char *header = secret_header(route);

    if (!grc_doc_has(doc, "securitySchemes", name))
        grc_doc_add(doc, "securitySchemes", name,
                    header ? in_header(header, "A secret that the group was configured with")
                           : bearer("A token that the group itself accepts"));
    return json_pack("[{s:[]}]", name);
}

json_t *grc_doc_security(struct grc_doc *doc, const struct grc_route *route)
{
    switch (route->row->access) {
    case GR_ACCESS_OPEN:
        break;
    case GR_ACCESS_GROUP:
        return of_group(doc, route);
    case GR_ACCESS_CALLER:
        return of_callers(doc, route->scope);
    }
    return json_array();
}
