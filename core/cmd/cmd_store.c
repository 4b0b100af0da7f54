/* greenroom store: shows and migrates the store, and copies it into another one. */
#include "base/clock.h"
#include "base/format.h"
#include "cmd/cmd.h"
#include "server/runtime_build.h"
#include "server/schemas.h"
#include "store/copy.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define SCHEMAS_MAX 256u

struct words {
    bool json;
};

/* Tables that are migrated together: those of a group, of several that share them, or the host's.
 */
struct schema {
    char *name;
    const struct gr_migration *steps; /* NULL: no group of this config has them */
    bool wanted;                      /* by this config */
    int wants;                        /* the newest step of this release */
    int64_t has;                      /* the newest step in the store; 0: none */
    int64_t migrated_ms;
};

struct schemas {
    struct schema list[SCHEMAS_MAX];
    size_t count;
};

static int failed(char *reason)
{
    grc_complain("store: %s", reason ? reason : "out of memory");
    free(reason);
    return GRC_EXIT_FAILED;
}

/* The URL without user, password and options. malloc'ed. */
static char *place_of(const char *url)
{
    const char *slashes = strstr(url, "://");

    if (!slashes)
        return grc_format("%s", url);
    const char *host = slashes + 3;
    size_t end = strcspn(host, "?");
    for (size_t i = strcspn(host, "/?"); i > 0; i--) {
        if (host[i - 1] == '@') {
            host += i;
            end -= i;
            break;
        }
    }
    return grc_format("%.*s://%.*s", (int)(slashes - url), url, (int)end, host);
}

/* --- schemas --- */

static struct schema *find_schema(struct schemas *schemas, const char *name)
{
    for (size_t i = 0; i < schemas->count; i++) {
        if (strcmp(schemas->list[i].name, name) == 0)
            return &schemas->list[i];
    }
    return NULL;
}

/* Finds the schema of that name or adds it. NULL without room. */
static struct schema *need_schema(struct schemas *schemas, const char *name)
{
    struct schema *schema = find_schema(schemas, name);

    if (schema || schemas->count == SCHEMAS_MAX)
        return schema;
    schema = &schemas->list[schemas->count];
    schema->name = grc_format("%s", name);
    schemas->count += schema->name != NULL;
    return schema->name ? schema : NULL;
}

static bool add_schema(void *arg, const char *name, const struct gr_migration *steps, bool wanted)
{
    struct schema *schema = need_schema(arg, name);

    if (!schema)
        return false;
    schema->steps = steps;
    schema->wanted = schema->wanted || wanted;
    schema->wants = grc_schema_newest(steps);
    return true;
}

static enum gr_err take_applied(void *arg, const struct gr_value *columns, size_t count)
{
    char name[256];

    (void)count;
    snprintf(name, sizeof(name), "%.*s", (int)columns[0].s.len, columns[0].s.ptr);
    struct schema *schema = need_schema(arg, name);
    if (!schema)
        return GR_ERR_NO_MEMORY;
    schema->has = columns[1].i;
    schema->migrated_ms = columns[2].i;
    return GR_OK;
}

/* Adds what the store has applied. A new store has no table of migrations. */
static bool read_applied(struct grc_store *store, struct schemas *schemas, char **ret_reason)
{
    struct grc_catalog catalog;
    enum gr_err err = grc_catalog_read(store, &catalog);

    for (size_t i = 0; i < schemas->count; i++)
        schemas->list[i].has = 0;
    if (err == GR_OK && grc_catalog_find(&catalog, "greenroom_migrations"))
        err = grc_store_run(store, NULL,
                            "SELECT plugin, max(version), max(applied_at_ms)"
                            " FROM greenroom_migrations GROUP BY plugin ORDER BY plugin",
                            NULL, 0, take_applied, schemas, NULL);
    grc_catalog_free(&catalog);
    return err == GR_OK || grc_refuse(ret_reason, "cannot be read; the log has the reason");
}

