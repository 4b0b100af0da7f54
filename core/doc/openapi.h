/* An OpenAPI description of the routes, made from their rows. */
#pragma once

#include "runtime/runtime.h"

/* OpenAPI 3.1. A new reference; NULL without memory. */
json_t *grc_openapi(const struct grc_runtime *runtime);
