#include "plugin/report.h"

#include "metrics/metrics.h"
#include "plugin/module.h"

typedef void sample_fn(struct grc_buf *out, const struct grc_plugin *plugin);

static void info(struct grc_buf *out, const struct grc_plugin *plugin)
{
    (void)grc_buf_text(out, "greenroom_plugin_info{");
    grc_metrics_label(out, "plugin", plugin->self.name, ",");
    grc_metrics_label(out, "version", plugin->desc->version, ",");
    grc_metrics_label(out, "build_id", grc_module_elf(plugin->module)->build_id, "} 1\n");
}

static void generation(struct grc_buf *out, const struct grc_plugin *plugin)
{
    (void)grc_buf_text(out, "greenroom_plugin_generation{");
    grc_metrics_label(out, "plugin", plugin->self.name, "}");
    (void)grc_buf_format(out, " %u\n", grc_module_generation(plugin->module));
}

static void loaded(struct grc_buf *out, const struct grc_plugin *plugin)
{
    (void)grc_buf_text(out, "greenroom_plugin_loaded_timestamp_seconds{");
    grc_metrics_label(out, "plugin", plugin->self.name, "}");
    (void)grc_buf_format(out, " %lld\n", (long long)(grc_module_loaded_ms(plugin->module) / 1000));
}

static const struct {
    const char *name;
    const char *help;
    sample_fn *sample;
} rows[] = {
    {"plugin_info", "Plugins that serve; always 1", info},
    {"plugin_generation", "How many times code of this plugin was loaded since the start",
     generation},
    {"plugin_loaded_timestamp_seconds", "When the code that serves was loaded", loaded},
};

void grc_plugins_report(struct grc_plugin *const *plugins, size_t count, struct grc_buf *out)
{
    const struct grc_modules_count modules = grc_modules_count();

    for (size_t row = 0; row < sizeof(rows) / sizeof(rows[0]); row++) {
        grc_metrics_head(out, rows[row].name, "gauge", rows[row].help);
        for (size_t i = 0; i < count; i++) {
            if (plugins[i]->state == GRC_LOAD_OK && plugins[i]->module)
                rows[row].sample(out, plugins[i]);
        }
    }
    grc_metrics_head(out, "plugin_modules", "gauge",
                     "Modules that are mapped: in use, or kept because they may have left threads "
                     "behind");
    (void)grc_buf_format(out,
                         "greenroom_plugin_modules{state=\"loaded\"} %u\n"
                         "greenroom_plugin_modules{state=\"kept\"} %u\n",
                         modules.loaded, modules.kept);
}
