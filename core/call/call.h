/*
 * A call: a request on its way through the gateway, or a run of a timer or command. Used by one
 * thread at a time. Its memory is in its arena until grc_call_end().
 */
#pragma once

#include "http/message.h"
#include "plugin/fault.h"
#include "runtime/runtime.h"
#include "validate/schema.h"

struct grc_claim;

struct grc_call {
    struct gr_call pub; /* what the plugin gets; the first member, so that it can be cast back */
    struct grc_runtime *runtime;
    struct grc_plugin *plugin;     /* the owner; NULL before routing, and for a path without one */
    const struct grc_route *route; /* NULL for a timer, a command and an unmatched path */
    struct grc_request *request;   /* NULL for a timer and a command */
    struct grc_reply *reply;
    struct grc_arena arena;
    struct grc_match match;
    char request_id[65];
    char traceparent[GRC_CONTEXT_BYTES]; /* of the call's current span; "": it has no trace */
    char parent_id[17];                  /* of the caller's span; "": none */
    struct grc_trace *trace;             /* NULL: it is not recorded */
    struct gr_pair *query;
    size_t query_count;
    struct grc_buf body;
    json_t *json;      /* parsed body; freed by grc_call_end() or grc_call_drop_json() */
    size_t json_bytes; /* memory of json, which counts for the arena's limit */
    struct grc_problems problems;
    struct gr_error error;         /* .err != GR_OK once the call failed */
    struct grc_guard_state *guard; /* guard/state.h; in the arena; may be NULL */
    gr_str caller_id;
    struct gr_account account; /* empty unless the group has set it */
    /* NULL when core/auth has found no caller, or when the group names the caller itself. */
    const struct grc_caller *caller;
    struct grc_store_session *session; /* NULL outside of a transaction */
    struct grc_fault_subject subject;  /* for the report of a fault in this call */
    const struct grc_fault_subject *subject_before;
    bool has_subject;
    int64_t deadline_ms; /* monotonic; 0: none */
    bool acted;          /* an upstream or the store may have been changed for it */
    /* Of an Idempotency-Key, see idempotency/idempotency.h. While it is set, the call goes on when
     * its client leaves. */
    struct grc_claim *claim;
    /* for the access log */
    int upstream_status;
    int64_t upstream_us;
    unsigned upstream_attempts;
    enum grc_answer_source upstream_source;
    struct grc_call *next; /* in the list of unused calls; see server/gateway.c */
};

/* The service table that every plugin gets. */
extern const struct gr_host grc_host;

/*
 * A call begins as zeroed memory. Any number of begin … end pairs follow, which reuse its memory,
 * and then done. begin takes no reference to the runtime; the caller holds one. plugin may be NULL
 * until the request is routed.
 */
void grc_call_begin(struct grc_call *call, struct grc_runtime *runtime, struct grc_plugin *plugin);
/* Makes plugin the owner of the call, with its state and its error format. */
void grc_call_own(struct grc_call *call, struct grc_plugin *plugin);
/* Runs the deferred functions and releases what the call holds. */
void grc_call_end(struct grc_call *call);
/* As grc_call_end(), and frees the memory that grc_call_begin() would reuse. */
void grc_call_done(struct grc_call *call);
static inline struct grc_call *grc_call_of(struct gr_call *call)
{
    return (struct grc_call *)call;
}

/* Frees the parsed body of a call that only needed it for validation. */
void grc_call_drop_json(struct grc_call *call);

/* Fails the call with err, unless it has failed before. Returns the error of the call. */
enum gr_err grc_fail(struct grc_call *call, enum gr_err err, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Writes the error into call->reply in the owner's format, with Retry-After and WWW-Authenticate
 * when the error needs them. Without memory the body is a fixed one. */
void grc_error_render(struct grc_call *call, enum gr_err err);
/* Returns the error in the host's format: {"code":404,"message":"…","details":["…"]}. New reference
 * or NULL. */
json_t *grc_error_json(const struct gr_error *error);
/* True when the caller holds the scope ("rooms:read", or "rooms:*", "*:read" or "*" that cover it).
 * Timers and commands hold every scope. */
bool grc_call_has_scope(const struct grc_call *call, const char *scope);
/* False when the caller is bound to other values of this kind. */
bool grc_call_may(const struct grc_call *call, const char *binds, gr_str value);
/* Parses the body where the route's row describes one; an absent one counts as the row says. Does
 * not check it. */
enum gr_err grc_call_parse(struct grc_call *call);
/* Does what the route's forward row says. */
enum gr_err grc_forward(struct grc_call *call);
