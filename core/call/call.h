/*
 * One call: a request on its way through the gateway, or a run of a timer or command. Used by one
 * thread at a time. Memory lives in its arena until grc_call_end().
 */
#pragma once

#include "call/trace.h"
#include "http/message.h"
#include "plugin/fault.h"
#include "runtime/runtime.h"
#include "validate/schema.h"

struct grc_call {
    struct gr_call pub; /* first: what the plugin sees */
    struct grc_runtime *runtime;
    struct grc_plugin *plugin;     /* the owner; never NULL once routing is done */
    const struct grc_route *route; /* NULL: timer, command, unmatched path */
    struct grc_request *request;   /* NULL: timer, command */
    struct grc_reply *reply;
    struct grc_arena arena;
    struct grc_match match;
    char request_id[65];
    char traceparent[GRC_TRACE_BYTES]; /* "" when there is none */
    char span_id[GRC_SPAN_BYTES];      /* of the last call to an upstream within the trace */
    struct gr_pair *query;
    size_t query_count;
    struct grc_buf body;
    json_t *json;      /* parsed body; freed at end, or by grc_call_drop_json() */
    size_t json_bytes; /* that it takes, counted in the arena */
    struct grc_problems problems;
    struct gr_error error;         /* .err != GR_OK once the call failed */
    struct grc_guard_state *guard; /* guard/state.h; in the arena; may be NULL */
    gr_str caller_id;
    struct gr_account account; /* empty unless the group said who calls */
    /* Found by core/auth. NULL when there is no caller, or when the group says itself who calls. */
    const struct grc_caller *caller;
    struct grc_store_session *session; /* inside a transaction */
    struct grc_fault_subject subject;  /* named when the process ends by a fault in it */
    const struct grc_fault_subject *subject_before;
    bool has_subject;
    int64_t deadline_ms; /* monotonic; 0: none */
    /* for the access log */
    int upstream_status;
    int64_t upstream_us;
    unsigned upstream_attempts;
    enum grc_answer_source upstream_source;
    struct grc_call *next; /* at rest; see server/gateway.c */
};

/* The service table every plugin gets. */
extern const struct gr_host grc_host;

/*
 * A call is zeroed memory once, then any number of begin … end pairs, which reuse its memory, then
 * done. begin takes no reference of the runtime: the caller holds one. plugin may be NULL until
 * routing is done.
 */
void grc_call_begin(struct grc_call *call, struct grc_runtime *runtime, struct grc_plugin *plugin);
/* Makes plugin the owner: its state, its error format. */
void grc_call_own(struct grc_call *call, struct grc_plugin *plugin);
/* Runs what was deferred and forgets everything. */
void grc_call_end(struct grc_call *call);
/* end, and frees the memory that begin would reuse. */
void grc_call_done(struct grc_call *call);
static inline struct grc_call *grc_call_of(struct gr_call *call)
{
    return (struct grc_call *)call;
}

/* The JSON of a call that holds its body only to have checked it: frees the tree, as early as that
 * is known. */
void grc_call_drop_json(struct grc_call *call);

/* Fails the call; the first failure wins, validation problems add up. Return their err. */
enum gr_err grc_fail(struct grc_call *call, enum gr_err err, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Writes the error into call->reply in the owner's format, with headers that belong to it
 * (Retry-After, Allow, WWW-Authenticate). Cannot fail: falls back to a fixed body. */
void grc_error_render(struct grc_call *call, enum gr_err err);
/* The host's own shape: {"code":404,"message":"…","details":["…"]}. New reference or NULL. */
json_t *grc_error_json(const struct gr_error *error);
/* True when the caller holds the scope ("rooms:read"; "rooms:*", "*:read" and "*" cover it). Timers
 * and commands hold all. */
bool grc_call_has_scope(const struct grc_call *call, const char *scope);
/* False when the caller is bound to other values of this kind. */
bool grc_call_may(const struct grc_call *call, const char *binds, gr_str value);
/* Parses the body where the route's row describes one; an absent one counts as the row says. Does
 * not check it. */
enum gr_err grc_call_parse(struct grc_call *call);
/* Does what the route's forward row says. */
enum gr_err grc_forward(struct grc_call *call);
