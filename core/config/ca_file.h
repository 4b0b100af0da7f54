/* Files of certificate authorities, looked at before anything connects. */
#pragma once

#include "config/setting.h"

/* A grc_verify_fn: the file can be read and holds PEM certificates that can be read, all of them.
 */
void grc_ca_file_verify(struct grc_reader *reader, const struct grc_path *path, const char *file);
