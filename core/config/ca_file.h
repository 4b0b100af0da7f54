/* Checks files of certificate authorities when the config is read, before anything connects. */
#pragma once

#include "config/setting.h"

/* A grc_verify_fn: checks that the file holds PEM certificates and that all of them can be read. */
void grc_ca_file_verify(struct grc_reader *reader, const struct grc_path *path, const char *file);
