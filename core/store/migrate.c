/*
 * Migrations. Each missing step runs in a transaction that holds the schema lock, and is recorded
 * in the same transaction. So a gateway that dies in the middle leaves nothing half done, and two
 * that start together take turns.
 */
#include "base/clock.h"
#include "base/format.h"
#include "base/log.h"
#include "base/secure.h"
#include "store/engine.h"

#include <stdlib.h>

#define ATTEMPTS 5u

static const char table_sql[] = "CREATE TABLE IF NOT EXISTS greenroom_migrations ("
                                "plugin TEXT NOT NULL, version BIGINT NOT NULL,"
                                " name TEXT NOT NULL, checksum TEXT NOT NULL,"
                                " applied_at_ms BIGINT NOT NULL, PRIMARY KEY (plugin, version))";

struct migration_run {
    struct grc_store_session *session;
    const struct grc_engine *engine;
    const char *plugin;
    char **ret_reason;
    bool applied; /* whether the last step was missing in the store */
};

/* What the store has recorded of a step. */
struct applied {
    bool found;
    bool same;
    int64_t highest;
    const char *checksum; /* of the step's text now */
};

static bool step_at(const struct gr_migration *steps, size_t step_size, size_t i,
                    struct gr_migration *ret_step)
{
    size_t known = step_size < sizeof(*ret_step) ? step_size : sizeof(*ret_step);

    *ret_step = (struct gr_migration){0};
    memcpy(ret_step, (const char *)steps + i * step_size, known);
    return ret_step->version != 0;
}

static void checksum_of(const struct migration_run *run, const struct gr_migration *step,
                        char ret_text[65])
{
    unsigned char digest[32];

    grc_sha256(gr_str_of(run->engine->step_sql(step)), digest);
    grc_hex(digest, sizeof(digest), ret_text);
}

/* Sets the reason unless there is one, and returns err. */
static enum gr_err refuse(const struct migration_run *run, const struct gr_migration *step,
                          enum gr_err err, const char *what)
{
    if (!*run->ret_reason)
        *run->ret_reason = grc_format("plugin '%s', migration %d '%s': %s", run->plugin,
                                      step->version, step->name ? step->name : "", what);
    return err;
}

/* Checks that versions are 1, 2, 3 … and that every step has a name and SQL text. */
static enum gr_err check_steps(const struct migration_run *run, const struct gr_migration *steps,
                               size_t step_size)
{
    struct gr_migration step;
    int before = 0;

    for (size_t i = 0; step_at(steps, step_size, i, &step); i++) {
        if (step.version != before + 1)
            return refuse(run, &step, GR_ERR_STORE, "expected versions 1, 2, 3 … in order");
        if (!step.name || !*step.name || !run->engine->step_sql(&step))
            return refuse(run, &step, GR_ERR_STORE, "expected a name and SQL text");
        before = step.version;
    }
    return GR_OK;
}

static enum gr_err see_highest(void *arg, const struct gr_value *columns, size_t count)
{
    struct applied *applied = arg;

    (void)count;
    applied->highest = columns[0].kind == GR_VALUE_INT ? columns[0].i : 0;
    return GR_OK;
}

static enum gr_err see_step(void *arg, const struct gr_value *columns, size_t count)
{
    struct applied *applied = arg;

    (void)count;
    applied->found = true;
    applied->same = gr_str_eq(columns[0].s, gr_str_of(applied->checksum));
    return GR_OK;
}

static enum gr_err look(const struct migration_run *run, int version, struct applied *applied)
{
    const struct gr_value params[] = {gr_v_text(run->plugin), gr_v_int(version)};
    struct grc_statement step = {.sql = "SELECT checksum FROM greenroom_migrations"
                                        " WHERE plugin = ?1 AND version = ?2",
                                 .params = params,
                                 .count = 2,
                                 .each = see_step,
                                 .arg = applied};
    struct grc_statement highest = {.sql = "SELECT max(version) FROM greenroom_migrations"
                                           " WHERE plugin = ?1",
                                    .params = params,
                                    .count = 1,
                                    .each = see_highest,
                                    .arg = applied};

    enum gr_err err = grc_store_run_in(run->session, &step);
    return err == GR_OK ? grc_store_run_in(run->session, &highest) : err;
}

static enum gr_err note(const struct migration_run *run, const struct gr_migration *step,
                        const char *checksum)
{
    const struct gr_value params[] = {gr_v_text(run->plugin), gr_v_int(step->version),
                                      gr_v_text(step->name), gr_v_text(checksum),
                                      gr_v_int(grc_now_ms())};
    struct grc_statement insert = {.sql = "INSERT INTO greenroom_migrations"
                                          " (plugin, version, name, checksum, applied_at_ms)"
                                          " VALUES (?1, ?2, ?3, ?4, ?5)",
                                   .params = params,
                                   .count = 5};

    return grc_store_run_in(run->session, &insert);
}

/* Applies a step, inside of its transaction. */
static enum gr_err apply(struct migration_run *run, const struct gr_migration *step)
{
    char checksum[65];
    struct applied applied = {.checksum = checksum};

    checksum_of(run, step, checksum);
    enum gr_err err = run->engine->script(run->session, table_sql);
    if (err == GR_OK)
        err = look(run, step->version, &applied);
    if (err != GR_OK)
        return err;
    if (applied.found && !applied.same)
        return refuse(run, step, GR_ERR_STORE,
                      "the store has applied this step with a different text; a released step must "
                      "not be edited");
    run->applied = !applied.found;
    if (applied.found)
        return GR_OK;
    if (applied.highest > step->version)
        return refuse(run, step, GR_ERR_STORE, "the store has later steps, but not this one");
    err = run->engine->script(run->session, run->engine->step_sql(step));
    if (err != GR_OK)
        return refuse(run, step, err, "its SQL failed; the log has the reason");
    return note(run, step, checksum);
}

