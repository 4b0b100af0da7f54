/* API keys in the store, which all gateways on it share. Thread-safe. */
#pragma once

#include "auth/keys.h"
#include "store/store.h"

/* The name of its migrations, with a dot that no plugin's name has, and their rows. */
#define GRC_KEYS_SCHEMA "greenroom.keys"
extern const struct gr_migration grc_keys_store_steps[];
/* Makes the tables where they are missing. */
enum gr_err grc_keys_store_migrate(struct grc_store *store, char **ret_reason);
/* Whether the tables are there. */
bool grc_keys_store_is_made(struct grc_store *store);
/* Reads the number that every change of the keys raises. */
enum gr_err grc_keys_store_version(struct grc_store *store, int64_t *ret_version);
/* Reads all keys, with the times of their last use. Returns NULL with a malloc'ed reason. */
struct grc_key_set *grc_keys_store_load(struct grc_store *store, char **ret_reason);
/* Writes the times of last use that the store does not have, each in a transaction of its own: a
 * gateway that stops in the middle holds no lock for which `greenroom keys revoke` would wait. */
enum gr_err grc_keys_store_note_use(struct grc_store *store, struct grc_key_set *set);

/*
 * Edits the document of the keys in one transaction, which is not repeated for other gateways that
 * edit at the same time: they take turns. edit may run more than once. When it returns false with a
 * reason, nothing is changed. Returns false with a malloc'ed reason.
 */
typedef bool grc_key_edit_fn(json_t *document, void *arg, char **ret_reason);
bool grc_keys_store_edit(struct grc_store *store, grc_key_edit_fn *edit, void *arg,
                         char **ret_reason);
