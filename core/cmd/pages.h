/* Documents that are made from the rows of commands and config: man pages and completions. */
#pragma once

#include "cmd/cmd.h"

/* Prints one document to standard output. */
typedef void grc_page_fn(const struct grc_cli *cli);

grc_page_fn grc_man_greenroom;      /* greenroom(8) */
grc_page_fn grc_man_greenroom_json; /* greenroom.json(5) */
grc_page_fn grc_man_plugin;         /* greenroom-plugin(7) */
grc_page_fn grc_completion_bash;
grc_page_fn grc_completion_zsh;

/* Functions of both shells, for a table on their input: _greenroom_column COLUMN SEGMENT prints the
 * names, _greenroom_values COLUMN NAME the values that are possible for one of them. */
extern const char grc_completion_column[];
