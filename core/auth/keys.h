/*
 * API keys. The text of a key is "gr_", its id, "_" and a secret. A JSON file holds a hash of each;
 * `greenroom keys` edits it, the gateway reads it again when it has changed.
 *
 * The hash is one round of SHA-256. Slow hashes are for passwords, which people choose and others
 * guess; a secret of 256 random bits cannot be guessed however fast a guess is, and a slow hash
 * would only let strangers spend our time.
 */
#pragma once

#include "auth/callers.h"

#include <jansson.h>
#include <stdatomic.h>

#define GRC_KEY_ID_LEN 12u /* hex digits */
#define GRC_KEY_SECRET_BYTES 32u
#define GRC_KEY_TEXT_MAX 64u /* longest text of a key, with its NUL */

/* One key. Immutable but for used_ms. Times are wall clock; 0: never. */
struct grc_api_key {
    const char *id;
    unsigned char digest[32]; /* SHA-256 of the key's whole text */
    int64_t created_ms;
    int64_t expires_ms;
    int64_t revoked_ms;
    _Atomic int64_t used_ms;
    struct grc_caller caller;
};

/* --- a set of keys: one reading of the file --- */

struct grc_key_set; /* counted */

/* Parses the file's content; NULL with a reason for people in ret_reason (malloc'ed). */
struct grc_key_set *grc_key_set_parse(gr_str text, char **ret_reason);
struct grc_key_set *grc_key_set_ref(struct grc_key_set *set);
void grc_key_set_unref(struct grc_key_set *set);
size_t grc_key_set_count(const struct grc_key_set *set);
struct grc_api_key *grc_key_set_at(struct grc_key_set *set, size_t index);
struct grc_api_key *grc_key_set_find(struct grc_key_set *set, gr_str id);

/* --- the keys of a running gateway; thread-safe --- */

struct grc_keys;

/* A file that does not exist yet is an empty set. NULL: reported. */
struct grc_keys *grc_keys_new(const char *path, grc_report_fn *report, void *arg);
/* Writes what is not written yet about the last use. */
void grc_keys_free(struct grc_keys *keys);

enum grc_key_verdict {
    GRC_KEY_FOUND = 1,
    GRC_KEY_MALFORMED,
    GRC_KEY_UNKNOWN, /* no such id, or another secret */
    GRC_KEY_EXPIRED,
    GRC_KEY_REVOKED,
};

/*
 * Judges the text of a key: a hash and a look-up. Twice a second one call looks whether the file
 * has changed, without holding a lock. On GRC_KEY_FOUND, ret_set holds a reference that keeps
 * ret_key alive.
 */
enum grc_key_verdict grc_keys_check(struct grc_keys *keys, gr_str text, int64_t now_ms,
                                    struct grc_key_set **ret_set,
                                    const struct grc_api_key **ret_key);
/* Writes the times of last use, at most once a minute. Does I/O: after the answer has gone. */
void grc_keys_note_use(struct grc_keys *keys, int64_t now_ms);

/* True when text looks like an API key. */
bool grc_key_looks_like(gr_str text);

/* --- editing the file, for `greenroom keys` --- */

/* The file under its lock. */
struct grc_key_file {
    const char *path;
    int lock;
    json_t *root;
};

/* Locks and reads it; one that does not exist begins empty. false with a reason (malloc'ed). */
bool grc_key_file_open(struct grc_key_file *file, const char *path, char **ret_reason);
/* Checks and writes it: whole or not at all, mode 0600. */
bool grc_key_file_save(struct grc_key_file *file, char **ret_reason);
void grc_key_file_close(struct grc_key_file *file);

/* What a new key shall be. Lists end with NULL. */
struct grc_key_wish {
    const char *name;
    const char *const *scopes;
    const char *const *rooms; /* empty: not bound */
    const char *const *roles;
    int64_t expires_ms; /* 0: never */
};

/* Adds a key and returns its text, which is nowhere else. false with a reason: the name is taken,
 * a scope is none … */
bool grc_key_file_add(struct grc_key_file *file, const struct grc_key_wish *wish, int64_t now_ms,
                      char ret_text[GRC_KEY_TEXT_MAX], char **ret_reason);
/* Revokes what has this id, or this name, and works still. Returns how many. */
size_t grc_key_file_revoke(struct grc_key_file *file, const char *who, int64_t now_ms);
/* Makes a key like the one with this id or name, which expires keep_ms from now. */
bool grc_key_file_rotate(struct grc_key_file *file, const char *who, int64_t keep_ms,
                         int64_t now_ms, char ret_text[GRC_KEY_TEXT_MAX], char **ret_reason);
/* Forgets keys that were revoked or have expired. Returns how many. */
size_t grc_key_file_prune(struct grc_key_file *file, int64_t now_ms);
/* Fills in the times of last use that the gateway wrote beside the file. */
void grc_key_set_read_use(struct grc_key_set *set, const char *path);
