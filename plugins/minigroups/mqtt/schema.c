#include "schema.h"

static const char inbox_sql[] = "CREATE TABLE mqtt_bridge_inbox ("
                                " id TEXT NOT NULL PRIMARY KEY,"
                                " came_ms BIGINT NOT NULL,"
                                " audience TEXT NOT NULL,"
                                " label TEXT NOT NULL,"
                                " agent TEXT NOT NULL,"
                                " payload TEXT NOT NULL,"
                                " attempts BIGINT NOT NULL DEFAULT 0,"
                                " next_try_ms BIGINT NOT NULL);"
                                "CREATE INDEX mqtt_bridge_inbox_order"
                                " ON mqtt_bridge_inbox (came_ms, id)";

/* Renames a column for shared/queue.h. */
static const char queue_sql[] = "ALTER TABLE mqtt_bridge_inbox RENAME COLUMN next_try_ms TO due_ms";

/* What is due is found without reading what waits for its next attempt. */
static const char due_sql[] = "CREATE INDEX mqtt_bridge_inbox_due ON mqtt_bridge_inbox (due_ms)";

const struct gr_migration mq_migrations[] = {
    {.version = 1, .name = "inbox", .sql = inbox_sql},
    {.version = 2, .name = "queue", .sql = queue_sql},
    {.version = 3, .name = "due", .sql = due_sql},
    GR_END,
};
