/*
 * The tables of rig. Times are milliseconds since the epoch, flags are 0 or 1. An e-mail address is
 * stored as sent; email_key is its unique lower-case form. Ids of destinations come from
 * rig_counters, so that an id is not used again after a deletion.
 */
#include "rig.h"

static const char users_sql[] = "CREATE TABLE rig_users ("
                                " id TEXT NOT NULL PRIMARY KEY,"
                                " username TEXT NOT NULL UNIQUE,"
                                " email TEXT NOT NULL,"
                                " email_key TEXT NOT NULL UNIQUE,"
                                " password TEXT,"
                                " is_active BIGINT NOT NULL DEFAULT 1 CHECK (is_active IN (0, 1)),"
                                " generation BIGINT NOT NULL DEFAULT 0,"
                                " created_at_ms BIGINT NOT NULL,"
                                " updated_at_ms BIGINT)";

static const char streams_sql[] =
    "CREATE TABLE rig_streams ("
    " id TEXT NOT NULL PRIMARY KEY,"
    " stream_key TEXT NOT NULL UNIQUE,"
    " user_id TEXT NOT NULL REFERENCES rig_users (id),"
    " is_active BIGINT NOT NULL DEFAULT 1 CHECK (is_active IN (0, 1)),"
    " created_at_ms BIGINT NOT NULL,"
    " updated_at_ms BIGINT,"
    /* Set while the stream is live, until its lease ends. */
    " live_id TEXT,"
    " live_key TEXT,"
    " live_agent TEXT,"
    " live_client TEXT,"
    " live_until_ms BIGINT);"
    "CREATE INDEX rig_streams_user ON rig_streams (user_id, created_at_ms, id);"
    "CREATE INDEX rig_streams_live ON rig_streams (live_until_ms);"
    "CREATE INDEX rig_streams_live_key ON rig_streams (live_key);"
    "CREATE TABLE rig_destinations ("
    " id BIGINT NOT NULL PRIMARY KEY,"
    " stream_id TEXT NOT NULL REFERENCES rig_streams (id),"
    " service TEXT NOT NULL,"
    " stream_key TEXT NOT NULL,"
    " is_active BIGINT NOT NULL DEFAULT 1 CHECK (is_active IN (0, 1)));"
    "CREATE INDEX rig_destinations_stream ON rig_destinations (stream_id, id);"
    "CREATE TABLE rig_counters (name TEXT NOT NULL PRIMARY KEY, value BIGINT NOT NULL);"
    "INSERT INTO rig_counters (name, value) VALUES ('destination', 0)";

static const char guard_sql[] =
    "CREATE TABLE rig_throttle ("
    " id TEXT NOT NULL PRIMARY KEY,"
    " used BIGINT NOT NULL,"
    " until_ms BIGINT NOT NULL);"
    "CREATE INDEX rig_throttle_until ON rig_throttle (until_ms);"
    "CREATE TABLE rig_revoked (jti TEXT NOT NULL PRIMARY KEY, until_ms BIGINT NOT NULL);"
    "CREATE TABLE rig_agent_tokens ("
    " jti TEXT NOT NULL PRIMARY KEY,"
    " name TEXT NOT NULL,"
    " issued_at_ms BIGINT NOT NULL,"
    " expires_at_ms BIGINT NOT NULL)";

static const char audit_sql[] =
    "CREATE TABLE rig_audit ("
    " at_ms BIGINT NOT NULL,"
    " what TEXT NOT NULL,"
    " who TEXT,"
    " target TEXT,"
    " outcome TEXT NOT NULL,"
    " address TEXT,"
    " request_id TEXT);"
    "CREATE INDEX rig_audit_at ON rig_audit (at_ms);"
    "CREATE TABLE rig_broadcasts ("
    " id TEXT NOT NULL PRIMARY KEY,"
    " stream_id TEXT NOT NULL," /* no foreign key: the row outlives the stream */
    " agent TEXT NOT NULL,"
    " client TEXT NOT NULL,"
    " address TEXT,"
    " started_at_ms BIGINT NOT NULL,"
    " ended_at_ms BIGINT,"
    " reason TEXT);" /* 'done', 'lease', 'removed' */
    "CREATE INDEX rig_broadcasts_stream ON rig_broadcasts (stream_id, started_at_ms)";

/* What a connection publishes is found without reading what the others do, and the end of revoked
 * tokens without reading those that still count. */
static const char lookups_sql[] =
    "CREATE INDEX rig_streams_holder ON rig_streams (live_agent, live_client)"
    " WHERE live_until_ms IS NOT NULL;"
    "CREATE INDEX rig_revoked_until ON rig_revoked (until_ms)";

const struct gr_migration rig_migrations[] = {
    {.version = 1, .name = "users", .sql = users_sql},
    {.version = 2, .name = "streams and destinations", .sql = streams_sql},
    {.version = 3, .name = "throttles and revoked tokens", .sql = guard_sql},
    {.version = 4, .name = "audit and broadcasts", .sql = audit_sql},
    {.version = 5, .name = "look-ups of holders and ends", .sql = lookups_sql},
    GR_END,
};