/* Returns the schemas of the config's groups and of the host; NULL after complaining. */
static struct schemas *schemas_of(const struct grc_runtime *runtime)
{
    struct schemas *schemas = calloc(1, sizeof(*schemas));

    if (!schemas || !grc_schemas_visit(runtime, add_schema, schemas))
        grc_complain("out of memory");
    return schemas;
}

static void free_schemas(struct schemas *schemas)
{
    for (size_t i = 0; schemas && i < schemas->count; i++)
        free(schemas->list[i].name);
    free(schemas);
}

static const char *state_of(const struct schema *schema)
{
    if (!schema->steps)
        return "unused"; /* by this config */
    if (schema->has > schema->wants)
        return "newer";
    if (schema->has == schema->wants)
        return "current";
    return schema->has ? "behind" : "missing";
}

/* Hides tables that this config does not want and the store does not have. */
static bool is_shown(const struct schema *schema)
{
    return schema->wanted || schema->has > 0;
}

static bool is_due(const struct schema *schema)
{
    return schema->wanted && schema->has != schema->wants;
}

/* --- status --- */

static int print_json(const struct schemas *schemas, const char *place)
{
    json_t *list = json_array();

    for (size_t i = 0; i < schemas->count; i++) {
        const struct schema *schema = &schemas->list[i];
        char time[25] = "";

        if (!is_shown(schema))
            continue;
        grc_time_format(schema->migrated_ms, time);
        json_array_append_new(list,
                              json_pack("{s:s, s:I, s:o, s:s, s:o}", "name", schema->name,
                                        "applied", (json_int_t)schema->has, "wanted",
                                        schema->steps ? json_integer(schema->wants) : json_null(),
                                        "state", state_of(schema), "migrated",
                                        schema->migrated_ms ? json_string(time) : json_null()));
    }
    return grc_print_json(json_pack("{s:s, s:o}", "store", place, "schemas", list));
}

static int print_table(const struct schemas *schemas, const char *place)
{
    static const char *const head[] = {"TABLES OF", "APPLIED", "WANTED", "STATE", "MIGRATED"};
    struct grc_table table = {.columns = 5};
    struct grc_arena arena;
    bool made = grc_table_add(&table, head);

    grc_arena_init(&arena, (size_t)1 << 20);
    for (size_t i = 0; made && i < schemas->count; i++) {
        const struct schema *schema = &schemas->list[i];
        char time[25] = "";

        if (!is_shown(schema))
            continue;
        grc_time_format(schema->migrated_ms, time);
        const char *const cells[] = {
            schema->name,
            grc_arena_format(&arena, "%lld", (long long)schema->has),
            schema->steps ? grc_arena_format(&arena, "%d", schema->wants) : NULL,
            state_of(schema),
            schema->migrated_ms ? grc_arena_copy(&arena, (gr_str){time, 16}) : NULL,
        };
        made = grc_table_add(&table, cells);
    }
    printf("store: %s\n", place);
    int status = grc_table_finish(&table, made);
    grc_arena_done(&arena);
    return status;
}

/* Returns 1 when a gateway with this config would migrate the store, or refuse it. */
static int print(const struct schemas *schemas, const char *url, bool json)
{
    char *place = place_of(url);
    int status =
        place ? (json ? print_json(schemas, place) : print_table(schemas, place)) : GRC_EXIT_FAILED;

    free(place);
    for (size_t i = 0; status == GRC_EXIT_OK && i < schemas->count; i++) {
        if (is_due(&schemas->list[i]))
            status = GRC_EXIT_FAILED;
    }
    return status;
}

static bool migrate_all(struct grc_store *store, const struct schemas *schemas, char **ret_reason)
{
    for (size_t i = 0; i < schemas->count; i++) {
        const struct schema *schema = &schemas->list[i];

        if (schema->wanted && grc_store_migrate(store, schema->name, schema->steps,
                                                sizeof(struct gr_migration), ret_reason) != GR_OK)
            return false;
    }
    return true;
}

