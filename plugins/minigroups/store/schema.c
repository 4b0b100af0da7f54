#include "schema.h"

static const char classes_sql[] =
    "CREATE TABLE minigroups_class ("
    " id TEXT NOT NULL PRIMARY KEY,"
    " kind TEXT NOT NULL CHECK (kind IN ('webinar', 'p2p', 'minigroup')),"
    " audience TEXT NOT NULL,"
    " scope TEXT NOT NULL,"
    " time_start_ms BIGINT," /* included; NULL: open */
    " time_end_ms BIGINT,"   /* excluded; NULL: open */
    " tags TEXT,"
    " properties TEXT NOT NULL DEFAULT '{}',"
    " preserve_history INTEGER NOT NULL DEFAULT 1 CHECK (preserve_history IN (0, 1)),"
    " reserve BIGINT,"
    " host TEXT," /* agent id or account id */
    " conference_room_id TEXT,"
    " event_room_id TEXT,"
    " original_event_room_id TEXT,"
    " modified_event_room_id TEXT,"
    " room_events_uri TEXT,"
    " timed_out INTEGER NOT NULL DEFAULT 0 CHECK (timed_out IN (0, 1)),"
    " established INTEGER NOT NULL DEFAULT 0 CHECK (established IN (0, 1)),"
    " original_class_id TEXT,"
    " content_id TEXT,"
    " stopped_at_ms BIGINT,"     /* first room.close since create or recreate */
    " adjusting_at_ms BIGINT,"   /* when the event service was asked to adjust */
    " transcoding_at_ms BIGINT," /* when the running transcode task was requested */
    " created_at_ms BIGINT NOT NULL,"
    " CHECK (time_start_ms IS NULL OR time_end_ms IS NULL OR time_start_ms <= time_end_ms),"
    " CHECK (established = 0 OR"
    "  (conference_room_id IS NOT NULL AND event_room_id IS NOT NULL)));"
    "CREATE UNIQUE INDEX minigroups_class_scope ON minigroups_class (audience, scope);"
    "CREATE INDEX minigroups_class_conference ON minigroups_class (conference_room_id);"
    "CREATE INDEX minigroups_class_event ON minigroups_class (event_room_id);"
    "CREATE INDEX minigroups_class_original ON minigroups_class (original_event_room_id);"
    "CREATE INDEX minigroups_class_modified ON minigroups_class (modified_event_room_id)";

static const char recordings_sql[] =
    "CREATE TABLE minigroups_recording ("
    " id TEXT NOT NULL PRIMARY KEY,"
    " class_id TEXT NOT NULL REFERENCES minigroups_class (id) ON DELETE CASCADE,"
    " rtc_id TEXT NOT NULL,"
    " created_by TEXT NOT NULL," /* agent id of the participant */
    " stream_uri TEXT,"          /* NULL until converted */
    " segments TEXT,"            /* [[start_ms,end_ms],...], relative to started_at_ms */
    " modified_segments TEXT,"
    " started_at_ms BIGINT,"
    " created_at_ms BIGINT NOT NULL,"
    " adjusted_at_ms BIGINT,"
    " transcoded_at_ms BIGINT,"
    " deleted_at_ms BIGINT);" /* not NULL: from before the last recreate */
    "CREATE UNIQUE INDEX minigroups_recording_author"
    " ON minigroups_recording (class_id, created_by) WHERE deleted_at_ms IS NULL;"
    "CREATE INDEX minigroups_recording_class ON minigroups_recording (class_id);"
    "CREATE INDEX minigroups_recording_rtc ON minigroups_recording (rtc_id)";

static const char people_sql[] =
    "CREATE TABLE minigroups_position ("
    " class_id TEXT NOT NULL REFERENCES minigroups_class (id) ON DELETE CASCADE,"
    " account_id TEXT NOT NULL,"
    " position_secs BIGINT NOT NULL CHECK (position_secs BETWEEN 0 AND 86400),"
    " created_at_ms BIGINT NOT NULL,"
    " updated_at_ms BIGINT NOT NULL,"
    " PRIMARY KEY (class_id, account_id));"
    "CREATE TABLE minigroups_account ("
    " id TEXT NOT NULL PRIMARY KEY,"
    " properties TEXT NOT NULL DEFAULT '{}')";

static const char outbox_sql[] =
    "CREATE TABLE minigroups_outbox ("
    " id TEXT NOT NULL PRIMARY KEY,"
    " kind TEXT NOT NULL CHECK (kind IN ('notify', 'event', 'conference', 'tq')),"
    " audience TEXT NOT NULL,"
    " label TEXT NOT NULL," /* label of a notification, otherwise method and path */
    " payload TEXT NOT NULL,"
    " attempts BIGINT NOT NULL DEFAULT 0,"
    " next_try_ms BIGINT NOT NULL,"
    " created_at_ms BIGINT NOT NULL);"
    "CREATE INDEX minigroups_outbox_due ON minigroups_outbox (next_try_ms)";

static const char inbox_sql[] =
    "CREATE TABLE minigroups_inbox ("
    " id TEXT NOT NULL PRIMARY KEY,"
    " came_ms BIGINT NOT NULL,"
    " queue TEXT NOT NULL," /* id of the class, or of the room when no class has it */
    " audience TEXT NOT NULL,"
    " source TEXT NOT NULL," /* label of the sender */
    " label TEXT NOT NULL,"
    " payload TEXT NOT NULL,"
    " attempts BIGINT NOT NULL DEFAULT 0,"
    " next_try_ms BIGINT NOT NULL);"
    "CREATE INDEX minigroups_inbox_order ON minigroups_inbox (queue, came_ms, id)";

/* Renames columns and adds indexes for shared/queue.h. */
static const char queues_sql[] =
    "ALTER TABLE minigroups_outbox RENAME COLUMN next_try_ms TO due_ms;"
    "ALTER TABLE minigroups_outbox RENAME COLUMN created_at_ms TO came_ms;"
    "ALTER TABLE minigroups_inbox RENAME COLUMN next_try_ms TO due_ms;"
    "CREATE INDEX minigroups_outbox_order ON minigroups_outbox (came_ms, id);"
    "CREATE INDEX minigroups_inbox_came ON minigroups_inbox (came_ms)";

/* The message of a class that can be handled next is found without reading those behind it. */
static const char first_sql[] =
    "ALTER TABLE minigroups_inbox ADD COLUMN behind BIGINT NOT NULL DEFAULT 0;"
    "UPDATE minigroups_inbox SET behind = 1 WHERE EXISTS (SELECT 1 FROM minigroups_inbox AS e"
    " WHERE e.queue = minigroups_inbox.queue AND (e.came_ms < minigroups_inbox.came_ms"
    " OR (e.came_ms = minigroups_inbox.came_ms AND e.id < minigroups_inbox.id)));"
    "CREATE INDEX minigroups_inbox_first ON minigroups_inbox (due_ms, id) WHERE behind = 0";

const struct gr_migration mini_migrations[] = {
    {.version = 1, .name = "classes", .sql = classes_sql},
    {.version = 2, .name = "recordings", .sql = recordings_sql},
    {.version = 3, .name = "positions and accounts", .sql = people_sql},
    {.version = 4, .name = "outbox", .sql = outbox_sql},
    {.version = 5, .name = "inbox", .sql = inbox_sql},
    {.version = 6, .name = "queues", .sql = queues_sql},
    {.version = 7, .name = "first of each class", .sql = first_sql},
    GR_END,
};
