/*
 * The sandbox: a local 100ms v2 for development and tests. What its files share.
 *
 * All state is one JSON document (struct sandbox, root), so that it can be saved, seeded, dumped
 * and reset as a whole: one object per collection, keyed by id, in the order of insertion. One
 * mutex guards it; every handler runs with it held (see SB_HANDLER) and answers with copies.
 * Members whose name starts with '.' are the sandbox's own and never leave it.
 *
 * Time is the clock of the host plus what was added by the admin route; delays of the service are
 * divided by the option "speed". States move when their time has come, at the next request or
 * timer.
 */
#pragma once

#include <greenroom/plugin.h>
#include <jansson.h>
#include <pthread.h>
#include <strings.h>

struct sb_options {
    const char *access_key;
    const char *secret;
    const char *customer_id;
    const char *app_id;
    const char *state_file;
    const char *seed_file;
    const char *public_url;
    int64_t speed;
    int64_t calls_per_second;
    bool documented_filters;
    const char *webhook_url;
    const json_t *webhook_headers;
    const char *webhook_secret;
    const char *const *webhook_targets;
};

struct sb_targets;

struct sandbox {
    const struct gr_host *host;
    const struct sb_options *options;
    struct gr_jwt_key key;
    struct sb_targets *targets; /* where webhooks may go; fixed after init */
    pthread_mutex_t lock;
    /* all below: under lock */
    json_t *root;
    int64_t now_ms;      /* the time it is for the work in hand */
    int64_t offset_ms;   /* added to the host's clock */
    int64_t next_due_ms; /* of the earliest scheduled step; INT64_MAX: none */
    uint32_t id_counter;
    uint64_t change; /* counts changes of root: what the saver compares */
    uint64_t saved;
    double rate_tokens; /* calls that may come before the limit is met */
    int64_t rate_ms;    /* when rate_tokens was counted last, by the host's clock */
    bool failed;        /* an allocation failed since sb_enter() */
};

/* A handler that runs with the lock held and the clock brought up to date. */
typedef enum gr_err sb_handler(struct gr_call *call, struct sandbox *sb);

/* Applies the faults asked for, takes the lock, counts the call, runs, answers 500 without memory.
 */
enum gr_err sb_serve(struct gr_call *call, sb_handler *run);
/* The same for the admin routes: no faults, not counted. */
enum gr_err sb_serve_admin(struct gr_call *call, sb_handler *run);

