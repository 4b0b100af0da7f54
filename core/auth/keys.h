/*
 * API keys. The text of a key is "gr_", its id, "_" and a secret. A JSON file, or the store, has a
 * hash of each key. `greenroom keys` edits it, and the gateway reads it again when it has changed.
 *
 * The hash is one round of SHA-256. Slow hashes protect passwords, which can be guessed. A secret
 * of 256 random bits cannot be guessed, and a slow hash would only let clients waste processor
 * time.
 */
#pragma once

#include "auth/callers.h"

#include <jansson.h>
#include <stdatomic.h>

/* A key is "gr_", its id, "_", and its secret. */
#define GRC_KEY_PREFIX "gr_"
#define GRC_KEY_ID_LEN 12u /* hex digits */
#define GRC_KEY_SECRET_BYTES 32u
#define GRC_KEY_TEXT_MAX 64u /* longest text of a key, with its NUL */

/* A key. Immutable except for used_ms and noted_ms. Times are of the wall clock; 0: never. */
struct grc_api_key {
    const char *id;
    unsigned char digest[32]; /* SHA-256 of the key's whole text */
    int64_t created_ms;
    int64_t expires_ms;
    int64_t revoked_ms;
    _Atomic int64_t used_ms;
    _Atomic int64_t noted_ms; /* the last use that the store has; of keys in the store */
    struct grc_caller caller;
};

/* --- a set of keys: one reading of the file or the store --- */

struct grc_key_set; /* reference-counted */
struct grc_store;

/* Parses the content of the file. Returns NULL with a malloc'ed reason. */
struct grc_key_set *grc_key_set_parse(gr_str text, char **ret_reason);
struct grc_key_set *grc_key_set_ref(struct grc_key_set *set);
void grc_key_set_unref(struct grc_key_set *set);
size_t grc_key_set_count(const struct grc_key_set *set);
struct grc_api_key *grc_key_set_at(struct grc_key_set *set, size_t index);
struct grc_api_key *grc_key_set_find(struct grc_key_set *set, gr_str id);

/* --- the keys of a running gateway; thread-safe --- */

struct grc_keys;

/* Reads the file; a missing one is an empty set. Returns NULL with a malloc'ed reason, which is
 * NULL without memory. */
struct grc_keys *grc_keys_new(const char *path, char **ret_reason);
/* For keys in the store: an empty set until grc_keys_watch(). While the store does not answer, the
 * keys that were read last stay valid, or with closed, no key is taken. NULL without memory. */
struct grc_keys *grc_keys_new_stored(bool closed);
/* Reads the keys of the store, whose tables exist. With watch, a thread looks for changes from now
 * on, several times a second; no request asks the store. Returns false with a malloc'ed reason. The
 * store must outlive the keys. */
bool grc_keys_watch(struct grc_keys *keys, struct grc_store *store, bool watch, char **ret_reason);
/* Writes the times of last use that are not written yet, and frees the keys. */
void grc_keys_free(struct grc_keys *keys);

enum grc_key_verdict {
    GRC_KEY_FOUND = 1,
    GRC_KEY_MALFORMED,
    GRC_KEY_UNKNOWN, /* no such id, or another secret */
    GRC_KEY_EXPIRED,
    GRC_KEY_REVOKED,
    GRC_KEY_UNCERTAIN, /* the store does not answer, and the keys must not be used without it */
};

/*
 * Checks the text of a key, at the cost of a hash and a look-up. Twice a second one call also
 * checks whether the file has changed, without holding a lock; keys of the store have a thread for
 * that, for which a call waits (parks, for a second at most) when it has not looked for long, as
 * after a pause of the whole process. On GRC_KEY_FOUND, *ret_set is a reference that keeps *ret_key
 * alive.
 */
enum grc_key_verdict grc_keys_check(struct grc_keys *keys, gr_str text, int64_t now_ms,
                                    struct grc_key_set **ret_set,
                                    const struct grc_api_key **ret_key);
/* Writes the times of last use, at most once a minute. Call it after the answer, since it does I/O.
 */
void grc_keys_note_use(struct grc_keys *keys, int64_t now_ms);

/* True when text looks like an API key. */
bool grc_key_looks_like(gr_str text);

/* --- editing, for `greenroom keys` --- */

/* A document of keys: {"version": 1, "keys": [{"id", "name", "hash", "scopes", "created", …}]}.
 * Returns an empty one; NULL without memory. */
json_t *grc_key_document(void);

/* The properties of a new key. Lists end with NULL. */
struct grc_key_wish {
    const char *name;
    const char *const *scopes;
    const char *const *rooms; /* empty: any room */
    const char *const *roles;
    int64_t expires_ms; /* 0: never */
};

/* Returns false with a reason for a name or scope that no key can have, and without a scope. */
bool grc_key_wish_valid(const struct grc_key_wish *wish, char **ret_reason);
/* Adds a key and returns its text, which is not kept anywhere else. Returns false with a reason:
 * the name is taken, a scope is malformed … */
bool grc_key_document_add(json_t *document, const struct grc_key_wish *wish, int64_t now_ms,
                          char ret_text[GRC_KEY_TEXT_MAX], char **ret_reason);
/* Revokes the valid keys with this id or name. Returns how many. */
size_t grc_key_document_revoke(json_t *document, const char *who, int64_t now_ms);
/* Makes a new key like the one with this id or name, and lets the old one expire keep_ms from now.
 */
bool grc_key_document_rotate(json_t *document, const char *who, int64_t keep_ms, int64_t now_ms,
                             char ret_text[GRC_KEY_TEXT_MAX], char **ret_reason);
/* Removes keys that were revoked or have expired. Returns how many. */
size_t grc_key_document_prune(json_t *document, int64_t now_ms);
/* Takes over the keys of another document. A key whose id is there already stays as it is, but is
 * revoked if the other one is. *ret_moved counts the new keys, *ret_there those that were there.
 * Returns false with a reason: the name of a valid key is that of another valid key. */
bool grc_key_document_take(json_t *document, const json_t *other, int64_t now_ms, size_t *ret_moved,
                           size_t *ret_there, char **ret_reason);

/* The locked file. */
struct grc_key_file {
    const char *path;
    int lock;
    json_t *root; /* the document */
};

/* Locks and reads the file; a missing one counts as empty. Returns false with a malloc'ed reason.
 */
bool grc_key_file_open(struct grc_key_file *file, const char *path, char **ret_reason);
/* Checks the content and replaces the file at once, with mode 0600. */
bool grc_key_file_save(struct grc_key_file *file, char **ret_reason);
void grc_key_file_close(struct grc_key_file *file);
/* Reads the times of last use, which the gateway writes beside the file. */
void grc_key_set_read_use(struct grc_key_set *set, const char *path);
