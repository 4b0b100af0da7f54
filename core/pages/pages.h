/* The files of the pages /docs and /status, as they stand beside this one; the build puts them into
 * the program. They come from the gateway alone and ask nothing of any other place. */
#pragma once

#include <greenroom/plugin.h>

struct grc_page {
    const char *name; /* "docs.html" */
    const char *type; /* its content type */
    gr_str text;
};

/* Ended by a row without name. Made by core/pages/embed.cmake. */
extern const struct grc_page grc_pages[];
