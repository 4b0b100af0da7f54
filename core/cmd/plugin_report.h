/* The report on a plugin's file. */
#pragma once

#include <jansson.h>

/*
 * Every report has "file", "host_abi" and "problems", a list of texts; it has "build_id" and
 * "needs" if the file can be read, "name", "version" and "abi" if the file has a note, and
 * "licence", "summary", "routes", "options", "upstreams" and "migrations" if its tables are valid.
 * The file's code runs only in a child process, and only if the file passed the checks. A new
 * reference.
 */
json_t *grc_plugin_report(const char *file);
