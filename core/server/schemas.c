#include "server/schemas.h"

#include "auth/keys_store.h"
#include "base/log.h"
#include "idempotency/idempotency.h"
#include "idempotency/records.h"
#include "store/store.h"

#include <stdatomic.h>
#include <stdio.h>

bool grc_schemas_visit(const struct grc_runtime *runtime, grc_schema_fn *visit, void *arg)
{
    bool go_on = true;

    for (size_t i = 0; go_on && i < runtime->plugin_count; i++) {
        const struct grc_plugin *plugin = runtime->plugins[i];

        if (plugin->state == GRC_LOAD_OK && plugin->desc->migrations)
            go_on = visit(arg, grc_plugin_migrations_name(plugin), plugin->desc->migrations, true);
    }
    return go_on &&
           visit(arg, GRC_KEYS_SCHEMA, grc_keys_store_steps,
                 runtime->settings->auth.keys_in_store) &&
           visit(arg, GRC_RECORDS_SCHEMA, grc_records_steps, grc_idempotency_wanted(runtime));
}

int grc_schema_newest(const struct gr_migration *steps)
{
    int newest = 0;

    while (steps[newest].version)
        newest++;
    return newest;
}

/* --- a store of a newer release --- */

/* What the store has applied of one schema, and what this release knows of it. */
struct comparison {
    const struct grc_runtime *runtime;
    char *text;
    size_t size;
    bool newer;
    gr_str name;
    int64_t has;
};

static bool see_wanted(void *arg, const char *name, const struct gr_migration *steps, bool wanted)
{
    bool *any = arg;

    (void)name;
    (void)steps;
    *any = *any || wanted;
    return true;
}

static bool compare(void *arg, const char *name, const struct gr_migration *steps, bool wanted)
{
    struct comparison *comparison = arg;
    int knows = grc_schema_newest(steps);

    if (!wanted || comparison->has <= knows || !gr_str_eq(comparison->name, gr_str_of(name)))
        return true;
    comparison->newer = true;
    snprintf(comparison->text, comparison->size,
             "a newer release has migrated the tables of '%s' to step %lld, and this one knows %d: "
             "replace this gateway",
             name, (long long)comparison->has, knows);
    return false;
}

static enum gr_err take_applied(void *arg, const struct gr_value *columns, size_t count)
{
    struct comparison *comparison = arg;

    (void)count;
    comparison->name = columns[0].s;
    comparison->has = columns[1].i;
    if (!comparison->newer)
        (void)grc_schemas_visit(comparison->runtime, compare, comparison);
    return GR_OK;
}

const char *grc_schemas_trouble(const struct grc_runtime *runtime, char *ret_text, size_t size)
{
    static atomic_bool told;
    struct comparison comparison = {.runtime = runtime, .text = ret_text, .size = size};
    bool any = false;

    (void)grc_schemas_visit(runtime, see_wanted, &any);
    enum gr_err err =
        any ? grc_store_run(runtime->store, NULL,
                            "SELECT plugin, max(version) FROM greenroom_migrations GROUP BY plugin",
                            NULL, 0, take_applied, &comparison, NULL)
            : grc_store_ping(runtime->store);
    if (err != GR_OK)
        return "cannot be reached";
    if (!atomic_exchange(&told, comparison.newer) && comparison.newer)
        grc_error("store: %s", ret_text);
    return comparison.newer ? ret_text : NULL;
}
