#include "store/copy.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/format.h"
#include "base/secure.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#define BATCH_ROWS 500u
#define SQL_MAX 65536u
#define ROW_MAX ((size_t)512 << 20)
/* The note of a copy that has not ended. */
#define NOTES "greenroom_copy"
#define MIGRATIONS "greenroom_migrations"

/* --- the note --- */

static const char notes_sql[] = "CREATE TABLE " NOTES " (table_name TEXT PRIMARY KEY,"
                                " last_key TEXT NOT NULL, copied BIGINT NOT NULL,"
                                " ended BIGINT NOT NULL)";

static enum gr_err take_text(void *arg, const struct gr_value *columns, size_t count)
{
    char **text = arg;

    (void)count;
    free(*text);
    *text = grc_format("%.*s", (int)columns[0].s.len, columns[0].s.ptr);
    return *text ? GR_OK : GR_ERR_NO_MEMORY;
}

static bool fail(char **ret_reason, enum gr_err err, const char *what)
{
    return grc_refuse(ret_reason, "%s: %s", what, grc_err_doc(err));
}

struct begin {
    struct grc_store *to;
    const char *source;
};

/* The row with an empty table name has the source. */
static enum gr_err make_notes(struct grc_store_session *session, void *arg)
{
    const struct begin *begin = arg;
    enum gr_err err = grc_store_run(begin->to, session, notes_sql, NULL, 0, NULL, NULL, NULL);

    if (err != GR_OK)
        return err;
    return grc_store_run(begin->to, session,
                         "INSERT INTO " NOTES " (table_name, last_key, copied, ended)"
                         " VALUES ('', ?1, 0, 0)",
                         GR_PARAMS(gr_v_text(begin->source)), NULL, NULL, NULL);
}

static bool begin_notes(struct grc_store *to, const char *source, char **ret_reason)
{
    struct begin begin = {to, source};
    enum gr_err err = grc_store_tx(to, make_notes, &begin);

    return err == GR_OK || fail(ret_reason, err, "the target");
}

bool grc_copy_begin(struct grc_store *to, const char *source, char **ret_reason)
{
    struct grc_catalog catalog;
    char *noted = NULL;
    enum gr_err err = grc_catalog_read(to, &catalog);
    bool empty = err == GR_OK && catalog.count == 0;
    bool begun = err == GR_OK && grc_catalog_find(&catalog, NOTES);

    grc_catalog_free(&catalog);
    if (err != GR_OK)
        return fail(ret_reason, err, "the target");
    if (empty)
        return begin_notes(to, source, ret_reason);
    if (begun)
        err = grc_store_run(to, NULL, "SELECT last_key FROM " NOTES " WHERE table_name = ''", NULL,
                            0, take_text, &noted, NULL);
    bool same = begun && noted && strcmp(noted, source) == 0;
    free(noted);
    if (err != GR_OK)
        return fail(ret_reason, err, "the target");
    return same || grc_refuse(ret_reason, "the target has tables: expected a new database, or one "
                                          "into which a copy of the same source has begun");
}

/* --- rows --- */

/* A table on its way. */
struct passage {
    struct grc_store *from;
    struct grc_store *to;
    const struct grc_catalog_table *table;
    struct grc_store_session *session; /* of `to` */
    char select[SQL_MAX];
    char insert[SQL_MAX];
    char *last_key; /* JSON: an array with the key of the last row; NULL: none */
    char *next_key;
    size_t rows; /* of this part */
    int64_t copied;
};

static void add_names(struct grc_buf *buf, const struct grc_catalog_table *table, bool keys)
{
    size_t count = keys ? table->key_count : table->column_count;

    for (size_t i = 0; i < count; i++)
        (void)grc_buf_format(buf, "%s\"%s\"", i ? ", " : "",
                             table->columns[keys ? table->keys[i] : i]);
}

static void add_marks(struct grc_buf *buf, size_t count)
{
    for (size_t i = 0; i < count; i++)
        (void)grc_buf_format(buf, "%s?%zu", i ? ", " : "", i + 1);
}

/* Rows in the order of the primary key, after a given one. A text that is cut off fails when it is
 * run. */
