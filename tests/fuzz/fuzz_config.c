/* Reads any bytes as a config file, by the same rows as a real one. The result stays in memory. */
#include "config/env.h"
#include "config/settings_rows.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_as(const struct grc_setting *keys, gr_str text, void *base)
{
    struct grc_keep keep = {NULL};
    struct grc_reader reader = {.where = "fuzz.json", .dir = "/nonexistent", .keep = &keep};
    char *copy = malloc(text.len + 1); /* a copy, since the reader changes it */
    json_t *root = NULL;

    if (copy) {
        if (text.len > 0)
            memcpy(copy, text.ptr, text.len);
        copy[text.len] = '\0';
        root = grc_reader_parse_text(&reader, copy, text.len);
    }

    reader.root = root;
    if (root)
        grc_setting_rows_read(&reader, NULL, keys, root, base);
    grc_json_wipe(root);
    free(copy);
    grc_keep_done(&keep);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    gr_str text = {(const char *)data, size};
    struct grc_settings settings;
    struct grc_plugin_settings plugin;

    memset(&settings, 0, sizeof(settings));
    memset(&plugin, 0, sizeof(plugin));
    read_as(grc_settings_rows, text, &settings);
    read_as(grc_plugin_file_rows, text, &plugin);
    grc_env_done();
    return 0;
}
