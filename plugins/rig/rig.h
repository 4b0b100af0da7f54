/*
 * What the groups of rig share. accounts, streams and agents are three plugins on the same tables,
 * with the same envelope, error codes and keys.
 */
#pragma once

#include <greenroom/plugin.h>

#include <jansson.h>

#define RIG_VERSION "1.0.0"
#define RIG_LICENCE "MIT"
#define RIG_SCHEMA "rig"
#define RIG_SOURCE "rig HTTP API v1"
#define RIG_FLAGS (GR_PLUGIN_NEEDS_JSON_TYPE | GR_PLUGIN_NO_STORE | GR_PLUGIN_ANY_ORIGIN)

#define RIG_PASSWORD_MIN 8
#define RIG_PASSWORD_MAX_BYTES 512
#define RIG_BCRYPT_MAX_BYTES 72 /* bcrypt ignores the bytes of a password after these */
#define RIG_HASH_SIZE 384       /* CRYPT_OUTPUT_SIZE */
#define RIG_UUID_SIZE 37
#define RIG_KEY_SIZE 23 /* 16 bytes as base64url, and NUL */

/* The errorCode of an answer. */
enum rig_code {
    RIG_NOT_FOUND = 1000,
    RIG_METHOD = 1001,
    RIG_MEDIA_TYPE = 1002,
    RIG_CREDENTIALS = 1003,
    RIG_MISSING = 1004,
    RIG_INVALID = 1005,
    RIG_CREATE = 1006,
    RIG_UPDATE = 1007,
    RIG_FETCH = 1008,
    RIG_IN_USE = 1009,
    RIG_TOO_MANY = 1010,
};

/* The options of all three groups. Each group has rows for those that it reads; the others are 0.
 */
struct rig_options {
    const char *users_key;
    const char *users_key_previous;
    const char *users_key_legacy;
    const char *agents_key;
    const char *agents_key_previous;
    const char *audience;
    int64_t token_lifetime;
    int64_t invite_lifetime;
    int64_t agent_token_lifetime;
    const char *registration;
    int64_t bcrypt_cost;
    int64_t hash_threads;
    int64_t hash_queue;
    const char *common_passwords;
    int64_t login_pair_max;
    int64_t login_user_max;
    int64_t login_address_max;
    int64_t register_address_max;
    int64_t invite_user_max;
    int64_t audit_keep;
    const json_t *services;
    int64_t max_streams_per_user;
    int64_t max_destinations_per_stream;
    int64_t lease;
    const char *const *allow_unauthenticated_from;
};

/* The signing key, the previous key, and the key of tokens without kid. */
#define RIG_KEYS_MAX 3u
struct rig_keyring {
    struct gr_jwt_key keys[RIG_KEYS_MAX]; /* the first one signs */
    size_t count;
    char kids[2][17];
};

struct rig_hasher;
struct rig_networks;
struct rig_words;

/* State of one plugin instance. Each group sets the members that it uses. */
struct rig {
    const struct rig_options *options;
    struct rig_keyring users;
    struct rig_keyring agents;
    struct rig_hasher *hasher;
    struct rig_words *common_passwords;
    struct rig_networks *networks;
    int64_t live_shown; /* share of this instance in the gauge; used by the timer only */
};

static inline struct rig *rig_of(const struct gr_call *call)
{
    return (struct rig *)call->state;
}

/* ------------------------------------------------------------------------------------------ */
/* answer.c: the envelope                                                                     */

/* Answers 200 with {"message", "payload"}. Takes over the reference to payload; NULL gives null. */
enum gr_err rig_reply(struct gr_call *call, const char *message, json_t *stolen_payload);
/* Fails with a code. message NULL: the message of the code. status 0: the status of err. */
enum gr_err rig_fail(struct gr_call *call, enum gr_err err, int status, enum rig_code code,
                     const char *message);
/* Fails with 400 and details {"limit": limit}. */
enum gr_err rig_fail_limit(struct gr_call *call, int64_t limit);
/* Fails with 429, Retry-After and details {"retryAfter": seconds}. */
enum gr_err rig_fail_rate(struct gr_call *call, int64_t retry_after_ms);
/*
 * Fails with the status for an error of the store (503 when a retry may succeed) and the code of
 * the operation. Other errors, for example GR_ERR_NO_MEMORY, are returned unchanged.
 */
enum gr_err rig_fail_store(struct gr_call *call, enum gr_err err, enum rig_code code,
                           const char *message);
gr_render_error_fn rig_render_error;
/* The shape of what it renders. */
extern const struct gr_field rig_error_body[1];
/* .data of a route, for a failure of the store with another code than the default of its method
 * (GET: fetch, POST: create, others: update). */