static void write_select(const struct grc_catalog_table *table, bool after, char ret_sql[SQL_MAX])
{
    struct grc_buf buf;

    grc_buf_init(&buf, SQL_MAX - 1);
    (void)grc_buf_text(&buf, "SELECT ");
    add_names(&buf, table, false);
    (void)grc_buf_format(&buf, " FROM \"%s\"", table->name);
    if (after) {
        (void)grc_buf_text(&buf, " WHERE (");
        add_names(&buf, table, true);
        (void)grc_buf_text(&buf, ") > (");
        add_marks(&buf, table->key_count);
        (void)grc_buf_char(&buf, ')');
    }
    if (table->key_count) {
        (void)grc_buf_text(&buf, " ORDER BY ");
        add_names(&buf, table, true);
        (void)grc_buf_format(&buf, " LIMIT %u", BATCH_ROWS);
    }
    snprintf(ret_sql, SQL_MAX, "%s", buf.ptr ? buf.ptr : "");
    grc_buf_done(&buf);
}

/* Columns that PostgreSQL numbers by itself get the numbers of the source too. */
static void write_insert(const struct grc_store *to, const struct grc_catalog_table *table,
                         char ret_sql[SQL_MAX])
{
    bool postgres = strcmp(grc_store_kind(to), "postgres") == 0;
    struct grc_buf buf;

    grc_buf_init(&buf, SQL_MAX - 1);
    (void)grc_buf_format(&buf, "INSERT INTO \"%s\" (", table->name);
    add_names(&buf, table, false);
    (void)grc_buf_format(&buf, ")%s VALUES (", postgres ? " OVERRIDING SYSTEM VALUE" : "");
    add_marks(&buf, table->column_count);
    (void)grc_buf_char(&buf, ')');
    snprintf(ret_sql, SQL_MAX, "%s", buf.ptr ? buf.ptr : "");
    grc_buf_done(&buf);
}

/* The key of a row as JSON text, malloc'ed; NULL for a key that is neither number nor text. */
static char *key_text(const struct grc_catalog_table *table, const struct gr_value *columns)
{
    json_t *list = json_array();
    bool fine = list != NULL;

    for (size_t i = 0; i < table->key_count && fine; i++) {
        const struct gr_value *value = &columns[table->keys[i]];

        fine = (value->kind == GR_VALUE_INT &&
                json_array_append_new(list, json_integer(value->i)) == 0) ||
               (value->kind == GR_VALUE_TEXT &&
                json_array_append_new(list, json_stringn(value->s.ptr, value->s.len)) == 0);
    }
    char *text = fine ? json_dumps(list, JSON_COMPACT) : NULL;
    json_decref(list);
    return text;
}

/* Runs the select of a table after a key (NULL: from the begin). */
static enum gr_err select_after(struct grc_store *store, const struct grc_catalog_table *table,
                                const char *key, char sql[SQL_MAX], gr_row_fn *each, void *arg)
{
    struct gr_value params[GRC_CATALOG_COLUMNS_MAX];
    json_t *list = key ? json_loads(key, 0, NULL) : NULL;
    size_t count = list ? table->key_count : 0;

    for (size_t i = 0; i < count; i++) {
        const json_t *item = json_array_get(list, i);

        params[i] = json_is_integer(item)
                        ? gr_v_int(json_integer_value(item))
                        : gr_v_str((gr_str){json_string_value(item), json_string_length(item)});
    }
    write_select(table, count > 0, sql);
    enum gr_err err = grc_store_run(store, NULL, sql, params, count, each, arg, NULL);
    json_decref(list);
    return err;
}

/* --- copying --- */

static enum gr_err put_row(void *arg, const struct gr_value *columns, size_t count)
{
    struct passage *passage = arg;

    if (passage->table->key_count) {
        char *key = key_text(passage->table, columns);

        if (!key)
            return GR_ERR_INVALID;
        free(passage->next_key);
        passage->next_key = key;
    }
    passage->rows++;
    return grc_store_run(passage->to, passage->session, passage->insert, columns, count, NULL, NULL,
                         NULL);
}

static enum gr_err note_part(const struct passage *passage, bool ended)
{
    return grc_store_run(
        passage->to, passage->session,
        "INSERT INTO " NOTES " (table_name, last_key, copied, ended) VALUES (?1, ?2, ?3, ?4)"
        " ON CONFLICT (table_name) DO UPDATE SET last_key = excluded.last_key,"
        " copied = excluded.copied, ended = excluded.ended",
        GR_PARAMS(gr_v_text(passage->table->name),
                  gr_v_text(passage->next_key ? passage->next_key : "[]"),
                  gr_v_int(passage->copied + (int64_t)passage->rows), gr_v_int(ended)),
        NULL, NULL, NULL);
}

