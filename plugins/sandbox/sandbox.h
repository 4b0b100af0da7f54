/*
 * The sandbox: a local 100ms v2 for development and tests. What its files share.
 *
 * All state is one JSON document (struct sandbox, root), so that it can be saved, seeded, dumped
 * and reset as a whole: one object per collection, keyed by id, in the order of insertion. One
 * mutex guards it; every handler runs with it held (see sb_serve()) and answers with copies.
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
struct sandbox;

/* A kind of scheduled step, and what runs it; rows end with {0}. */
struct sb_step {
    const char *kind;
    void (*run)(struct sandbox *sb, const char *id);
};

/*
 * What lives in sessions and has to know of them: recordings and streams, polls. Sessions call
 * these, so that they need not know who follows them. Members may be NULL; rows end with {0}.
 */
struct sb_follower {
    const char *name;
    void (*opened)(struct sandbox *sb, json_t *session);
    /* the first peer has joined */
    void (*begun)(struct sandbox *sb, json_t *room);
    /* whether the session has to stay open without peers */
    bool (*holds)(struct sandbox *sb, const char *session_id);
    /* the last peer has left, or one has come again */
    void (*alone)(struct sandbox *sb, const char *session_id, bool alone);
    void (*closed)(struct sandbox *sb, const char *session_id);
};

struct sandbox {
    const struct gr_host *host;
    const struct sb_options *options;
    struct gr_jwt_key key;
    const struct sb_step *steps;
    const struct sb_follower *followers;
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

/* --- state.c: the document as a whole; under lock unless it says otherwise --- */

/* Takes the lock, sets the time, runs what is due. */
void sb_enter(struct sandbox *sb);
/* Gives the lock back; false when an allocation failed meanwhile. */
bool sb_leave(struct sandbox *sb);
/* Puts another document in the place of the present one; steals it. false without memory. */
bool sb_adopt(struct sandbox *sb, json_t *stolen);
/* Writes the state file when there is one and something changed. Takes the lock itself. */
bool sb_save(struct sandbox *sb);
/* What a state file of another version is refused by. */
#define SB_STATE_VERSION 1

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

/* --- request.c: what handlers read of a request --- */

/* A number of the query within the bounds its row has checked; fallback when absent. */
int64_t sb_query_int(struct gr_call *call, const char *name, int64_t fallback);
/* The path of the request below the plugin's prefix; lives as long as the call. */
const char *sb_local_path(struct gr_call *call);
/* Remembers where this request reached the plugin: "http://127.0.0.1:8100/v2". */
void sb_note_base_url(struct gr_call *call, struct sandbox *sb);

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
extern const struct gr_field sb_error_body[1]; /* the shape of what it renders */

#define SB_NO_TIME "0001-01-01T00:00:00Z"
/* The members of a journal that are kept. */
#define SB_JOURNAL_MAX 20000
