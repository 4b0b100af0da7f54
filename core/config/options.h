/* A plugin's option rows: parse its "config" object into its options struct. */
#pragma once

#include "config/settings.h"

/*
 * Returns a zeroed, filled struct of plugin->options_size bytes (at least 1), or NULL when anything
 * is wrong (each problem reported, with where, e.g. "etc/plugins.d/rig.json: config.listen").
 * Unknown keys are problems. Strings belong to the returned block.
 */
void *grc_options_parse(const struct gr_plugin *plugin, const char *where, const json_t *config,
                        grc_report_fn *report, void *arg);
/* Wipes and frees. NULL is fine. */
void grc_options_free(const struct gr_plugin *plugin, void *options);
/* Parses "10s", "250ms", "64k" …; false when it is not such a value. */
bool grc_duration_parse(const char *text, int64_t *ret_ms);
bool grc_bytes_parse(const char *text, int64_t *ret_bytes);
