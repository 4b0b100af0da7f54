#include "cmd/plugin_rows.h"

#include "base/log.h"
#include "config/env.h"
#include "doc/schema.h"

#include <ctype.h>

#define MEMORY_MAX_BYTES ((size_t)1 << 20)

void grc_plugins_visit(const struct grc_cli *cli, grc_plugin_visit_fn *visit, void *arg)
{
    enum gr_log_level level = grc_log_level();
    struct grc_settings *settings;

    grc_log_level_set(GR_LOG_ERROR);
    grc_env_lenient_set(true);
    settings = grc_settings_load(cli->config_dir, NULL, NULL);
    for (size_t i = 0; settings && i < settings->plugin_count; i++) {
        struct grc_plugin *plugin = grc_plugin_load(settings, &settings->plugins[i]);

        if (plugin && plugin->state == GRC_LOAD_OK)
            visit(arg, plugin);
        grc_plugin_free(plugin);
    }
    grc_settings_free(settings);
    grc_env_lenient_set(false);
    grc_log_level_set(level);
}

/* --- flags --- */

const char *grc_plugin_flag_name(struct grc_arena *arena, const char *field)
{
    char *name = grc_arena_format(arena, "--%s", field);

    for (char *at = name; at && *at; at++)
        *at = *at == '_' ? '-' : *at;
    return name;
}

/* The name of its value in the help: "ID" for a row "room_id". */
static const char *value_name(struct grc_arena *arena, const char *field)
{
    const char *last = strrchr(field, '_');
    char *name = grc_arena_copy(arena, gr_str_of(last ? last + 1 : field));

    for (char *at = name; at && *at; at++)
        *at = (char)toupper((unsigned char)*at);
    return name;
}

/* NULL without memory. */
static const struct grc_choices *copy_choices(struct grc_arena *arena, const char *const *list)
{
    struct grc_choices *choices = grc_arena_alloc(arena, sizeof(*choices));
    size_t count = 0;

    while (list[count])
        count++;
    const char **copy = grc_arena_alloc(arena, (count + 1) * sizeof(*copy));
    for (size_t i = 0; copy && i < count; i++) {
        copy[i] = grc_arena_copy(arena, gr_str_of(list[i]));
        if (!copy[i])
            return NULL;
    }
    if (choices)
        choices->values = copy;
    return copy ? choices : NULL;
}

static bool make_flag(struct grc_arena *arena, const struct gr_field *field, struct grc_flag *flag)
{
    bool is_switch = field->type == GR_BOOL;

    flag->name = grc_plugin_flag_name(arena, field->name);
    flag->type = is_switch ? GRC_FLAG_SWITCH : GRC_FLAG_TEXT;
    flag->value = is_switch ? NULL : value_name(arena, field->name);
    flag->doc = grc_arena_copy(arena, gr_str_of(field->doc));
    flag->choices = field->values ? copy_choices(arena, field->values) : NULL;
    return flag->name && flag->doc && (is_switch || flag->value) &&
           (!field->values || flag->choices);
}

const struct grc_flag *grc_plugin_flags(struct grc_arena *arena, const struct gr_field *fields,
                                        size_t field_size, size_t *ret_size)
{
    size_t count = 0;

    while (fields && grc_field_at(fields, field_size, count).name)
        count++;
    struct grc_flag *flags = grc_arena_alloc(arena, (count + 1) * sizeof(*flags));
    for (size_t i = 0; flags && i < count; i++) {
        struct gr_field field = grc_field_at(fields, field_size, i);

        flags[i].offset = i * sizeof(const char *);
        if (!make_flag(arena, &field, &flags[i]))
            return NULL;
    }
    *ret_size = count * sizeof(const char *);
    return flags;
}

/* --- commands --- */

static struct grc_command *add(struct grc_plugin_rows *rows, gr_str name)
{
    struct grc_command *row = grc_arena_alloc(&rows->arena, sizeof(*row));

    if (!row || rows->count == GRC_PLUGIN_ROWS_MAX)
        return NULL;
    row->name = grc_arena_copy(&rows->arena, name);
    if (row->name)
        rows->list[rows->count++] = row;
    return row->name ? row : NULL;
}

/* The row for parts of that name, made when it is not there yet. */
static struct grc_command *parent_of(struct grc_plugin_rows *rows, gr_str name,
                                     const struct grc_plugin *plugin)
{
    struct grc_command *row = NULL;

    for (size_t i = 0; i < rows->count; i++) {
        if (rows->list[i]->subs && gr_str_eq(gr_str_of(rows->list[i]->name), name))
            return (struct grc_command *)(uintptr_t)rows->list[i];
    }
    struct grc_command *subs =
        grc_arena_alloc(&rows->arena, (GRC_PLUGIN_ROWS_MAX + 1) * sizeof(*subs));
    if (subs)
        row = add(rows, name);
    if (row) {
        row->subs = subs;
        row->summary = grc_arena_copy(&rows->arena, gr_str_of(plugin->desc->summary));
    }
    return row && row->summary ? row : NULL;
}

/* The place for a part among those of its parent, or NULL. */
static struct grc_command *part_of(struct grc_command *parent)
{
    size_t count = 0;

    while (parent && parent->subs[count].name)
        count++;
    return parent && count < GRC_PLUGIN_ROWS_MAX
               ? (struct grc_command *)(uintptr_t)&parent->subs[count]
               : NULL;
}

static void fill(struct grc_plugin_rows *rows, struct grc_command *row, const char *name,
                 const struct gr_command *command, const struct grc_plugin *plugin)
{
    struct grc_arena *arena = &rows->arena;
    size_t size = 0;

    row->words =
        command->usage && *command->usage ? grc_arena_copy(arena, gr_str_of(command->usage)) : NULL;
    row->summary = grc_arena_copy(arena, gr_str_of(command->summary));
    row->detail = grc_arena_format(arena, "A command of the plugin %s.", plugin->desc->name);
    row->flags = grc_plugin_flags(arena, command->flags, plugin->desc->abi.field_size, &size);
    if (row->summary && row->detail && row->flags)
        row->name = grc_arena_copy(arena, gr_str_of(name));
}

static void add_commands(void *arg, const struct grc_plugin *plugin)
{
    struct grc_plugin_rows *rows = arg;
    const struct gr_command *command = plugin->desc->commands;

    for (; command && command->name; command++) {
        const char *space = strchr(command->name, ' ');
        gr_str first = {command->name,
                        space ? (size_t)(space - command->name) : strlen(command->name)};
        struct grc_command *row =
            space ? part_of(parent_of(rows, first, plugin)) : add(rows, first);

        if (row)
            fill(rows, row, space ? space + 1 : command->name, command, plugin);
    }
}

void grc_plugin_rows_read(const struct grc_cli *cli, struct grc_plugin_rows *rows)
{
    memset(rows, 0, sizeof(*rows));
    grc_arena_init(&rows->arena, MEMORY_MAX_BYTES);
    grc_plugins_visit(cli, add_commands, rows);
}

void grc_plugin_rows_done(struct grc_plugin_rows *rows)
{
    grc_arena_done(&rows->arena);
}

const struct grc_command *grc_plugin_rows_find(const struct grc_plugin_rows *rows, const char *name)
{
    for (size_t i = 0; i < rows->count; i++) {
        if (strcmp(rows->list[i]->name, name) == 0)
            return rows->list[i];
    }
    return NULL;
}
