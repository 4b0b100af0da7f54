/* Config directories for the tests of core/config. */
#pragma once

#include "base/buf.h"
#include "config/settings.h"

#include <limits.h>

/* A new directory in the system's directory of temporary files. */
struct config_dir {
    char path[64];
    struct grc_buf
        lines; /* the reports, one per line, with the path of the directory replaced by "D" */
    size_t line_count;
};

void config_dir_make(struct config_dir *dir);
/* Writes a file in the directory. name may be "plugins.d/x.json"; mode is that of chmod(). */
void config_dir_write(struct config_dir *dir, const char *name, const char *content, unsigned mode);
/* A grc_report_fn; arg is the struct config_dir. */
void config_dir_report(void *arg, const char *line);
/* Forgets what was reported. */
void config_dir_clear(struct config_dir *dir);
void config_dir_remove(struct config_dir *dir);
