/* The tables of a plugin that was just loaded, judged before anything of the host walks them. */
#pragma once

#include "plugin/module.h"

/*
 * Checks every table of the module's descriptor: that it ends within its own memory, that what its
 * rows point to is the plugin's, that options lie inside of their struct, that members of a row go
 * together, that migrations count from 1, that examples are JSON. false with one malloc'ed line
 * that names file, table, row, what was found and what was wanted (NULL without memory). The end of
 * a table is found exactly where the file has symbols, and as the end of its segment where it was
 * stripped.
 */
bool grc_judge(const char *file, const struct grc_module *module, const struct gr_plugin *desc,
               char **ret_reason);
