/* The report on a plugin's file. */
#pragma once

#include <jansson.h>

/*
 * Of any file: "file", "host_abi" and "problems", a list of texts; "name", "version" and "abi" when
 * it has a note; "build_id" and "needs"; and when its tables hold "licence", "summary", "routes",
 * "options", "upstreams" and "migrations". Its code runs in a child process only, and only when the
 * file was found good. A new reference.
 */
json_t *grc_plugin_report(const char *file);
