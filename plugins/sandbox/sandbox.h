/*
 * The sandbox: a local 100ms v2 for development and tests. Declarations that its files share.
 *
 * The state is one JSON document (struct sandbox, root), so that it can be saved, seeded, dumped
 * and reset as a whole. It has one object per collection, keyed by id, in the order of insertion.
 * One mutex protects it; every handler runs with the mutex held (see sb_serve()) and answers with
 * copies. Members whose name starts with '.' are internal and never part of an answer.
 *
 * The time is the clock of the host plus the offset that tests set; delays are divided by the
 * option "speed". Steps that are due run at the next request or timer.
 */
#pragma once

#include "../shared/hms_fields.h"

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

/* A kind of scheduled step and its function. Tables end with {0}. */
struct sb_step {
    const char *kind;
    void (*run)(struct sandbox *sb, const char *id);
};

/*
 * Functions through which sessions notify recordings, streams and polls without depending on them.
 * Members may be NULL. Tables end with {0}.
 */
struct sb_follower {
    const char *name;
    void (*opened)(struct sandbox *sb, json_t *session);
    /* the first peer has joined */
    void (*begun)(struct sandbox *sb, json_t *room);
    /* returns whether the session must stay open without peers */
    bool (*holds)(struct sandbox *sb, const char *session_id);
    /* the last peer has left, or a peer has joined again */
    void (*alone)(struct sandbox *sb, const char *session_id, bool alone);
    void (*closed)(struct sandbox *sb, const char *session_id);
};

struct sandbox {
    const struct gr_host *host;
    const struct sb_options *options;
    struct gr_jwt_key key;
    const struct sb_step *steps;
    const struct sb_follower *followers;
    struct sb_targets *targets; /* allowed receivers of webhooks; fixed after init */
    pthread_mutex_t lock;       /* protects the members below */
    json_t *root;
    int64_t now_ms;      /* time of the current request or step */
    int64_t offset_ms;   /* added to the clock of the host */
    int64_t next_due_ms; /* time of the earliest scheduled step; INT64_MAX: none */
    uint32_t id_counter;
    uint64_t change;    /* number of changes of root */
    uint64_t saved;     /* value of change at the last save; used by the saver only */
    double rate_tokens; /* calls left before the limit is reached */
    int64_t rate_ms;    /* host time of the last update of rate_tokens */
    bool failed;        /* an allocation failed since sb_enter() */
};

/* A handler. It runs with the lock held and after all due steps. */
typedef enum gr_err sb_handler(struct gr_call *call, struct sandbox *sb);

/* --- state.c: the document as a whole; the lock is held unless stated otherwise --- */

/* Takes the lock, sets the time and runs the due steps. */
void sb_enter(struct sandbox *sb);
/* Releases the lock; false when an allocation failed meanwhile. */
bool sb_leave(struct sandbox *sb);
/* Replaces the document. Takes over the reference. False without memory. */
bool sb_adopt(struct sandbox *sb, json_t *stolen);
/* Writes the state file, if configured, after a change. Takes the lock itself. */
bool sb_save(struct sandbox *sb);
/* Version of the state file; other versions are refused. */
#define SB_STATE_VERSION 1

/* --- store.c: collections, rows, members --- */

/* Returns a collection, made on first use (borrowed); NULL only without memory. */
json_t *sb_all(struct sandbox *sb, const char *collection);
/* Returns a row by id (borrowed), or NULL. */
json_t *sb_find(struct sandbox *sb, const char *collection, gr_str id);
static inline json_t *sb_find_text(struct sandbox *sb, const char *collection, const char *id)
{
    return sb_find(sb, collection, gr_str_of(id));
}
/* Adds or replaces a row and takes over its reference. Returns it borrowed; NULL without memory. */
json_t *sb_put(struct sandbox *sb, const char *collection, const char *id, json_t *stolen);
void sb_drop(struct sandbox *sb, const char *collection, const char *id);
/* Deletes the oldest rows of a journal beyond `keep`. */
void sb_trim(struct sandbox *sb, const char *collection, size_t keep);

/* Sets a member and takes over the reference to its value; NULL counts as a failed allocation. */
void sb_set(struct sandbox *sb, json_t *object, const char *name, json_t *stolen);
void sb_append(struct sandbox *sb, json_t *array, json_t *stolen);
void sb_unset(struct sandbox *sb, json_t *object, const char *name);
/* json_pack() that records a failure in sb->failed. */
json_t *sb_pack(struct sandbox *sb, const char *format, ...);
/* Makes a deep copy; records a failure in sb->failed. */
json_t *sb_copy(struct sandbox *sb, const json_t *value);
/* Makes a deep copy without internal members. */
json_t *sb_view(struct sandbox *sb, const json_t *row);
/* Adds the members of defaults that target does not have, recursively. */
void sb_fill(struct sandbox *sb, json_t *target, const json_t *defaults);
/* Copies the named members of from that are present and not null. */
void sb_take(struct sandbox *sb, json_t *to, const json_t *from, const char *const *names);

