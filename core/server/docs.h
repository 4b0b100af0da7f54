/* The group that describes the API: /openapi.json, and the page that shows it. */
#pragma once

#include <greenroom/plugin.h>

extern const struct gr_plugin grc_docs_group;

/* Answers with a file of core/pages, under the policy of all pages. */
enum gr_err grc_page_reply(struct gr_call *pub, const char *name);
/* A handler of routes "/…/{file}", whose .data is the list of the files that they serve. */
gr_handler grc_page_file;
