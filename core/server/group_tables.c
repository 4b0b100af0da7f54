#include "server/group_tables.h"

#include "base/clock.h"
#include "call/call.h"

#include <stdlib.h>

#define TIME_MAX_MS 1000
/* The limit of one group, since the page reads all tables every few seconds. */
#define TABLES_MAX_BYTES ((size_t)64 * 1024)

/* New reference; NULL when the group does not answer with an object, or with too much. */
static json_t *ask(struct grc_runtime *runtime, struct grc_plugin *plugin)
{
    struct grc_call *call = calloc(1, sizeof(*call));
    struct grc_reply reply = {0};
    json_t *tables = NULL;

    if (!call)
        return NULL;
    grc_call_begin(call, runtime, plugin);
    call->reply = &reply;
    call->deadline_ms = grc_mono_ms() + TIME_MAX_MS;
    if (plugin->desc->status(&call->pub) == GR_OK && reply.body.len <= TABLES_MAX_BYTES)
        tables = json_loadb(reply.body.ptr, reply.body.len, 0, NULL);
    grc_call_done(call);
    free(call);
    if (json_is_object(tables))
        return tables;
    json_decref(tables);
    return NULL;
}

json_t *grc_group_tables(struct grc_runtime *runtime)
{
    json_t *all = json_object();

    for (size_t i = 0; all && i < runtime->plugin_count; i++) {
        struct grc_plugin *plugin = runtime->plugins[i];
        json_t *tables =
            plugin->state == GRC_LOAD_OK && plugin->desc->status ? ask(runtime, plugin) : NULL;

        if (tables)
            (void)json_object_set_new(all, plugin->self.name, tables);
    }
    return all;
}