/* Removes const for jansson's iterators, which do not change the value. */
static inline json_t *sb_mutable(const json_t *value)
{
    return (json_t *)(uintptr_t)value;
}

const char *sb_text(const json_t *object, const char *name); /* "" when it is not a string */
int64_t sb_int(const json_t *object, const char *name);      /* 0 when it is not an integer */
bool sb_true(const json_t *object, const char *name);
bool sb_is(const json_t *object, const char *name, gr_str value);

/* --- list.c: filters and pages of all lists --- */

enum sb_filter_kind { SB_EQUAL = 1, SB_BOOLEAN, SB_NUMBER, SB_SINCE, SB_UNTIL };

/* A query parameter and the member that it filters. Tables end with {0}. */
struct sb_filter {
    const char *query;
    const char *member;
    enum sb_filter_kind kind;
    const char *documented; /* documented default, for the option documented_filters */
};

struct sb_list {
    const char *collection;
    const char *items; /* member of the answer with the rows */
    const struct sb_filter *filters;
    size_t limit_default;
    bool oldest_first;        /* otherwise the newest row is the first, like in the service */
    bool last_only_when_more; /* otherwise the final page has `last`, too */
    bool (*keep)(struct gr_call *call, struct sandbox *sb, const json_t *row); /* NULL: all */
    json_t *(*view)(struct sandbox *sb, const json_t *row);                    /* NULL: sb_view */
};

enum gr_err sb_reply_list(struct gr_call *call, struct sandbox *sb, const struct sb_list *list);
/* True when the row passes all filters of the query. */
bool sb_passes(struct gr_call *call, struct sandbox *sb, const struct sb_filter *filters,
               const json_t *row);
/* Replies with a view of the row. */
enum gr_err sb_reply_row(struct gr_call *call, struct sandbox *sb, const json_t *row);
/* Replies 200 with a value and takes over its reference. */
enum gr_err sb_reply(struct gr_call *call, struct sandbox *sb, json_t *stolen);

/* --- text.c: ids, times, random --- */

struct sb_name {
    char text[40];
};
struct sb_name sb_new_id(struct sandbox *sb);                 /* 24 hex digits, ascending */
struct sb_name sb_new_hex(struct sandbox *sb, size_t digits); /* at most 32 */
struct sb_name sb_new_uuid(struct sandbox *sb);
struct sb_name sb_new_code(struct sandbox *sb);  /* abc-defg-hij */
struct sb_name sb_stamp(int64_t ms);             /* 2025-03-04T17:02:11.480Z */
json_t *sb_time(struct sandbox *sb, int64_t ms); /* the same as JSON */
uint64_t sb_hash(const char *text);              /* stable, not cryptographic */

/* --- request.c: functions that read a request --- */

/* Returns a number of the query, already validated by its row; fallback when absent. */
int64_t sb_query_int(struct gr_call *call, const char *name, int64_t fallback);
/* Returns the path below the plugin's prefix; valid until the call ends. */
const char *sb_local_path(struct gr_call *call);
/* Stores the base URL of this request, for example "http://127.0.0.1:8100/v2". */
void sb_note_base_url(struct gr_call *call, struct sandbox *sb);

/* --- clock.c --- */

int64_t sb_clock(const struct sandbox *sb);
/* Schedules a step for `id` after a delay, which is divided by the speed. */
void sb_schedule(struct sandbox *sb, int64_t delay_ms, const char *kind, const char *id);
void sb_cancel(struct sandbox *sb, const char *kind, const char *id);
/* Runs the due steps in the order of their times; each sees its own time as now_ms. */
void sb_tick(struct sandbox *sb);
/* Computes next_due_ms after the document was replaced. */
void sb_clock_restore(struct sandbox *sb);
/* Returns how much time passes for the service between two times of the clock: `speed` times as
 * much. */
int64_t sb_service_ms(const struct sandbox *sb, int64_t from_ms, int64_t to_ms);

/* --- errors.c --- */

/* The message of the service for a missing body. */
#define SB_NO_BODY "request body must not be empty"

/* Fails the call in the 100ms shape; detail may be NULL. */
enum gr_err sb_error(struct gr_call *call, int status, const char *message, const char *detail);
json_t *sb_render_error(struct gr_call *call, const struct gr_error *error);
extern const struct gr_field sb_error_body[1]; /* the schema of that body */

#define SB_NO_TIME "0001-01-01T00:00:00Z"
/* Maximum number of rows of a journal. */
#define SB_JOURNAL_MAX 20000
