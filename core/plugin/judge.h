/* Checks the tables of a plugin that was just loaded, before the host uses them. */
#pragma once

#include "plugin/module.h"

/*
 * Checks every table of the module's descriptor: that it ends within its memory, that its pointers
 * point into the plugin, that options lie within their struct, that the members of a row fit
 * together, that migrations count from 1, that examples are JSON. Returns false with one malloc'ed
 * line that names file, table, row, what was found and what was wanted (NULL without memory). The
 * symbols of the file tell where a table's memory ends; in a stripped file that is the end of its
 * segment.
 */
bool grc_judge(const char *file, const struct grc_module *module, const struct gr_plugin *desc,
               char **ret_reason);
