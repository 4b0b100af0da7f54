/*
 * The texts of a runtime's OpenAPI documents. Each is made when it is first asked for, once, and
 * lives as long as the runtime. Thread-safe.
 */
#pragma once

#include "doc/openapi.h"

struct grc_documents;

struct grc_document {
    gr_str text;
    char etag[24]; /* with its quotes (RFC 9110, section 8.8.3) */
};

/* NULL without memory. */
struct grc_documents *grc_documents_new(void);
void grc_documents_free(struct grc_documents *documents);
/* The document of runtime->documents; NULL without memory, or when no such group is served. The
 * first call for a document makes it, with its options->server; later calls get the same text. */
const struct grc_document *grc_document(const struct grc_runtime *runtime,
                                        const struct grc_openapi_options *options);
