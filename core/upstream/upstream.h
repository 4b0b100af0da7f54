/*
 * HTTP calls to named upstreams. libcurl is used behind this header and nowhere else. Thread-safe.
 */
#pragma once

#include "base/arena.h"
#include "base/library.h"
#include "config/settings.h"
#include "trace/trace.h"

struct grc_upstreams; /* all upstreams of a runtime */

/* What the headers of an answer say about caching it. */
struct grc_freshness {
    bool forbidden;
    bool no_stale;     /* must-revalidate: not to be served after its time */
    int64_t max_age_s; /* -1: not said */
    int64_t age_s;
};

/* The source of an answer. */
enum grc_answer_source { GRC_FROM_UPSTREAM = 0, GRC_FROM_OTHER_CALL, GRC_FROM_CACHE };

/* What the cache did for an exchange. */
enum grc_cache_state {
    GRC_CACHE_UNUSED = 0,
    GRC_CACHE_MISS,  /* no answer was kept */
    GRC_CACHE_STALE, /* one was kept whose time had passed */
    GRC_CACHE_HIT,   /* the answer was kept; see stale_s */
};

/* One call, fully built. Slices are borrowed for its duration. */
struct grc_exchange {
    const char *upstream;
    enum gr_method method;
    gr_str target; /* encoded path and query, from '/' on; appended to the upstream's URL */
    const struct gr_pair *headers;
    size_t header_count;
    bool has_body; /* without one, POST, PUT and PATCH send a length of 0 */
    gr_str body;
    const char *content_type; /* NULL: application/json */
    const char *bearer;       /* instead of the upstream's credential */
    bool no_credential;
    bool idempotent;
    unsigned timeout_ms;             /* 0: the upstream's */
    int64_t deadline_ms;             /* monotonic; 0: none */
    const char *request_id;          /* sent as X-Request-Id */
    const char *traceparent;         /* NULL: none */
    struct grc_trace *trace;         /* where attempts are recorded, below it; NULL: nowhere */
    const char *path_template;       /* constant, for the recording; NULL: not known */
    gr_str tracestate;               /* only together with it */
    gr_str partition;                /* answers are shared only among calls of one partition */
    bool alone;                      /* shares with no other call */
    struct grc_cache_settings cache; /* how long the answer may be kept */
    const char *group;               /* plugin name, for caps and metrics */
    bool (*gone)(void *arg);         /* true: the client left; give up. May be NULL */
    void *gone_arg;
    /* the answer; its memory is in the arena */
    struct grc_arena *arena;
    enum gr_err err;
    int status;
    gr_str answer;
    gr_str answer_type;
    gr_str retry_after;             /* of the answer, or with GR_ERR_UPSTREAM_BUSY the gateway's */
    struct gr_pair *answer_headers; /* the allow-listed ones except Content-Type, as received */
    size_t answer_header_count;
    unsigned attempts; /* requests sent, with retries and one after a refused token */
    enum grc_answer_source source;
    struct grc_freshness freshness; /* told apart only where cache.ttl_ms is set */
    enum grc_cache_state cache_state;
    bool cache_stored; /* the answer is kept for others */
    bool cache_shared; /* it came from the cache that gateways share */
    int64_t age_s;     /* of an answer from the cache */
    int64_t fresh_s;   /* of an answer from the cache: time left; below 0: the time since its end */
    int64_t took_us;
};

/* settings is borrowed as long as the upstreams live. Returns NULL with a malloc'ed reason. */
struct grc_upstreams *grc_upstreams_new(const struct grc_settings *settings, char **ret_reason);
/* Adds an upstream of a plugin, before the first run. Steals the settings, also on failure. Returns
 * false with a malloc'ed reason (the name exists …). */
bool grc_upstreams_define(struct grc_upstreams *all, struct grc_upstream_settings *stolen,
                          char **ret_reason);
bool grc_upstreams_has(const struct grc_upstreams *all, const char *name);
/* Notes that some route keeps answers of this upstream. */
void grc_upstreams_keep(struct grc_upstreams *all, const char *name);
/* Prepares the sharing of answers with other gateways, when the settings want it and answers are
 * kept. Returns false with a reason (malloc'ed; NULL without memory). */
bool grc_upstreams_share(struct grc_upstreams *all, char **ret_reason);
/* Begins the sharing; until then this gateway keeps answers alone. Returns false when there is no
 * thread for it. */
bool grc_upstreams_share_start(struct grc_upstreams *all);
/* The shared cache; NULL: there is none. */
struct grc_remote;
struct grc_remote *grc_upstreams_shared(const struct grc_upstreams *all);
/* Runs exchanges at the same time. The err of each tells its outcome. */
void grc_upstreams_run(struct grc_upstreams *all, struct grc_exchange *exchanges, size_t count);
/* A write to the target has ended in the process of a group: what is kept of its path and of those
 * above it is dropped, as after a write of grc_upstreams_run(). An unknown name is fine. */
void grc_upstreams_wrote(struct grc_upstreams *all, const char *name, gr_str target);
/* Returns when all gateways know the writes that have ended so far, or cannot be told. May park. */
void grc_upstreams_settle(struct grc_upstreams *all);
/* For the process of a group: tell is called after each write. Call it before the first run. */
typedef void grc_upstreams_wrote_fn(const char *name, gr_str target);
void grc_upstreams_divert_writes(grc_upstreams_wrote_fn *tell);
/* Signs a token with the upstream's credential, see gr_credential_sign(). The text is in the arena.
 */
enum gr_err grc_upstreams_sign(struct grc_upstreams *all, const char *upstream,
                               struct grc_arena *arena, const json_t *claims, int64_t lifetime_s,
                               char **ret_token);
/* Makes a short call without a credential to each upstream that failed the last time, at most once
 * a second, to find out whether it is back. For readiness checks: without clients no other call
 * would find that out. */
void grc_upstreams_probe(struct grc_upstreams *all, struct grc_arena *arena);
/* Calls report(arg, name, state, detail) for each upstream, for readyz. The state is "ok",
 * "unused", "failing" (the last call failed), "open" or "half_open" (of the breaker). */
typedef void grc_upstream_state_fn(void *arg, const char *name, const char *state,
                                   const char *detail);
void grc_upstreams_states(struct grc_upstreams *all, grc_upstream_state_fn *report, void *arg);
/* Writes gauges: breakers, calls in flight, the cache. */
struct grc_buf;
void grc_upstreams_metrics(struct grc_upstreams *all, struct grc_buf *out);
void grc_upstreams_free(struct grc_upstreams *all);
/* libcurl is loaded when an upstream is first called. Returns false with a reason when it is
 * missing or no library for this processor; that costs some microseconds, unless it is missing
 * where such libraries usually are. */
bool grc_upstreams_check_library(char reason[GRC_LIBRARY_REASON]);
/* Loads it now. Returns false with a reason. */
bool grc_upstreams_load_library(char reason[GRC_LIBRARY_REASON]);
/* The versions of libcurl and of the libraries that it uses, as text; NULL: it is not loaded. */
const char *grc_upstreams_library(void);