extern const enum rig_code rig_fetches;
extern const enum rig_code rig_updates;
/* A member of a JSON object as text; empty when absent. */
gr_str rig_text(const json_t *object, const char *name);

/* ------------------------------------------------------------------------------------------ */
/* checks.c and filters.c: rules that a table cannot express                                  */

gr_check_fn rig_check_email;
gr_check_fn rig_check_text; /* no control characters */
gr_check_fn rig_check_not_empty;
gr_check_fn rig_check_new_password;
gr_check_fn rig_check_destination_key;
/* True for 1 to 512 characters without special meaning to a shell, nginx or a URL parser. */
bool rig_key_safe(gr_str key);
bool rig_email_valid(gr_str email);
/* A copy with ASCII letters in lower case, in call memory; NULL without memory. */
char *rig_lower(struct gr_call *call, gr_str text);
/* Writes a UUID with or without dashes in its canonical form. Returns false when the text is not a
 * UUID. */
bool rig_uuid_parse(gr_str text, char ret_text[RIG_UUID_SIZE]);
/* Makes a random stream key. */
void rig_key_new(const struct gr_call *call, char ret_key[RIG_KEY_SIZE]);

/* Loads a file with one word per line. Returns NULL after logging an error. */
struct rig_words *rig_words_load(struct gr_self *self, const char *path);
bool rig_words_has(const struct rig_words *words, gr_str word);
void rig_words_free(struct rig_words *words);

/* Parses CIDR blocks. Returns NULL after logging an error. */
struct rig_networks *rig_networks_new(struct gr_self *self, const char *const *blocks);
bool rig_networks_have(const struct rig_networks *networks, gr_str address);
void rig_networks_free(struct rig_networks *networks);

/* ------------------------------------------------------------------------------------------ */
/* keyring.c and auth.c: tokens                                                                 */

/* what is the name of the keys: "users" or "agents". When current is NULL, the key is read from the
 * state directory or made there. The texts must live as long as the ring. Returns GR_ERR_INTERNAL
 * after logging an error. */
enum gr_err rig_keyring_init(struct gr_self *self, struct rig_keyring *ring, const char *what,
                             const char *current, const char *previous, const char *legacy);

/* .authenticate of accounts and streams: accepts a user's token. gr_caller() is the user's id. */
gr_handler rig_authenticate_user;
/* .authenticate of agents: accepts an agent's token in the header or in ?token=, or a trusted
 * address. gr_caller() is the agent's name. */
gr_handler rig_authenticate_agent;
/* Signs claims; adds aud, iat, exp and, when absent, jti. Takes over the reference to the claims.
 */
enum gr_err rig_token(struct gr_call *call, const struct rig_keyring *ring, const char *audience,
                      json_t *stolen_claims, int64_t lifetime_ms, char **ret_token);
/* Verifies a token of a kind ("user", "invite", "agent"). Returns its claims, or NULL when the
 * token is not valid. */
const json_t *rig_token_claims(struct gr_call *call, const struct rig_keyring *ring,
                               const char *audience, const char *kind, gr_str token);

/* ------------------------------------------------------------------------------------------ */
/* schema.c                                                                                   */

extern const struct gr_migration rig_migrations[];

/* audit.c: writes a row of the audit table, in the open transaction if there is one. who and target
 * may be NULL; only their first 256 bytes are kept. Never pass a secret. */
enum gr_err rig_audit(struct gr_call *call, const char *what, gr_str who, gr_str target,
                      const char *outcome);

/* The columns of a row: integers in number, texts in text (in call memory; NULL for SQL NULL). */
struct rig_text_row {
    struct gr_call *call;
    const char *text[8];
    int64_t number[8];
    bool found;
};
/* Stores the columns of the last row of a query in a struct rig_text_row. */
gr_row_fn rig_keep_row;

/* ------------------------------------------------------------------------------------------ */
/* throttle.c: counters in the store                                                          */

struct rig_limit {
    const char *kind;
    gr_str key;
    int64_t max; /* 0: no limit */
    int64_t window_ms;
};

/*
 * Counts one use against each of the limits. When one of them is reached, it counts none and
 * returns GR_ERR_RATE with the time to wait. Several gateways may count at the same time.
 */
enum gr_err rig_throttle_take(struct gr_call *call, const struct rig_limit *limits, size_t count,
                              int64_t *ret_retry_after_ms);
/* Undoes the count of one use; forget deletes the whole counter. */
enum gr_err rig_throttle_give(struct gr_call *call, const struct rig_limit *limit, bool forget);
/* Deletes expired counters. */
enum gr_err rig_throttle_purge(struct gr_call *call);

