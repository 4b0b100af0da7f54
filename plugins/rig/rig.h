/*
 * What the groups of rig have in common: accounts, streams and agents are three plugins over the
 * same tables, with one envelope, one table of error codes and one set of keys.
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
#define RIG_BCRYPT_MAX_BYTES 72 /* what it looks at of a password */
#define RIG_HASH_SIZE 384       /* CRYPT_OUTPUT_SIZE */
#define RIG_UUID_SIZE 37
#define RIG_KEY_SIZE 23 /* 16 bytes as base64url, and NUL */

/* errorCode of an answer. */
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

/* Options of all three; each group declares rows for those it reads, the rest stay 0. */
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

/* The signing key, the one before it, and the key of tokens without kid. */
#define RIG_KEYS_MAX 3u
struct rig_keyring {
    struct gr_jwt_key keys[RIG_KEYS_MAX]; /* the first one signs */
    size_t count;
    char kids[2][17];
};

struct rig_hasher;
struct rig_networks;
struct rig_words;

/* State of one plugin instance; a group fills what it uses. */
struct rig {
    const struct rig_options *options;
    struct rig_keyring users;
    struct rig_keyring agents;
    struct rig_hasher *hasher;
    struct rig_words *common_passwords;
    struct rig_networks *networks;
    int64_t live_shown; /* the gauge's last value; the timer's own */
};

static inline struct rig *rig_of(const struct gr_call *call)
{
    return (struct rig *)call->state;
}

/* ------------------------------------------------------------------------------------------ */
/* answer.c: the envelope                                                                     */

/* 200 {"message", "payload"}. Steals payload; NULL gives null. */
enum gr_err rig_reply(struct gr_call *call, const char *message, json_t *stolen_payload);
/* Fails with a code; message NULL: the code's own. Status 0: that of err. */
enum gr_err rig_fail(struct gr_call *call, enum gr_err err, int status, enum rig_code code,
                     const char *message);
/* 400 with details {"name": value}. */
enum gr_err rig_fail_limit(struct gr_call *call, int64_t limit);
/* 400 / 1005 with details {"Name": ["reason"]}. */
enum gr_err rig_fail_field(struct gr_call *call, const char *name, const char *reason);
enum gr_err rig_fail_rate(struct gr_call *call, int64_t retry_after_ms);
/*
 * A failure of the store: 503 for one that may pass, with the code of the kind of operation. Other
 * errors (of memory, of the call itself) pass as they are.
 */
enum gr_err rig_fail_store(struct gr_call *call, enum gr_err err, enum rig_code code,
                           const char *message);
gr_render_error_fn rig_render_error;
/* .data of a route whose failures in the store have another code than its method says (GET: fetch,
 * POST: create, others: update). */
extern const enum rig_code rig_fetches;
extern const enum rig_code rig_updates;
/* A member of the body as text; empty when absent. */
gr_str rig_text(const json_t *object, const char *name);

/* ------------------------------------------------------------------------------------------ */
/* checks.c: rules a table cannot say                                                         */

gr_check_fn rig_check_email;
gr_check_fn rig_check_text; /* no control characters */
gr_check_fn rig_check_not_empty;
gr_check_fn rig_check_new_password;
gr_check_fn rig_check_destination_key;
/* 1 to 512 characters that mean nothing to a shell, nginx or a URL parser. */
bool rig_key_safe(gr_str key);
bool rig_email_valid(gr_str email);
/* Lower-case copy of ASCII letters, in call memory; NULL without memory. */
char *rig_lower(struct gr_call *call, gr_str text);
/* "0B9D6C1E…", with or without dashes, to the canonical form. false: no UUID. */
bool rig_uuid_parse(gr_str text, char ret_text[RIG_UUID_SIZE]);
/* A random stream key. */
void rig_key_new(const struct gr_call *call, char ret_key[RIG_KEY_SIZE]);

/* A list of words, one a line, in a file; sorted in memory. NULL with a message in the log. */
struct rig_words *rig_words_load(struct gr_self *self, const char *path);
bool rig_words_has(const struct rig_words *words, gr_str word);
void rig_words_free(struct rig_words *words);

/* CIDR blocks. NULL with a message in the log. */
struct rig_networks *rig_networks_new(struct gr_self *self, const char *const *blocks);
bool rig_networks_have(const struct rig_networks *networks, gr_str address);
void rig_networks_free(struct rig_networks *networks);

/* ------------------------------------------------------------------------------------------ */
/* keyring.c and auth.c: tokens                                                                 */

/* what names the keys: "users", "agents". A current key that is NULL is read from the state
 * directory, or made there. Texts must live as long as the ring. GR_ERR_INTERNAL with a message in
 * the log. */
enum gr_err rig_keyring_init(struct gr_self *self, struct rig_keyring *ring, const char *what,
                             const char *current, const char *previous, const char *legacy);

/* .authenticate of accounts and streams: a user's token. gr_caller() is the user's id. */
gr_handler rig_authenticate_user;
/* .authenticate of agents: an agent's token, in the header or in ?token=, or a trusted address.
 * gr_caller() is the agent's name. */