typedef int action_fn(struct grc_runtime *runtime, struct schemas *schemas,
                      const struct words *args, char **words);

static int status(struct grc_runtime *runtime, struct schemas *schemas, const struct words *args,
                  char **words)
{
    char *reason = NULL;

    (void)words;
    if (!grc_runtime_open_store(runtime, grc_cli_report, NULL))
        return GRC_EXIT_FAILED;
    if (!read_applied(runtime->store, schemas, &reason))
        return failed(reason);
    return print(schemas, runtime->settings->store, args->json);
}

static int migrate(struct grc_runtime *runtime, struct schemas *schemas, const struct words *args,
                   char **words)
{
    char *reason = NULL;

    (void)words;
    if (!grc_runtime_open_store(runtime, grc_cli_report, NULL))
        return GRC_EXIT_FAILED;
    if (!migrate_all(runtime->store, schemas, &reason) ||
        !read_applied(runtime->store, schemas, &reason))
        return failed(reason);
    return print(schemas, runtime->settings->store, args->json);
}

/* --- copy --- */

/* For the progress on standard error, and for the result. */
struct progress {
    json_t *tables;
    bool terminal;
};

static void show_progress(void *arg, const char *table, int64_t copied, int64_t total, bool ended)
{
    struct progress *progress = arg;

    if (progress->terminal || ended)
        fprintf(stderr, "%s%s: %lld of %lld row%s%s", progress->terminal ? "\r\033[K" : "", table,
                (long long)copied, (long long)total, grc_plural((size_t)total), ended ? "\n" : "");
    (void)fflush(stderr);
    if (ended)
        json_array_append_new(progress->tables,
                              json_pack("{s:s, s:I}", "name", table, "rows", (json_int_t)copied));
}

/* The target gets the tables of the source, made by this release's migrations. So these must be
 * known for every table, and the source must have applied exactly these. */
static bool match_source(struct grc_store *from, struct schemas *schemas, char **ret_reason)
{
    bool filled = false;

    if (!read_applied(from, schemas, ret_reason))
        return false;
    for (size_t i = 0; i < schemas->count; i++) {
        struct schema *schema = &schemas->list[i];

        schema->wanted = schema->has > 0;
        if (!schema->wanted)
            continue;
        filled = true;
        if (!schema->steps)
            return grc_refuse(
                ret_reason,
                "the source has tables of '%s', which no group of this config uses: enable such a "
                "group for the copy",
                schema->name);
        if (schema->has != schema->wants)
            return grc_refuse(ret_reason,
                              "the source has applied %lld of %d migration%s of '%s': run "
                              "`greenroom store migrate` on the source first",
                              (long long)schema->has, schema->wants,
                              grc_plural((size_t)schema->wants), schema->name);
    }
    return filled || grc_refuse(ret_reason, "FROM: no gateway has used this database: it has none "
                                            "of its tables");
}

static bool copy_between(struct grc_store *from, struct grc_store *to, const char *source,
                         struct schemas *schemas, struct progress *progress, char **ret_reason)
{
    return match_source(from, schemas, ret_reason) && grc_copy_begin(to, source, ret_reason) &&
           migrate_all(to, schemas, ret_reason) &&
           grc_store_copy(from, to, show_progress, progress, ret_reason);
}

static int tell_copied(const struct progress *progress, bool json)
{
    int64_t rows = 0;
    const json_t *table;
    size_t i;

    json_array_foreach(progress->tables, i, table)
        rows += json_integer_value(json_object_get(table, "rows"));
    if (json)
        return grc_print_json(
            json_pack("{s:O, s:I}", "tables", progress->tables, "rows", (json_int_t)rows));
    printf("%lld row%s of %zu table%s copied; numbers and content are the same on both sides\n",
           (long long)rows, grc_plural((size_t)rows), json_array_size(progress->tables),
           grc_plural(json_array_size(progress->tables)));
    return grc_print_done(GRC_EXIT_OK);
}