#define SB_HANDLER_BY(serve_, name_)                                                               \
    static sb_handler name_##_locked;                                                              \
    enum gr_err name_(struct gr_call *call)                                                        \
    {                                                                                              \
        return serve_(call, name_##_locked);                                                       \
    }                                                                                              \
    static enum gr_err name_##_locked(struct gr_call *call, struct sandbox *sb)
/* Defines the route handler name_; what follows is its body, with call and sb. */
#define SB_HANDLER(name_) SB_HANDLER_BY(sb_serve, name_)
#define SB_ADMIN_HANDLER(name_) SB_HANDLER_BY(sb_serve_admin, name_)

/* --- state.c: the document as a whole; under lock unless it says otherwise --- */

/* Takes the lock, sets the time, runs what is due. */
void sb_enter(struct sandbox *sb);
/* Gives the lock back; false when an allocation failed meanwhile. */
bool sb_leave(struct sandbox *sb);
/* Drops everything and makes the default workspace. false without memory. */
bool sb_reset(struct sandbox *sb);
/* Reads the state file, else the seed file, else makes the default workspace; called once. */
enum gr_err sb_load(struct gr_self *self, struct sandbox *sb);
/* Writes the state file when there is one and something changed. Takes the lock itself. */
bool sb_save(struct sandbox *sb);
/* Merges a seed document: {"templates": […], "rooms": […], …}. false: *ret_problem says why. */
bool sb_seed(struct sandbox *sb, const json_t *seed, const char **ret_problem);

/* --- store.c: collections, rows, members --- */

/* A collection, made on first use; NULL only without memory. Borrowed. */
json_t *sb_all(struct sandbox *sb, const char *collection);
/* A row by id, or NULL. Borrowed. */
json_t *sb_find(struct sandbox *sb, const char *collection, gr_str id);
static inline json_t *sb_find_text(struct sandbox *sb, const char *collection, const char *id)
{
    return sb_find(sb, collection, gr_str_of(id));
}
/* Adds or replaces a row; steals it. Returns it borrowed; NULL without memory. */
json_t *sb_put(struct sandbox *sb, const char *collection, const char *id, json_t *stolen);
void sb_drop(struct sandbox *sb, const char *collection, const char *id);
/* Keeps only the newest rows of a journal. */
void sb_trim(struct sandbox *sb, const char *collection, size_t keep);

/* Sets a member; steals the value, which may be NULL when making it failed. */
void sb_set(struct sandbox *sb, json_t *object, const char *name, json_t *stolen);
void sb_append(struct sandbox *sb, json_t *array, json_t *stolen);
void sb_unset(struct sandbox *sb, json_t *object, const char *name);
/* json_pack() that notes a failure in sb. */
json_t *sb_pack(struct sandbox *sb, const char *format, ...);
/* Deep copy that notes a failure. */
json_t *sb_copy(struct sandbox *sb, const json_t *value);
/* A deep copy without the sandbox's own members. */
json_t *sb_view(struct sandbox *sb, const json_t *row);
/* Adds to target each member of defaults that it does not have, in depth. */
void sb_fill(struct sandbox *sb, json_t *target, const json_t *defaults);
/* Copies the named members that from has and that are not null. */
void sb_take(struct sandbox *sb, json_t *to, const json_t *from, const char *const *names);

/* jansson's iterators take no const value although they change nothing. */
static inline json_t *sb_mutable(const json_t *value)
{
    return (json_t *)(uintptr_t)value;
}

const char *sb_text(const json_t *object, const char *name); /* "" when it is not a string */
int64_t sb_int(const json_t *object, const char *name);      /* 0 when it is not an integer */
bool sb_true(const json_t *object, const char *name);
bool sb_is(const json_t *object, const char *name, gr_str value);

/* --- list.c: one way to filter and page for every list --- */

enum sb_filter_kind { SB_EQUAL = 1, SB_BOOLEAN, SB_NUMBER, SB_SINCE, SB_UNTIL };

/* One query parameter and the member it selects by. Rows end with {0}. */
struct sb_filter {
    const char *query;
    const char *member;
    enum sb_filter_kind kind;
    const char *documented; /* the documented default, used with option documented_filters */
};

struct sb_list {
    const char *collection;
    const char *items; /* member of the answer that holds the rows */
    const struct sb_filter *filters;
    size_t limit_default;
    bool oldest_first;        /* else the newest row comes first, as in the service's lists */
    bool last_only_when_more; /* else `last` names the last row also on the final page */
    bool (*keep)(struct gr_call *call, struct sandbox *sb, const json_t *row); /* NULL: all */
    json_t *(*view)(struct sandbox *sb, const json_t *row);                    /* NULL: sb_view */
};

enum gr_err sb_reply_list(struct gr_call *call, struct sandbox *sb, const struct sb_list *list);
/* True when the row passes every filter that the query names. */
bool sb_passes(struct gr_call *call, struct sandbox *sb, const struct sb_filter *filters,
               const json_t *row);
/* A number of the query within the bounds its row has checked; fallback when absent. */
int64_t sb_query_int(struct gr_call *call, const char *name, int64_t fallback);
/* Replies with a view of the row. */
enum gr_err sb_reply_row(struct gr_call *call, struct sandbox *sb, const json_t *row);
/* Replies 200 with a value just made; steals. */
enum gr_err sb_reply(struct gr_call *call, struct sandbox *sb, json_t *stolen);

/* --- text.c: ids, times, random --- */

struct sb_name {
    char text[40];
};
struct sb_name sb_new_id(struct sandbox *sb);                 /* 24 hex digits, rising */
struct sb_name sb_new_hex(struct sandbox *sb, size_t digits); /* at most 32 */
struct sb_name sb_new_uuid(struct sandbox *sb);
struct sb_name sb_new_code(struct sandbox *sb);  /* abc-defg-hij */
struct sb_name sb_stamp(int64_t ms);             /* 2025-03-04T17:02:11.480Z */
json_t *sb_time(struct sandbox *sb, int64_t ms); /* the same as JSON */
bool sb_parse_time(const char *text, int64_t *ret_ms);
uint64_t sb_hash(const char *text); /* stable, not for secrets */

/* --- clock.c --- */

int64_t sb_clock(const struct sandbox *sb);
/* Runs `kind` for `id` after a delay of the service, which is divided by the speed. */
void sb_schedule(struct sandbox *sb, int64_t delay_ms, const char *kind, const char *id);
void sb_cancel(struct sandbox *sb, const char *kind, const char *id);
/* Runs everything that is due, in order of time, each at its own time. */
void sb_tick(struct sandbox *sb);
/* Finds next_due_ms again after the document was replaced. */
void sb_clock_restore(struct sandbox *sb);
/* Time that passed for the service between two moments of the clock. */
int64_t sb_service_ms(const struct sandbox *sb, int64_t from_ms, int64_t to_ms);

/* --- errors.c --- */

/* How the service words a body that is missing where one is wanted. */
#define SB_NO_BODY "request body must not be empty"

/* Fails the call in the 100ms shape; detail may be NULL. */
enum gr_err sb_error(struct gr_call *call, int status, const char *message, const char *detail);
json_t *sb_render_error(struct gr_call *call, const struct gr_error *error);

/* --- auth.c --- */

enum gr_err sb_authenticate(struct gr_call *call);
/* Checks a token of that type ("management", "app"); claims live as long as the call. */
enum gr_err sb_check_token(struct gr_call *call, gr_str token, const char *type,
                           const json_t **ret_claims);
enum gr_err sb_bearer_claims(struct gr_call *call, const char *type, const json_t **ret_claims);
enum gr_err sb_new_app_token(struct gr_call *call, const char *room_id, const char *role,
                             const char *user_id, char **ret_token);

/* --- rate.c --- */

/* Counts a call; false: there were too many. A second later there is room again. Lock held. */
bool sb_rate_admits(struct sandbox *sb);

/* --- faults.c --- */

/* Fails the call with 429 and Retry-After. */
enum gr_err sb_too_many(struct gr_call *call, unsigned wait_s);

/* Does what the fault rules say for this call; *ret_done: the call is answered. No lock held. */
enum gr_err sb_faults_apply(struct gr_call *call, struct sandbox *sb, bool *ret_done);
/* The path of the request below the plugin's prefix; lives as long as the call. */
const char *sb_local_path(struct gr_call *call);

/* --- templates.c --- */

json_t *sb_default_template(struct sandbox *sb);
json_t *sb_template_put(struct sandbox *sb, const json_t *body, json_t *old);
bool sb_template_has_role(struct sandbox *sb, const char *template_id, const char *role);
extern const char sb_default_role_json[];
extern const char sb_default_roles_json[];
extern const char sb_default_settings_json[];
extern const char sb_default_destinations_json[];
extern const char sb_default_recordings_json[];
json_t *sb_constant(struct sandbox *sb, const char *text);

/* --- rooms.c --- */

/* The room of the path parameter room_id; fails the call with 404 when there is none, and with 403
 * when it has to be enabled and is not. */
enum gr_err sb_room_of(struct gr_call *call, struct sandbox *sb, bool enabled, json_t **ret_room);
/* Makes or updates a room from a checked body. room NULL: by name, else new. */
json_t *sb_room_put(struct sandbox *sb, json_t *room, const json_t *body);

/* --- sessions.c --- */

/* The running session of a room, or NULL. */
json_t *sb_session_of(struct sandbox *sb, const char *room_id);
/* The same, opened when there is none. */
json_t *sb_session_open(struct sandbox *sb, json_t *room);
/* Ends a session: peers leave, jobs stop, polls stop. */
void sb_session_close(struct sandbox *sb, json_t *session, const char *reason);
/* Closes it when nobody and nothing is left in it. */
void sb_session_settle(struct sandbox *sb, const char *session_id);
void sb_session_expire(struct sandbox *sb, const char *id);
/* Joins a peer: {"role", "name", "user_id", "metadata", "type"}. Checks were made. */
json_t *sb_peer_join(struct sandbox *sb, json_t *room, const json_t *body);
void sb_peer_leave(struct sandbox *sb, json_t *session, const char *peer_id, const char *reason);
json_t *sb_live_peers(const json_t *session); /* map of peers that are in now; borrowed */

/* --- jobs.c: recordings, external streams, live streams --- */

void sb_job_step(struct sandbox *sb, const char *id);
/* Starts the recording that the template wants with a session. */
void sb_jobs_begin(struct sandbox *sb, json_t *room);
void sb_job_limit(struct sandbox *sb, const char *id); /* maximum duration reached */
void sb_job_alone(struct sandbox *sb, const char *id); /* too long in an empty room */
/* Stops what runs in that session; all of it (kind NULL). */
void sb_jobs_stop(struct sandbox *sb, const char *session_id);
bool sb_jobs_live(struct sandbox *sb, const char *session_id);
/* Starts or ends the wait of jobs that stop by themselves in an empty room. */
void sb_jobs_alone(struct sandbox *sb, const char *session_id, bool alone);
json_t *sb_job_find(struct sandbox *sb, const char *id);
void sb_job_fail(struct sandbox *sb, json_t *job, const char *reason);

/* --- assets.c --- */

/* Makes the assets of a completed job and returns their short forms, as a new array. */
json_t *sb_assets_make(struct sandbox *sb, json_t *job, const json_t *types);
/* A URL from which the asset can be fetched for so long, as JSON; NULL without memory. It begins
 * with the option public_url, or as the latest request began. */
json_t *sb_presign(struct sandbox *sb, const char *asset_id, int64_t seconds);
/* Remembers where this request reached the plugin: "http://127.0.0.1:8100/v2". */
void sb_note_base_url(struct gr_call *call, struct sandbox *sb);

/* --- polls.c, poll_results.c --- */

void sb_polls_begin(struct sandbox *sb, json_t *session);
void sb_polls_end(struct sandbox *sb, const char *session_id);
void sb_poll_expire(struct sandbox *sb, const char *poll_session_id);
json_t *sb_poll_put(struct sandbox *sb, const json_t *body, const char *id);
json_t *sb_poll_question(json_t *poll, const char *index, size_t *ret_at);

/* --- analytics.c --- */

/* Writes an analytics event; steals data. */
void sb_analytics(struct sandbox *sb, const char *type, json_t *data);

/* --- webhooks.c --- */

enum gr_err sb_webhooks_init(struct gr_self *self, struct sandbox *sb);
void sb_webhooks_free(struct sandbox *sb);
/* What the events of sessions and peers say of their place; session may be NULL. New reference. */
json_t *sb_event_data(struct sandbox *sb, const json_t *room, const json_t *session);
/* Sends an event to the receiver of the room, else of the workspace; steals data. */
void sb_emit(struct sandbox *sb, const char *type, const json_t *room, json_t *data);
/* The timer that delivers. */
enum gr_err sb_webhooks_run(struct gr_call *call);

#define SB_NO_TIME "0001-01-01T00:00:00Z"
/* The members of a journal that are kept. */
#define SB_JOURNAL_MAX 20000