gr_handler rig_authenticate_agent;
/* Signs claims for audience "aud"; adds iat, exp and jti. claims is stolen. */
enum gr_err rig_token(struct gr_call *call, const struct rig_keyring *ring, const char *audience,
                      json_t *stolen_claims, int64_t lifetime_ms, char **ret_token);
/* Verifies a token of a kind ("user", "invite", "agent"): NULL when anything is wrong. */
const json_t *rig_token_claims(struct gr_call *call, const struct rig_keyring *ring,
                               const char *audience, const char *kind, gr_str token);

/* ------------------------------------------------------------------------------------------ */
/* schema.c                                                                                   */

extern const struct gr_migration rig_migrations[];

/* audit.c: writes a row of the audit table, in the transaction that is open. who and target may be
 * NULL; only the first 256 bytes of each are kept. Never pass a secret. */
enum gr_err rig_audit(struct gr_call *call, const char *what, gr_str who, gr_str target,
                      const char *outcome);

/* Takes the first column as an integer, or as text in call memory. */
struct rig_text_row {
    struct gr_call *call;
    const char *text[8];
    int64_t number[8];
    bool found;
};
/* Keeps all columns of the (last) row: text in call memory, NULL for SQL NULL. */
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
 * Counts one use against each limit, or none of them: GR_ERR_RATE with the time to wait when one is
 * reached. Safe against other gateways that count at the same time.
 */
enum gr_err rig_throttle_take(struct gr_call *call, const struct rig_limit *limits, size_t count,
                              int64_t *ret_retry_after_ms);
/* Takes one use back; forget drops the whole counter. */
enum gr_err rig_throttle_give(struct gr_call *call, const struct rig_limit *limit, bool forget);
/* Deletes counters whose time is over. */
enum gr_err rig_throttle_purge(struct gr_call *call);

/* ------------------------------------------------------------------------------------------ */
/* hash.c: passwords                                                                          */

/* Hashes or verifies right here, in some 0.3 s and 32 KiB of heap. */
bool rig_hash_make(const struct gr_host *host, gr_str password, int64_t cost,
                   char ret_hash[RIG_HASH_SIZE]);
bool rig_hash_verify(const struct gr_host *host, gr_str password, const char *hash);
/* True for a hash that is weaker than what would be written now. */
bool rig_hash_stale(const char *hash, gr_str password, int64_t cost);

/* ------------------------------------------------------------------------------------------ */
/* hasher.c: threads of low priority that do it for handlers                                  */

/* Added to the gateway's own. Low enough that a request wins over a login; high enough that a login
 * is answered within seconds on a machine that is busy otherwise. */
#define RIG_HASHER_NICENESS 10

struct rig_hasher_settings {
    int64_t threads;   /* 0: one less than there are cores */
    int64_t queue_max; /* passwords that may wait for a thread */
    int64_t cost;
};

/* host must live as long. NULL without memory. */
struct rig_hasher *rig_hasher_new(const struct gr_host *host,
                                  const struct rig_hasher_settings *settings);
/* Starts the threads. */
bool rig_hasher_start(struct rig_hasher *hasher);
/* Finishes what waits, and ends them. */
void rig_hasher_stop(struct rig_hasher *hasher);
void rig_hasher_free(struct rig_hasher *hasher);
/* Waits for a thread and the result. GR_ERR_OVERLOAD when too many wait already. */
enum gr_err rig_hasher_make(struct rig_hasher *hasher, gr_str password,
                            char ret_hash[RIG_HASH_SIZE]);
/* hash NULL: takes as long as with one, and is never right. */
enum gr_err rig_hasher_verify(struct rig_hasher *hasher, gr_str password, const char *hash,
                              bool *ret_right);

/* ------------------------------------------------------------------------------------------ */
/* ingest.c: destinations                                                                     */

/* The built-in table of services, as JSON text. */
extern const char rig_services_default[];
extern const struct gr_field rig_services_shape[];
bool rig_service_known(const json_t *services, const char *service);
/* A destination object. A key or service that must not be used has rtmpUrl null. */
json_t *rig_destination(const json_t *services, int64_t id, const char *service, gr_str key,
                        bool active);
/* All destinations of a stream, by id. */
enum gr_err rig_destinations(struct gr_call *call, const char *stream_id, json_t **ret_list);

/* Rows of documentation that several groups show. */
extern const struct gr_field rig_destination_rows[];

/* ------------------------------------------------------------------------------------------ */
/* Commands                                                                                   */

/* `greenroom rig import URL`; accounts_import.c */
int rig_import(struct gr_call *call, const void *options, int argc, char **argv);
/* `greenroom rig users …`; accounts_admin.c */
int rig_users(struct gr_call *call, const void *options, int argc, char **argv);
/* `greenroom rig tokens revoke JTI`; agents_admin.c */
int rig_agent_token(struct gr_call *call, const void *options, int argc, char **argv);
int rig_agent_tokens(struct gr_call *call, const void *options, int argc, char **argv);