/* Refuses a store that a newer release has migrated. */
static enum gr_err check_newest(struct migration_run *run, const struct gr_migration *last)
{
    struct applied applied = {.checksum = ""};

    enum gr_err err = run->engine->script(run->session, table_sql);
    if (err == GR_OK)
        err = look(run, last->version, &applied);
    if (err == GR_OK && applied.highest > last->version)
        return refuse(run, last, GR_ERR_STORE,
                      "the store has later steps, made by a newer release of this plugin");
    return err;
}

typedef enum gr_err step_fn(struct migration_run *run, const struct gr_migration *step);

/* Runs fn under the schema lock. */
static enum gr_err locked(struct grc_store *store, struct migration_run *run,
                          const struct gr_migration *step, step_fn *fn)
{
    enum gr_err err = store->engine->checkout(store, true, &run->session);

    if (err != GR_OK)
        return err;
    err = store->engine->begin(run->session, GRC_BEGIN_SCHEMA);
    if (err == GR_OK) {
        run->session->in_tx = true;
        run->session->doomed = GR_OK;
        err = fn(run, step);
        if (err == GR_OK)
            err = grc_store_commit_in(run->session);
        else
            grc_store_rollback_in(run->session);
    }
    store->engine->checkin(run->session);
    return err;
}

static enum gr_err locked_again(struct grc_store *store, struct migration_run *run,
                                const struct gr_migration *step, step_fn *fn)
{
    enum gr_err err = GR_ERR_STORE_BUSY;

    for (unsigned attempt = 0; attempt < ATTEMPTS && err == GR_ERR_STORE_BUSY; attempt++) {
        free(*run->ret_reason);
        *run->ret_reason = NULL;
        err = locked(store, run, step, fn);
    }
    if (err != GR_OK)
        return refuse(run, step, err, "the store failed; the log has the reason");
    return GR_OK;
}

/* The steps of a plugin beside those that the store has recorded. */
struct comparison {
    const struct migration_run *run;
    const struct gr_migration *steps;
    size_t step_size;
    size_t count; /* steps that are recorded with their text of now, from the first on */
    bool differs;
};

static enum gr_err see_table(void *arg, const struct gr_value *columns, size_t count)
{
    (void)columns;
    (void)count;
    *(bool *)arg = true;
    return GR_OK;
}

static enum gr_err compare(void *arg, const struct gr_value *columns, size_t count)
{
    struct comparison *seen = arg;
    struct gr_migration step;
    char checksum[65];

    (void)count;
    if (step_at(seen->steps, seen->step_size, seen->count, &step) && columns[0].i == step.version &&
        seen->run->engine->step_sql(&step)) {
        checksum_of(seen->run, &step, checksum);
        seen->differs = seen->differs || !gr_str_eq(columns[1].s, gr_str_of(checksum));
        seen->count++;
    } else {
        seen->differs = true;
    }
    return GR_OK;
}

bool grc_store_is_migrated(struct grc_store *store, const char *plugin,
                           const struct gr_migration *steps, size_t step_size)
{
    struct migration_run run = {.engine = store->engine, .plugin = plugin};
    struct comparison seen = {.run = &run, .steps = steps, .step_size = step_size};
    const struct gr_value table = gr_v_text("greenroom_migrations");
    const struct gr_value name = gr_v_text(plugin);
    bool there = false;
    struct grc_statement ask = {.sql = store->engine->table_sql,
                                .params = &table,
                                .count = 1,
                                .each = see_table,
                                .arg = &there};
    struct grc_statement list = {.sql = "SELECT version, checksum FROM greenroom_migrations"
                                        " WHERE plugin = ?1 ORDER BY version",
                                 .params = &name,
                                 .count = 1,
                                 .each = compare,
                                 .arg = &seen};
    struct gr_migration more;

    if (!steps)
        return true;
    if (store->engine->checkout(store, false, &run.session) != GR_OK)
        return false;
    enum gr_err err = grc_store_run_in(run.session, &ask);
    if (err == GR_OK && there)
        err = grc_store_run_in(run.session, &list);
    store->engine->checkin(run.session);
    return err == GR_OK && !seen.differs && !step_at(steps, step_size, seen.count, &more);
}

enum gr_err grc_store_migrate(struct grc_store *store, const char *plugin,
                              const struct gr_migration *steps, size_t step_size, char **ret_reason)
{
    struct migration_run run = {
        .engine = store->engine, .plugin = plugin, .ret_reason = ret_reason};
    struct gr_migration step;
    struct gr_migration last = {0};
    struct gr_migration done = {0}; /* the last one that was applied now */

    *ret_reason = NULL;
    if (!steps)
        return GR_OK;
    enum gr_err err = check_steps(&run, steps, step_size);
    /* Without the lock, since steps that are recorded stay. */
    if (err == GR_OK && grc_store_is_migrated(store, plugin, steps, step_size))
        return GR_OK;
    for (size_t i = 0; err == GR_OK && step_at(steps, step_size, i, &step); i++)
        last = step;
    if (err == GR_OK && last.version)
        err = locked_again(store, &run, &last, check_newest);
    for (size_t i = 0; err == GR_OK && step_at(steps, step_size, i, &step); i++) {
        err = locked_again(store, &run, &step, apply);
        if (err == GR_OK && run.applied)
            done = step;
    }
    if (done.version)
        grc_log_fields(GR_LOG_INFO, "store migrated",
                       GRC_LOG_FIELDS(GRC_LT("plugin", plugin), GRC_LI("version", done.version),
                                      GRC_LT("step", done.name)));
    return err;
}
