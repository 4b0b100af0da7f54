/* The commands of plugins as rows like those of the host, for help, documents and completions. */
#pragma once

#include "base/arena.h"
#include "cmd/cmd.h"
#include "plugin/plugin.h"

#define GRC_PLUGIN_ROWS_MAX 32u

/* Copies of the rows, which stay valid without the plugins. */
struct grc_plugin_rows {
    struct grc_arena arena;
    /* "rig users" and "rig import" are the parts "users" and "import" of a row "rig". Ends with
     * NULL. */
    const struct grc_command *list[GRC_PLUGIN_ROWS_MAX + 1];
    size_t count;
};

/* Reads the commands of the plugins that this config loads. There are none if the config is wrong.
 * Rows beyond GRC_PLUGIN_ROWS_MAX, and parts of a row beyond as many, are left out. */
void grc_plugin_rows_read(const struct grc_cli *cli, struct grc_plugin_rows *rows);
void grc_plugin_rows_done(struct grc_plugin_rows *rows);
/* The row of that name, or NULL. */
const struct grc_command *grc_plugin_rows_find(const struct grc_plugin_rows *rows,
                                               const char *name);

/* "room_id" is "--room-id". In the arena; NULL without memory. */
const char *grc_plugin_flag_name(struct grc_arena *arena, const char *field);
/*
 * The field rows of a plugin's command as rows of flags. The value of each flag is a const char *
 * or a bool at its offset, in the order of the rows; ret_size gets the size of all values. The rows
 * and copies of their texts are in the arena; NULL without memory.
 */
const struct grc_flag *grc_plugin_flags(struct grc_arena *arena, const struct gr_field *fields,
                                        size_t field_size, size_t *ret_size);

/* Calls visit for each plugin of the config that can be loaded. Needs no credentials and reports no
 * problems. */
typedef void grc_plugin_visit_fn(void *arg, const struct grc_plugin *plugin);
void grc_plugins_visit(const struct grc_cli *cli, grc_plugin_visit_fn *visit, void *arg);
