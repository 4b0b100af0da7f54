/*
 * The records of Idempotency-Keys in the store, which all gateways on it share. Thread-safe.
 *
 * A record is open while the first request with its key is served. Then it has the answer; or it is
 * lost, when the gateway that served the request could not tell how it ended. An open record names
 * its owner: a runtime of a gateway, which counts up in the store as long as it works (a beat).
 */
#pragma once

#include "base/arena.h"
#include "store/store.h"

#define GRC_RECORD_OWNER 37u /* bytes of a UUID */

/* In the store as numbers: append only. */
enum grc_record_state {
    GRC_RECORD_OPEN = 0,
    GRC_RECORD_ANSWERED,
    GRC_RECORD_LOST,  /* the request may have been carried out, and its answer is not known */
    GRC_RECORD_LARGE, /* it was answered with .status, but the answer was too large to keep */
};

/* What a request claims. */
struct grc_record_claim {
    const char *id;          /* hex digest of caller, operation and key */
    const char *fingerprint; /* hex digest of the request */
    const char *owner;
    const char *group;
    const char *operation; /* for people who look into the store */
    int64_t token;         /* random: names this claim among all that were made with the id */
    int64_t now_ms;        /* of the store's clock, see grc_store_now_ms() */
    int64_t keep_ms;
};

/* An answer as it is kept. */
struct grc_record_answer {
    enum grc_record_state state;
    int status;
    gr_str content_type;
    gr_str headers; /* a JSON array of names and values */
    gr_str body;
};

/* A record that exists. */
struct grc_record {
    struct grc_record_answer answer; /* copied into the arena */
    bool same;                       /* the fingerprint is that of the claim */
};

/* The name of its migrations, with a dot that no plugin's name has, and their rows. */
#define GRC_RECORDS_SCHEMA "greenroom.idempotency"
extern const struct gr_migration grc_records_steps[];
/* Makes the tables where they are missing. */
enum gr_err grc_records_migrate(struct grc_store *store, char **ret_reason);

/*
 * Makes an open record, or finds the one that exists. After GR_ERR_STORE_DOWN the record may have
 * been made: then it has to be released, see grc_record_release().
 */
enum gr_err grc_record_claim(struct grc_store *store, struct grc_arena *arena,
                             const struct grc_record_claim *claim, bool *ret_first,
                             struct grc_record *ret_record);
/* Each of these ends the open record of one claim, and does nothing when there is none. */
enum gr_err grc_record_answer(struct grc_store *store, const char *id, int64_t token,
                              const struct grc_record_answer *answer);
enum gr_err grc_record_lose(struct grc_store *store, const char *id, int64_t token);
/* Removes the record, so that the key can be used again. */
enum gr_err grc_record_release(struct grc_store *store, const char *id, int64_t token);

/* --- owners --- */

enum gr_err grc_records_beat(struct grc_store *store, const char *owner, int64_t now_ms);
/* Calls each for every other owner with open records. beat is -1 before the first one. */
typedef void grc_records_owner_fn(void *arg, const char *owner, int64_t beat);
enum gr_err grc_records_owners(struct grc_store *store, const char *self,
                               grc_records_owner_fn *each, void *arg);
/* Marks the open records of an owner as lost. */
enum gr_err grc_records_abandon(struct grc_store *store, const char *owner, int64_t *ret_count);
/* The same for an owner that ends in order; its beat is removed. */
enum gr_err grc_records_leave(struct grc_store *store, const char *owner);

/* --- cleanup --- */

/* Removes records whose time is over, a limited number, and the beats of owners that are long
 * gone. */
enum gr_err grc_records_expire(struct grc_store *store, int64_t now_ms, int64_t *ret_count);
enum gr_err grc_records_count(struct grc_store *store, const char *group, int64_t *ret_count);
