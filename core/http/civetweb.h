/* Private to the CivetWeb adapter. */
#pragma once

#include "http/internal.h"

#include <civetweb.h>

/* CivetWeb's options with the memory they point into. */
struct grc_http_options {
    const char *list[64];
    size_t count;
    char texts[16][32];
    size_t text_count;
    char ports[GRC_LISTEN_MAX * 72];
};

/* Sets every option that matters, so that the gateway does not depend on a build's defaults. */
void grc_http_fill_options(struct grc_http_options *options, const struct grc_http *http,
                           const struct grc_listen *listen, size_t count);