/* One part, and the note of it, in a transaction of the target. */
static enum gr_err copy_part(struct grc_store_session *session, void *arg)
{
    struct passage *passage = arg;
    enum gr_err err = GR_OK;

    passage->session = session;
    passage->rows = 0;
    free(passage->next_key);
    passage->next_key = passage->last_key ? grc_format("%s", passage->last_key) : NULL;
    if (!passage->last_key) { /* rows that a migration has put there */
        struct grc_buf sql;

        grc_buf_init(&sql, SQL_MAX);
        err = grc_buf_format(&sql, "DELETE FROM \"%s\"", passage->table->name);
        if (err == GR_OK)
            err = grc_store_run(passage->to, session, sql.ptr, NULL, 0, NULL, NULL, NULL);
        grc_buf_done(&sql);
    }
    if (err == GR_OK)
        err = select_after(passage->from, passage->table, passage->last_key, passage->select,
                           put_row, passage);
    bool ended = !passage->table->key_count || passage->rows < BATCH_ROWS;
    return err == GR_OK ? note_part(passage, ended) : err;
}

static enum gr_err count_rows(struct grc_store *store, const char *table, int64_t *ret_count)
{
    char sql[256];

    snprintf(sql, sizeof(sql), "SELECT count(*) FROM \"%s\"", table);
    return grc_store_run(store, NULL, sql, NULL, 0, grc_store_take_number, ret_count, NULL);
}

struct noted {
    struct passage *passage;
    bool ended;
};

static enum gr_err take_note(void *arg, const struct gr_value *columns, size_t count)
{
    struct noted *noted = arg;

    (void)count;
    noted->ended = columns[2].i != 0;
    noted->passage->copied = columns[1].i;
    return take_text(&noted->passage->last_key, columns, 1);
}

static enum gr_err copy_table(struct passage *passage, grc_copy_progress_fn *progress, void *arg)
{
    struct noted noted = {.passage = passage};
    int64_t total = 0;
    enum gr_err err = count_rows(passage->from, passage->table->name, &total);

    write_insert(passage->to, passage->table, passage->insert);
    if (err == GR_OK)
        err = grc_store_run(passage->to, NULL,
                            "SELECT last_key, copied, ended FROM " NOTES " WHERE table_name = ?1",
                            GR_PARAMS(gr_v_text(passage->table->name)), take_note, &noted, NULL);
    while (err == GR_OK && !noted.ended) {
        err = grc_store_tx(passage->to, copy_part, passage);
        if (err != GR_OK)
            break;
        free(passage->last_key);
        passage->last_key = passage->next_key;
        passage->next_key = NULL;
        passage->copied += (int64_t)passage->rows;
        noted.ended = !passage->table->key_count || passage->rows < BATCH_ROWS;
        if (!noted.ended)
            progress(arg, passage->table->name, passage->copied, total, false);
    }
    if (err == GR_OK)
        progress(arg, passage->table->name, passage->copied, total, true);
    return err;
}

/* --- comparing --- */

/* The content of a table, whatever the order of its rows. */
struct content {
    const struct grc_catalog_table *table;
    struct grc_buf row;
    char *key;
    size_t rows; /* of this part */
    int64_t count;
    uint64_t sum;
};

/* One engine may have a real number where the other has an integer, so a real number without a
 * fraction counts as an integer. */
static enum gr_err add_value(struct grc_buf *buf, const struct gr_value *value)
{
    switch (value->kind) {
    case GR_VALUE_NULL:
        return grc_buf_char(buf, 'n');
    case GR_VALUE_INT:
        return grc_buf_format(buf, "i%lld ", (long long)value->i);
    case GR_VALUE_REAL:
        if (value->d >= -9e15 && value->d <= 9e15 && value->d == (double)(int64_t)value->d)
            return grc_buf_format(buf, "i%lld ", (long long)value->d);
        return grc_buf_format(buf, "r%.17g ", value->d);
    case GR_VALUE_TEXT:
    case GR_VALUE_BLOB:
        break;
    }
    enum gr_err err = grc_buf_format(buf, "s%zu ", value->s.len);
    return err == GR_OK ? grc_buf_str(buf, value->s) : err;
}

static enum gr_err add_row(void *arg, const struct gr_value *columns, size_t count)
{
    struct content *content = arg;
    unsigned char digest[32];
    uint64_t part;
    enum gr_err err = GR_OK;