/* ------------------------------------------------------------------------------------------ */
/* hash.c: passwords                                                                          */

/* Hash or verify on the calling thread; takes about 0.3 s and 32 KiB of heap. */
bool rig_hash_make(const struct gr_host *host, gr_str password, int64_t cost,
                   char ret_hash[RIG_HASH_SIZE]);
bool rig_hash_verify(const struct gr_host *host, gr_str password, const char *hash);
/* True for a hash that is weaker than a new one would be. */
bool rig_hash_stale(const char *hash, gr_str password, int64_t cost);

/* ------------------------------------------------------------------------------------------ */
/* hasher.c: threads of low priority that hash for handlers                                   */

/* Niceness of the threads relative to the gateway: other requests win over logins, but a login on a
 * busy machine is still answered within seconds. */
#define RIG_HASHER_NICENESS 10

struct rig_hasher_settings {
    int64_t threads;   /* 0: one less than there are cores */
    int64_t queue_max; /* passwords that may wait for a thread */
    int64_t cost;
};

/* host must outlive the hasher. NULL without memory. */
struct rig_hasher *rig_hasher_new(const struct gr_host *host,
                                  const struct rig_hasher_settings *settings);
/* Starts the threads; false when that fails. */
bool rig_hasher_start(struct rig_hasher *hasher);
/* Completes the waiting jobs and ends the threads. */
void rig_hasher_stop(struct rig_hasher *hasher);
void rig_hasher_free(struct rig_hasher *hasher);
/* Wait for a thread and its result. GR_ERR_OVERLOAD when too many passwords wait already. */
enum gr_err rig_hasher_make(struct rig_hasher *hasher, gr_str password,
                            char ret_hash[RIG_HASH_SIZE]);
/* hash NULL: takes the same time, and the result is false. */
enum gr_err rig_hasher_verify(struct rig_hasher *hasher, gr_str password, const char *hash,
                              bool *ret_right);

/* ------------------------------------------------------------------------------------------ */
/* ingest.c: destinations                                                                     */

/* The built-in table of services, as JSON text. */
extern const char rig_services_default[];
extern const struct gr_field rig_services_shape[];
bool rig_service_known(const json_t *services, const char *service);
/* Returns a destination object. rtmpUrl is null for an unknown service or an unsafe key. */
json_t *rig_destination(const json_t *services, int64_t id, const char *service, gr_str key,
                        bool active);
/* Lists all destinations of a stream in the order of their ids. */
enum gr_err rig_destinations(struct gr_call *call, const char *stream_id, json_t **ret_list);

/* The members of a destination, for the documentation of several groups. */
extern const struct gr_field rig_destination_rows[];

/* ------------------------------------------------------------------------------------------ */
/* Rows of routes                                                                             */

/* A required body with these members. */
#define RIG_BODY(rows_)                                                                            \
    .body = GR_BODY(GR_OBJECT, .fields = (rows_), .flags = GR_FIELD_REQUIRED),                     \
    .body_max_bytes = RIG_BODY_MAX
#define RIG_BODY_MAX (64 * 1024)
/* The answer of a route; payload_ is JSON text. */
#define RIG_ANSWER(doc_, message_, payload_)                                                       \
    ((const struct gr_answer[]){                                                                   \
        {.status = 200,                                                                            \
         .doc = (doc_),                                                                            \
         .example = "{\"message\":\"" message_ "\",\"payload\":" payload_ "}"},                    \
        GR_END})
#define RIG_EXAMPLE_DESTINATION                                                                    \
    "{\"id\":7,\"service\":\"Twitch\",\"streamKey\":\"live_31_kexample\","                         \
    "\"rtmpUrl\":\"rtmp://live.twitch.tv/app/live_31_kexample\",\"isActive\":true}"

/* ------------------------------------------------------------------------------------------ */
/* Commands                                                                                   */

#define RIG_USAGE 2 /* exit status: the host prints the usage */
/* For commands without flags: the host then refuses unknown ones. */
extern const struct gr_field rig_no_flags[];
/* Prints why a command failed. Returns its exit status. answer.c */
int rig_command_failed(const char *reason);
/* `greenroom rig import URL`; accounts_import.c */
int rig_import(struct gr_call *call, const void *options, int argc, char **argv);
/* `greenroom rig users …`; accounts_admin.c */
int rig_users(struct gr_call *call, const void *options, int argc, char **argv);
/* `greenroom token agent …`; agents_admin.c */
extern const struct gr_field rig_agent_token_flags[];
int rig_agent_token(struct gr_call *call, const void *options, int argc, char **argv);
/* `greenroom rig tokens …`; agents_admin.c */
int rig_agent_tokens(struct gr_call *call, const void *options, int argc, char **argv);
