#include "store/catalog.h"

#define TABLES_MAX 512u
#define ARENA_BYTES ((size_t)16 << 20)

/* What each engine is asked. */
struct questions {
    const char *kind;
    const char *tables;  /* name */
    const char *columns; /* of table ?1: name, place in the primary key from 1; 0: not in it */
    const char *refers;  /* names of the tables that table ?1 refers to */
};

static const struct questions questions[] = {
    {"sqlite",
     "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE "
     "'\\'"
     " ORDER BY name",
     "SELECT name, pk FROM pragma_table_info(?1) ORDER BY cid",
     "SELECT DISTINCT \"table\" FROM pragma_foreign_key_list(?1)"},
    {"postgres",
     "SELECT c.relname::text FROM pg_class AS c WHERE c.relkind IN ('r', 'p')"
     " AND c.relnamespace = current_schema()::regnamespace ORDER BY 1",
     "SELECT a.attname::text, coalesce(array_position(i.indkey::smallint[], a.attnum) + 1, 0)"
     " FROM pg_attribute AS a LEFT JOIN pg_index AS i ON i.indrelid = a.attrelid AND i.indisprimary"
     " WHERE a.attrelid = ?1::regclass AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum",
     "SELECT DISTINCT f.relname::text FROM pg_constraint AS k JOIN pg_class AS f"
     " ON f.oid = k.confrelid WHERE k.contype = 'f' AND k.conrelid = ?1::regclass"},
};

static const struct questions *questions_for(const struct grc_store *store)
{
    for (size_t i = 0; i < sizeof(questions) / sizeof(questions[0]); i++) {
        if (strcmp(questions[i].kind, grc_store_kind(store)) == 0)
            return &questions[i];
    }
    return NULL;
}

/* --- tables and columns --- */

static enum gr_err take_table(void *arg, const struct gr_value *columns, size_t count)
{
    struct grc_catalog *catalog = arg;

    (void)count;
    if (catalog->count == TABLES_MAX)
        return GR_ERR_TOO_LARGE;
    struct grc_catalog_table *table = &catalog->tables[catalog->count];
    table->name = grc_arena_copy(&catalog->arena, columns[0].s);
    catalog->count += table->name != NULL;
    return table->name ? GR_OK : GR_ERR_NO_MEMORY;
}

struct columns {
    struct grc_arena *arena;
    struct grc_catalog_table *table;
};

static enum gr_err take_column(void *arg, const struct gr_value *values, size_t count)
{
    const struct columns *columns = arg;
    struct grc_catalog_table *table = columns->table;
    size_t at = table->column_count;
    int64_t place = values[1].i;

    (void)count;
    if (at == GRC_CATALOG_COLUMNS_MAX || place > GRC_CATALOG_COLUMNS_MAX)
        return GR_ERR_TOO_LARGE;
    table->columns[at] = grc_arena_copy(columns->arena, values[0].s);
    if (!table->columns[at])
        return GR_ERR_NO_MEMORY;
    table->column_count++;
    if (place > 0) {
        table->keys[place - 1] = at;
        table->key_count++;
    }
    return GR_OK;
}

static enum gr_err read_columns(struct grc_store *store, const struct questions *ask,
                                struct grc_catalog *catalog)
{
    enum gr_err err = GR_OK;

    for (size_t i = 0; i < catalog->count && err == GR_OK; i++) {
        struct columns columns = {&catalog->arena, &catalog->tables[i]};

        err =
            grc_store_run(store, NULL, ask->columns, GR_PARAMS(gr_v_text(catalog->tables[i].name)),
                          take_column, &columns, NULL);
    }
    return err;
}

/* --- the order --- */

struct refers {
    const struct grc_catalog *catalog;
    const char *from;
    bool waits; /* for a table that is not listed yet */
};

static enum gr_err see_reference(void *arg, const struct gr_value *columns, size_t count)
{
    struct refers *refers = arg;

    (void)count;
    for (size_t i = 0; i < refers->catalog->count; i++) {
        const struct grc_catalog_table *table = &refers->catalog->tables[i];

        if (gr_str_eq(gr_str_of(table->name), columns[0].s) &&
            strcmp(table->name, refers->from) != 0 && !table->listed)
            refers->waits = true;
    }
    return GR_OK;
}

/* Lists each table once all that it refers to are listed; those of a circle come last. */
static enum gr_err sort_tables(struct grc_store *store, const struct questions *ask,
                               struct grc_catalog *catalog)
{
    struct grc_catalog_table *sorted =
        grc_arena_alloc(&catalog->arena, (catalog->count + 1) * sizeof(*sorted));
    size_t done = 0;

    if (!sorted)
        return GR_ERR_NO_MEMORY;
    for (bool strict = true; done < catalog->count;) {
        size_t before = done;

        for (size_t i = 0; i < catalog->count; i++) {
            struct grc_catalog_table *table = &catalog->tables[i];
            struct refers refers = {.catalog = catalog, .from = table->name};

            if (table->listed)
                continue;
            enum gr_err err =
                grc_store_run(store, NULL, ask->refers, GR_PARAMS(gr_v_text(table->name)),
                              see_reference, &refers, NULL);
            if (err != GR_OK)
                return err;
            if (refers.waits && strict)
                continue;
            table->listed = true;
            sorted[done++] = *table;
        }
        strict = done > before;
    }
    catalog->tables = sorted;
    return GR_OK;
}

enum gr_err grc_catalog_read(struct grc_store *store, struct grc_catalog *ret_catalog)
{
    const struct questions *ask = questions_for(store);

    *ret_catalog = (struct grc_catalog){.count = 0};
    grc_arena_init(&ret_catalog->arena, ARENA_BYTES);
    ret_catalog->tables =
        grc_arena_alloc(&ret_catalog->arena, TABLES_MAX * sizeof(*ret_catalog->tables));
    if (!ret_catalog->tables)
        return GR_ERR_NO_MEMORY;
    enum gr_err err =
        grc_store_run(store, NULL, ask->tables, NULL, 0, take_table, ret_catalog, NULL);
    if (err == GR_OK)
        err = read_columns(store, ask, ret_catalog);
    return err == GR_OK ? sort_tables(store, ask, ret_catalog) : err;
}

void grc_catalog_free(struct grc_catalog *catalog)
{
    grc_arena_done(&catalog->arena);
    catalog->count = 0;
}

const struct grc_catalog_table *grc_catalog_find(const struct grc_catalog *catalog,
                                                 const char *name)
{
    for (size_t i = 0; i < catalog->count; i++) {
        if (strcmp(catalog->tables[i].name, name) == 0)
            return &catalog->tables[i];
    }
    return NULL;
}