/* Never says the URL, which may have a password. NULL after complaining. */
static struct grc_store *open_named(const char *what, const char *url)
{
    char *reason = NULL;
    struct grc_store *store = grc_store_open(url, &reason);

    if (!store)
        grc_complain("store: %s: %s", what, reason ? reason : "out of memory");
    free(reason);
    return store;
}

/* A file that is not there would be made, and an empty store copied. */
static bool is_there(const char *url)
{
    const char *file = strncmp(url, "sqlite:", 7) == 0 ? url + 7 : NULL;

    if (!file || access(file, F_OK) == 0)
        return true;
    grc_complain("store: FROM: %s: %s", file, strerror(errno));
    return false;
}

static int copy(struct grc_runtime *runtime, struct schemas *schemas, const struct words *args,
                char **words)
{
    if (!is_there(words[0]))
        return GRC_EXIT_FAILED;
    struct progress progress = {.tables = json_array(), .terminal = isatty(STDERR_FILENO) == 1};
    char *reason = NULL;
    char *source = place_of(words[0]);
    struct grc_store *from = source ? open_named("FROM", words[0]) : NULL;
    struct grc_store *to = from ? open_named("TO", words[1]) : NULL;
    bool done =
        to && progress.tables && copy_between(from, to, source, schemas, &progress, &reason);
    int status = done            ? tell_copied(&progress, args->json)
                 : to || !source ? failed(reason)
                                 : GRC_EXIT_FAILED;

    (void)runtime;
    grc_store_close(from);
    grc_store_close(to);
    json_decref(progress.tables);
    free(source);
    return status;
}

/* --- dispatch --- */

static int run(const struct grc_cli *cli, const void *args, char **words, action_fn *action)
{
    grc_cli_quiet(GR_LOG_WARN, false);
    struct grc_runtime *runtime =
        grc_runtime_new(cli->config_dir, GRC_RUNTIME_COMMAND, grc_cli_report, NULL);
    struct schemas *schemas = runtime ? schemas_of(runtime) : NULL;
    int status = runtime ? GRC_EXIT_FAILED : GRC_EXIT_CONFIG;

    if (schemas)
        status = action(runtime, schemas, args, words);
    free_schemas(schemas);
    grc_runtime_unref(runtime);
    return status;
}

#define ACTION(action_)                                                                            \
    static int run_##action_(const struct grc_cli *cli, const void *args, int count, char **words) \
    {                                                                                              \
        (void)count;                                                                               \
        return run(cli, args, words, action_);                                                     \
    }
ACTION(status)
ACTION(migrate)
ACTION(copy)

static const struct grc_flag flags[] = {
    GRC_SWITCH(words, "--json", json, "As JSON"),
    GRC_FLAG_END,
};

static const struct grc_command actions[] = {
    {.name = "status",
     .summary = "Show which migrations the store has, and which this config wants",
     .detail = "Exit status 1 means that a gateway with this config would migrate the store, or "
               "refuse it because a newer release has migrated it.",
     .flags = flags,
     .args_size = sizeof(struct words),
     .run = run_status,
     .usual = true},
    {.name = "migrate",
     .summary = "Apply the missing migrations, as a gateway does when it starts",
     .flags = flags,
     .args_size = sizeof(struct words),
     .run = run_migrate},
    {.name = "copy",
     .words = "FROM TO",
     .summary = "Copy a store into a new one, such as sqlite:FILE into postgres://…",
     .detail = "Stop the gateways first. All rows are copied and then compared. After an "
               "interruption, the same command continues the copy. A password that is in neither "
               "URL is taken from PGPASSFILE or ~/.pgpass.",
     .flags = flags,
     .args_size = sizeof(struct words),
     .run = run_copy},
    {.name = NULL},
};

const struct grc_command grc_command_store = {
    .name = "store",
    .summary = "Show, migrate and copy the store",
    .subs = actions,
};
