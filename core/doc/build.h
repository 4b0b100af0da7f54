/* What the parts of an OpenAPI document share while it is made. Without memory a word is left out:
 * a document decides nothing, so no part of it fails. */
#pragma once

#include "doc/openapi.h"

struct grc_doc {
    const struct grc_runtime *runtime;
    const struct grc_openapi_options *options;
    json_t *root;
};

/* Sets a member, and takes over its value. */
static inline void grc_doc_put(json_t *object, const char *name, json_t *stolen)
{
    (void)json_object_set_new(object, name, stolen);
}
/* Whether a component of a kind ("schemas") was put already. */
bool grc_doc_has(const struct grc_doc *doc, const char *kind, const char *name);
/* Puts a component; only those that something refers to belong into a document. */
void grc_doc_add(struct grc_doc *doc, const char *kind, const char *name, json_t *stolen);
/* {"$ref": "#/components/KIND/NAME"}. A new reference. */
json_t *grc_doc_ref(const char *kind, const char *name);

/* responses.c: all that a route may answer. A new reference. */
json_t *grc_doc_responses(struct grc_doc *doc, const struct grc_route *route);
/* security.c: what a caller shows, and the scope it needs. A new reference. */
json_t *grc_doc_security(struct grc_doc *doc, const struct grc_route *route);
/* Whether anything limits how often this route is called. */
bool grc_doc_limited(const struct grc_doc *doc, const struct grc_route *route);
