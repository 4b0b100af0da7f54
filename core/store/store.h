/* The store service: one small interface over SQLite and PostgreSQL. Thread-safe. */
#pragma once

#include "base/arena.h"

struct grc_store;
struct grc_store_session; /* one thread's connection while it is in a transaction */

/* Opens "sqlite:PATH" or "postgres://…". NULL with a malloc'ed reason without secrets. */
struct grc_store *grc_store_open(const char *url, char **ret_reason);
void grc_store_close(struct grc_store *store);
/* Applies the missing steps of a plugin under a lock. */
enum gr_err grc_store_migrate(struct grc_store *store, const char *plugin,
                              const struct gr_migration *steps, size_t step_size,
                              char **ret_reason);
/* One statement; session NULL: one of its own. SQL uses ?1 ?2 … */
enum gr_err grc_store_run(struct grc_store *store, struct grc_store_session *session,
                          const char *sql, const struct gr_value *params, size_t count,
                          gr_row_fn *each, void *arg, int64_t *ret_changed);
/* Runs body in a writing transaction; repeats it (bounded, with back-off) when busy. */
typedef enum gr_err grc_store_body_fn(struct grc_store_session *session, void *arg);
enum gr_err grc_store_tx(struct grc_store *store, grc_store_body_fn *body, void *arg);
/* A quick look for readyz. */
enum gr_err grc_store_ping(struct grc_store *store);
const char *grc_store_kind(const struct grc_store *store);
