/* greenroom config: prints values, schema and reference of the config, from the rows that read it.
 */
#include "cmd/cmd.h"
#include "cmd/config_show.h"
#include "config/options.h"
#include "plugin/plugin.h"

#include <stdio.h>

#define REFERENCE_MAX_BYTES (4u * 1024 * 1024)

/* --- schema --- */

/* The schema of a plugins.d file, with "config" from the rows of the plugin. */
static int print_plugin_schema(const struct grc_cli *cli, const char *name)
{
    struct grc_settings *settings = grc_cli_settings(cli, grc_cli_report);
    const struct grc_plugin_settings *found = NULL;
    struct grc_plugin *plugin;
    json_t *schema = NULL;
    size_t i;

    for (i = 0; settings && i < settings->plugin_count; i++) {
        if (strcmp(settings->plugins[i].name, name) == 0)
            found = &settings->plugins[i];
    }
    if (settings && !found)
        grc_complain("there is no plugin '%s' in %s/plugins.d", name, cli->config_dir);
    if (!found) {
        grc_settings_free(settings);
        return settings ? GRC_EXIT_FAILED : GRC_EXIT_CONFIG;
    }
    plugin = grc_plugin_load(settings, found);
    if (plugin && plugin->desc) {
        schema = grc_plugin_file_schema();
        json_object_set_new(json_object_get(schema, "properties"), "config",
                            grc_options_schema(plugin->desc));
    } else {
        grc_complain("%s", plugin && plugin->reason ? plugin->reason : "the plugin is disabled");
    }
    grc_plugin_free(plugin);
    grc_settings_free(settings);
    return schema ? grc_print_json(schema) : GRC_EXIT_FAILED;
}

struct schema_args {
    bool plugin;
};

static int schema(const struct grc_cli *cli, const void *args, int count, char **words)
{
    const struct schema_args *asked = args;

    if (count > 0 && !asked->plugin)
        return grc_usage_error(cli, "the schema of a group is printed with --plugin");
    if (count > 0)
        return print_plugin_schema(cli, words[0]);
    return grc_print_json(asked->plugin ? grc_plugin_file_schema() : grc_settings_schema());
}

/* --- reference --- */

static enum gr_err add_plugin(struct grc_buf *buf, const struct gr_plugin *desc)
{
    enum gr_err err;

    if (!desc->options || !desc->options[0].name)
        return GR_OK;
    err = grc_buf_format(buf,
                         "\n### Options of %s\n\n| Key | Value | Default | Meaning |\n"
                         "| --- | --- | --- | --- |\n",
                         desc->name);
    return err == GR_OK ? grc_options_markdown(buf, desc) : err;
}

struct reference_args {
    bool plugins;
};

static int reference(const struct grc_cli *cli, const void *args, int count, char **words)
{
    bool plugins = ((const struct reference_args *)args)->plugins;
    struct grc_settings *settings = plugins ? grc_cli_settings(cli, grc_cli_report) : NULL;
    struct grc_buf buf;
    enum gr_err err;
    size_t i;

    (void)count;
    (void)words;
    if (plugins && !settings)
        return GRC_EXIT_CONFIG;
    grc_buf_init(&buf, REFERENCE_MAX_BYTES);
    err = grc_settings_markdown(&buf);
    for (i = 0; settings && i < settings->plugin_count && err == GR_OK; i++) {
        struct grc_plugin *plugin = grc_plugin_load(settings, &settings->plugins[i]);

        if (plugin && plugin->desc)
            err = add_plugin(&buf, plugin->desc);
        grc_plugin_free(plugin);
    }
    if (err == GR_OK)
        fputs(buf.ptr, stdout);
    else
        grc_complain("out of memory");
    grc_buf_done(&buf);
    grc_settings_free(settings);
    return grc_print_done(err == GR_OK ? GRC_EXIT_OK : GRC_EXIT_FAILED);
}

static const struct grc_flag schema_flags[] = {
    GRC_SWITCH(schema_args, "--plugin", plugin,
               "Print the schema of a file in plugins.d; with NAME, including the options of that "
               "plugin"),
    GRC_FLAG_END,
};
static const struct grc_flag reference_flags[] = {
    GRC_SWITCH(reference_args, "--plugins", plugins,
               "Also print the options of the plugins in this config"),
    GRC_FLAG_END,
};

static const struct grc_flag show_flags[] = {
    GRC_SWITCH(grc_config_show_args, "--defaults", defaults, "Also print values that are not set"),
    GRC_SWITCH(grc_config_show_args, "--origin", origin,
               "Print the file and line, the variable or \"default\" after each value; \"derived\" "
               "after one that follows from others where it is not set"),
    GRC_SWITCH(grc_config_show_args, "--json", json, "Print JSON, with the origins"),
    GRC_FLAG_END,
};

static const struct grc_command parts[] = {
    {.name = "show",
     .words = "[PATH]",
     .choices = {&grc_choices_settings},
     .summary = "Print the effective values, or those below a path such as server.tls",
     .detail =
         "Secrets are masked, and so is every value whose name or environment variable contains "
         "secret, password, token, credential or key.",
     .flags = show_flags,
     .args_size = sizeof(struct grc_config_show_args),
     .run = grc_config_show},
    {.name = "schema",
     .words = "[NAME]",
     .choices = {&grc_choices_groups},
     .summary = "Print the JSON schema of greenroom.json",
     .flags = schema_flags,
     .args_size = sizeof(struct schema_args),
     .run = schema},
    {.name = "reference",
     .summary = "Print tables of all keys, in markdown",
     .flags = reference_flags,
     .args_size = sizeof(struct reference_args),
     .run = reference},
    {.name = NULL},
};

const struct grc_command grc_command_config = {
    .name = "config",
    .summary = "Print the config's values, its schema or its reference",
    .subs = parts,
};
