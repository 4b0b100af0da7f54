/* Parses the "config" object of a plugin into its options struct, by the plugin's option rows. */
#pragma once

#include "base/buf.h"
#include "config/settings.h"
#include "config/units.h"

/*
 * Returns a filled struct of plugin->options_size bytes (at least 1). When anything is wrong, it
 * reports each problem ("etc/plugins.d/rig.json: config.listen: expected …") and returns NULL.
 * where is the plugin's file, DIR/plugins.d/NAME.json; relative secret files are taken from DIR.
 * config may be NULL, for all defaults. Unknown keys are problems. Strings belong to the returned
 * block. Called on the thread that reads the config, since it reads the environment.
 */
void *grc_options_parse(const struct gr_plugin *plugin, const char *where, const json_t *config,
                        grc_report_fn *report, void *arg);
/*
 * Whether the text can be the value of an option of numbers, texts or choices; otherwise reports
 * why, as "greenroom: NAME: expected …, found …". name is what the user calls the option, such as
 * "--speed".
 */
bool grc_option_accepts(const struct gr_option *option, const char *name, const char *text,
                        grc_report_fn *report, void *arg);
/* Wipes and frees. NULL is fine. */
void grc_options_free(const struct gr_plugin *plugin, void *options);
/* The JSON schema of the "config" object. New reference or NULL. */
json_t *grc_options_schema(const struct gr_plugin *plugin);
/* Rows of a markdown table: key, value, default, meaning. */
enum gr_err grc_options_markdown(struct grc_buf *buf, const struct gr_plugin *plugin);
