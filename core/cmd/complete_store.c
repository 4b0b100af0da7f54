#include "cmd/complete_store.h"

#include "base/format.h"
#include "cmd/child.h"
#include "plugin/plugin.h"
#include "store/store.h"

#include <stdlib.h>

bool grc_completes(void)
{
    const char *set = getenv("GREENROOM_COMPLETION");

    return set && set[0];
}

static struct grc_store *open_used(const char *url, const struct grc_plugin *plugin)
{
    char *reason = NULL;
    struct grc_store *store = grc_store_open_read_only(url, &reason);
    bool used =
        store && grc_store_is_migrated(store, grc_plugin_migrations_name(plugin),
                                       plugin->desc->migrations, sizeof(struct gr_migration));

    free(reason);
    if (used)
        return store;
    grc_store_close(store);
    return NULL;
}

static struct grc_store *open_spare(const struct grc_plugin *plugin, struct grc_spare *ret_spare)
{
    const char *place = getenv("TMPDIR");
    char *path = grc_format("%s/greenroom-complete-XXXXXX", place && place[0] ? place : "/tmp");
    struct grc_store *store = NULL;
    char *reason = NULL;

    if (!path || !mkdtemp(path)) {
        free(path);
        return NULL;
    }
    ret_spare->path = path;
    char *url = grc_format("sqlite:%s/spare.db", path);
    if (url)
        store = grc_store_open(url, &reason);
    if (store &&
        grc_store_migrate(store, grc_plugin_migrations_name(plugin), plugin->desc->migrations,
                          sizeof(struct gr_migration), &reason) != GR_OK) {
        grc_store_close(store);
        store = NULL;
    }
    free(reason);
    free(url);
    return store;
}

bool grc_complete_store_open(struct grc_runtime *runtime, const struct grc_plugin *plugin,
                             struct grc_spare *ret_spare)
{
    if (!runtime->settings->store)
        return false;
    runtime->store = open_used(runtime->settings->store, plugin);
    if (!runtime->store)
        runtime->store = open_spare(plugin, ret_spare);
    return runtime->store != NULL;
}

void grc_spare_done(struct grc_spare *spare)
{
    if (spare->path)
        grc_tree_remove(spare->path);
    free(spare->path);
}
