/* The tables of a store, as its engine describes them. */
#pragma once

#include "base/arena.h"
#include "store/store.h"

#define GRC_CATALOG_COLUMNS_MAX 64u

/* A table. Texts are in the arena of the catalog. */
struct grc_catalog_table {
    const char *name;
    const char *columns[GRC_CATALOG_COLUMNS_MAX];
    size_t column_count;
    size_t keys[GRC_CATALOG_COLUMNS_MAX]; /* the columns of its primary key, in the key's order */
    size_t key_count;                     /* 0: it has none */
    bool listed;                          /* for the reader */
};

struct grc_catalog {
    struct grc_arena arena;
    struct grc_catalog_table *tables; /* a table comes after those that it refers to */
    size_t count;
};

/* Reads which tables there are. The catalog has to be freed after a failure, too. */
enum gr_err grc_catalog_read(struct grc_store *store, struct grc_catalog *ret_catalog);
void grc_catalog_free(struct grc_catalog *catalog);
const struct grc_catalog_table *grc_catalog_find(const struct grc_catalog *catalog,
                                                 const char *name);
