/* Checks what a plugin was compiled for, before it is loaded. */
#include "base/format.h"
#include "plugin/plugin.h"

/* `first` is the size in the first release of this major version. A plugin's struct may be shorter
 * than the host's, but never shorter than this. */
struct size_row {
    const char *field;
    size_t offset;
    size_t first;
    size_t now;
};
#define SIZE_ROW(field_, type_, first_)                                                            \
    {                                                                                              \
#field_, offsetof(struct gr_abi, field_), (first_), sizeof(struct type_)                   \
    }
static const struct size_row sizes[] = {
    SIZE_ROW(plugin_size, gr_plugin, 240),      SIZE_ROW(route_size, gr_route, 160),
    SIZE_ROW(field_size, gr_field, 120),        SIZE_ROW(forward_size, gr_forward, 40),
    SIZE_ROW(answer_size, gr_answer, 32),       SIZE_ROW(option_size, gr_option, 88),
    SIZE_ROW(migration_size, gr_migration, 32), SIZE_ROW(metric_size, gr_metric, 32),
    SIZE_ROW(timer_size, gr_timer, 32),         SIZE_ROW(command_size, gr_command, 32),
};

static enum grc_load_state check_sizes(const char *file, const struct gr_abi *abi,
                                       char **ret_reason)
{
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        uint32_t found = 0;

        memcpy(&found, (const char *)abi + sizes[i].offset, sizeof(found));
        if (found >= sizes[i].first && found <= sizes[i].now)
            continue;
        *ret_reason = grc_format("%s: %s: found %u, wanted %zu to %zu", file, sizes[i].field, found,
                                 sizes[i].first, sizes[i].now);
        return GRC_LOAD_SIZE;
    }
    return GRC_LOAD_OK;
}

enum grc_load_state grc_abi_check(const char *file, const struct gr_abi *abi, char **ret_reason)
{
    if (abi->magic != GR_PLUGIN_MAGIC) {
        *ret_reason =
            grc_format("%s: magic: found 0x%08x, wanted 0x%08x", file, abi->magic, GR_PLUGIN_MAGIC);
        return GRC_LOAD_MAGIC;
    }
    if (abi->major != GR_ABI_MAJOR) {
        *ret_reason =
            grc_format("%s: abi_major: found %u, wanted %u", file, abi->major, GR_ABI_MAJOR);
        return GRC_LOAD_ABI_MAJOR;
    }
    if (abi->minor > GR_ABI_MINOR) {
        *ret_reason =
            grc_format("%s: abi_minor: found %u, wanted %u or less: the plugin needs a newer "
                       "Greenroom",
                       file, abi->minor, GR_ABI_MINOR);
        return GRC_LOAD_ABI_MINOR;
    }
    enum grc_load_state state = check_sizes(file, abi, ret_reason);
    if (state != GRC_LOAD_OK)
        return state;
    if (abi->jansson_major != GR_JANSSON_MAJOR) {
        *ret_reason = grc_format("%s: jansson_major: found %u, wanted %u", file, abi->jansson_major,
                                 GR_JANSSON_MAJOR);
        return GRC_LOAD_BUILD;
    }
    if (abi->pointer_bits != sizeof(void *) * 8) {
        *ret_reason = grc_format("%s: pointer_bits: found %u, wanted %zu", file, abi->pointer_bits,
                                 sizeof(void *) * 8);
        return GRC_LOAD_BUILD;
    }
    return GRC_LOAD_OK;
}

const char *grc_load_state_name(enum grc_load_state state)
{
    static const char *const names[] = {
        [GRC_LOAD_UNKNOWN] = "unknown",       [GRC_LOAD_OK] = "loaded",
        [GRC_LOAD_DISABLED] = "disabled",     [GRC_LOAD_NOT_FOUND] = "not found",
        [GRC_LOAD_UNSAFE] = "unsafe file",    [GRC_LOAD_DLOPEN] = "cannot be opened",
        [GRC_LOAD_FILE] = "unfit file",       [GRC_LOAD_NO_ENTRY] = "no entry",
        [GRC_LOAD_MAGIC] = "wrong magic",     [GRC_LOAD_ABI_MAJOR] = "other major",
        [GRC_LOAD_ABI_MINOR] = "newer minor", [GRC_LOAD_SIZE] = "wrong size",
        [GRC_LOAD_BUILD] = "other build",     [GRC_LOAD_TABLE] = "wrong table",
        [GRC_LOAD_CLASH] = "clash",           [GRC_LOAD_OPTION] = "wrong option",
        [GRC_LOAD_INIT] = "init failed",      [GRC_LOAD_START] = "start failed",
    };

    return (size_t)state < sizeof(names) / sizeof(names[0]) ? names[state] : "unknown";
}
