/* An OpenAPI description of the routes, made from their rows. */
#pragma once

#include "runtime/runtime.h"

struct grc_openapi_options {
    const char *group;  /* only the routes of this group; NULL: all that clients reach */
    const char *server; /* the URL that paths are appended to; NULL: what the config says */
    bool internal;      /* for operators: upstreams are named too */
};

/* OpenAPI 3.1. A new reference; NULL without memory. */
json_t *grc_openapi(const struct grc_runtime *runtime, const struct grc_openapi_options *options);
/* Whether a group of this name is served to clients. */
bool grc_openapi_has_group(const struct grc_runtime *runtime, const char *group);