    grc_buf_clear(&content->row);
    for (size_t i = 0; i < count && err == GR_OK; i++)
        err = add_value(&content->row, &columns[i]);
    if (err != GR_OK)
        return err;
    grc_sha256(grc_buf_view(&content->row), digest);
    memcpy(&part, digest, sizeof(part));
    content->sum += part;
    content->count++;
    content->rows++;
    if (!content->table->key_count)
        return GR_OK;
    free(content->key);
    content->key = key_text(content->table, columns);
    return content->key ? GR_OK : GR_ERR_NO_MEMORY;
}

static enum gr_err read_content(struct grc_store *store, struct content *content, char sql[SQL_MAX])
{
    enum gr_err err = GR_OK;

    grc_buf_init(&content->row, ROW_MAX);
    do {
        content->rows = 0;
        err = select_after(store, content->table, content->key, sql, add_row, content);
    } while (err == GR_OK && content->table->key_count && content->rows == BATCH_ROWS);
    grc_buf_done(&content->row);
    free(content->key);
    content->key = NULL;
    return err;
}

static bool compare(struct passage *passage, char **ret_reason)
{
    struct content from = {.table = passage->table};
    struct content to = {.table = passage->table};
    enum gr_err err = read_content(passage->from, &from, passage->select);

    if (err == GR_OK)
        err = read_content(passage->to, &to, passage->select);
    if (err != GR_OK)
        return fail(ret_reason, err, passage->table->name);
    if (from.count == to.count && from.sum == to.sum)
        return true;
    return grc_refuse(ret_reason,
                      "%s: the source has %lld row%s and the target %lld%s: was one of the two "
                      "changed meanwhile? Stop the gateways, and copy into a new database",
                      passage->table->name, (long long)from.count, grc_plural((size_t)from.count),
                      (long long)to.count, from.count == to.count ? ", with other content" : "");
}

/* --- numbers that the target gives to new rows --- */

static enum gr_err set_sequences(struct grc_store_session *session, void *arg)
{
    const struct passage *passage = arg;
    const struct grc_catalog_table *table = passage->table;
    char sql[512];

    if (table->key_count != 1)
        return GR_OK;
    const char *column = table->columns[table->keys[0]];
    snprintf(sql, sizeof(sql),
             "SELECT setval(s::regclass, (SELECT max(\"%s\")::text::bigint FROM \"%s\")) FROM"
             " (SELECT pg_get_serial_sequence('\"%s\"', '%s') AS s) AS x"
             " WHERE s IS NOT NULL AND EXISTS (SELECT 1 FROM \"%s\")",
             column, table->name, table->name, column, table->name);
    int64_t last = 0;
    return grc_store_run(passage->to, session, sql, NULL, 0, grc_store_take_number, &last, NULL);
}

static bool pass_table(struct passage *passage, grc_copy_progress_fn *progress, void *arg,
                       char **ret_reason)
{
    enum gr_err err = copy_table(passage, progress, arg);

    if (err == GR_OK && strcmp(grc_store_kind(passage->to), "postgres") == 0)
        err = grc_store_tx(passage->to, set_sequences, passage);
    free(passage->last_key);
    free(passage->next_key);
    passage->last_key = passage->next_key = NULL;
    passage->copied = 0;
    return err == GR_OK || fail(ret_reason, err, passage->table->name);
}

static bool is_own(const char *table)
{
    return strcmp(table, NOTES) == 0 || strcmp(table, MIGRATIONS) == 0;
}

bool grc_store_copy(struct grc_store *from, struct grc_store *to, grc_copy_progress_fn *progress,
                    void *arg, char **ret_reason)
{
    struct passage *passage = calloc(1, sizeof(*passage));
    struct grc_catalog catalog;
    enum gr_err err = grc_catalog_read(from, &catalog);
    bool fine = passage && err == GR_OK;

    if (!fine)
        fail(ret_reason, passage ? err : GR_ERR_NO_MEMORY, "the source");
    for (int round = 0; round < 2; round++) { /* all are copied before the first is compared */
        for (size_t i = 0; fine && i < catalog.count; i++) {
            if (is_own(catalog.tables[i].name))
                continue;
            passage->from = from;
            passage->to = to;
            passage->table = &catalog.tables[i];
            fine = round == 0 ? pass_table(passage, progress, arg, ret_reason)
                              : compare(passage, ret_reason);
        }
    }
    grc_catalog_free(&catalog);
    free(passage);
    if (fine)
        err = grc_store_run(to, NULL, "DROP TABLE " NOTES, NULL, 0, NULL, NULL, NULL);
    return fine && (err == GR_OK || fail(ret_reason, err, "the target"));
}
