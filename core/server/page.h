/* The rows of a page that is embedded in the program, and the handlers that serve its files. */
#pragma once

#include "call/call.h"

/*
 * Two routes: the page at `path`, and its files below. files are the names of embedded files
 * (pages/pages.h), the page's own first; the list ends with NULL.
 */
#define GRC_PAGE_ROUTES(path, id, summary, files)                                                  \
    GR_GET(path, id ".page", summary, .access = GR_ACCESS_OPEN, .handle = grc_page,                \
           .data = (files)),                                                                       \
        GR_GET(path "/{file}", id ".file", "A file of the page", .access = GR_ACCESS_OPEN,         \
               .params = grc_page_params, .handle = grc_page_file, .data = (files))

gr_handler grc_page;
gr_handler grc_page_file;
extern const struct gr_field grc_page_params[];
