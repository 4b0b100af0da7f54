/* The store: one small interface over SQLite and PostgreSQL. Thread-safe. */
#pragma once

#include "base/arena.h"

struct grc_store;
struct grc_store_session; /* the connection of one transaction */

/* Opens "sqlite:PATH" or "postgres://…". Returns NULL with a malloc'ed reason, which has no
 * secrets. */
struct grc_store *grc_store_open(const char *url, char **ret_reason);
/* The same for a store that is only read: nothing is made, and every change fails. */
struct grc_store *grc_store_open_read_only(const char *url, char **ret_reason);
void grc_store_close(struct grc_store *store);
/* Whether a URL is that of a file that exists. */
bool grc_store_is_file(const char *url);
/* Applies the missing migrations of a plugin, under a lock. */
enum gr_err grc_store_migrate(struct grc_store *store, const char *plugin,
                              const struct gr_migration *steps, size_t step_size,
                              char **ret_reason);
/* Whether the store has all migrations of a plugin, and no newer ones. Changes nothing. */
bool grc_store_is_migrated(struct grc_store *store, const char *plugin,
                           const struct gr_migration *steps, size_t step_size);
/* Runs a statement, outside of a transaction when session is NULL. Parameters are ?1 ?2 … */
enum gr_err grc_store_run(struct grc_store *store, struct grc_store_session *session,
                          const char *sql, const struct gr_value *params, size_t count,
                          gr_row_fn *each, void *arg, int64_t *ret_changed);
/* A gr_row_fn that puts the first column, a number, into the int64_t at arg. */
gr_row_fn grc_store_take_number;
/* Runs body in a writing transaction. Repeats it with back-off, a limited number of times, while
 * the store is busy. */
typedef enum gr_err grc_store_body_fn(struct grc_store_session *session, void *arg);
enum gr_err grc_store_tx(struct grc_store *store, grc_store_body_fn *body, void *arg);
/* Runs SELECT 1, for the readiness check. */
enum gr_err grc_store_ping(struct grc_store *store);
const char *grc_store_kind(const struct grc_store *store);
