/*
 * Inside core/upstream only: what its parts share. The only header that includes libcurl's.
 *
 * serve.c decides whether a call is made at all or answered by the cache or by another call in
 * transfer. One exchange with libcurl goes through a handle of the upstream's pool: exchange.c sets
 * it up and reads the outcome, transfer.c decides what happens next, run.c drives one or several,
 * handles.c keeps handles and their connections.
 */
#pragma once

#include "base/buf.h"
#include "metrics/metrics.h"
#include "upstream/breaker.h"
#include "upstream/cache.h"
#include "upstream/retry.h"
#include "upstream/singleflight.h"
#include "upstream/token_source.h"

#include <curl/curl.h>
#include <pthread.h>
#include <stdatomic.h>

/* How often a call looks whether the client that waits for it has left. */
#define GRC_GONE_STEP_MS 100

/* Headers of one request, all told. */
#define GRC_LINES_MAX 40u

struct grc_upstream;

/*
 * The sockets behind kept connections. libcurl 7.88 takes up a kept connection on which unasked
 * bytes have arrived, and reads them as the answer to the next request; so a connection on which
 * anything can be read is never taken up here.
 */
#define GRC_SOCKETS_MAX 32u
struct grc_sockets {
    int fds[GRC_SOCKETS_MAX];
    size_t count;
    bool overflown; /* more than can be watched: nothing is kept */
};

/* One easy handle with everything it can reuse. Used by one thread at a time. */
struct grc_handle {
    CURL *easy;
    CURLM *multi; /* with its connection; NULL before the first grc_handle_perform() */
    CURLU *url;
    struct grc_upstream *upstream;
    struct grc_handle *older; /* in the pool */
    struct grc_handle *newer;
    int64_t idle_since_ms;
    struct grc_buf answer; /* the body as it comes */
    struct grc_buf heads;  /* headers worth keeping, "name\0value\0" */
    struct grc_buf lines;  /* of the request: target, then header lines, each with a NUL */
    struct curl_slist nodes[GRC_LINES_MAX];
    struct grc_sockets sockets; /* of a single handle */
    char error[CURL_ERROR_SIZE];
    /* the attempt in progress */
    const struct grc_exchange *exchange;
    int64_t gone_next_ms; /* when to look again whether the client left */
    unsigned sends;       /* how often libcurl began to send */
    size_t head_count;
    size_t header_bytes;
    bool body_begun;
    bool received;
    bool replay_refused;
    bool gone;
    bool too_large;
    bool encoded; /* an encoding nobody asked for */
    struct grc_freshness freshness;
};

/* Handles at rest, last in first out: few connections, and warm ones. */
struct grc_handles {
    pthread_mutex_t lock;
    struct grc_handle *newest;
    struct grc_handle *oldest;
};

struct grc_upstream {
    const struct grc_upstream_settings *settings;
    struct grc_upstream_settings *own;     /* freed with it; NULL: of the config */
    struct grc_token_source *token_source; /* NULL: no credential */
    CURLSH *share;
    CURLU *url;                 /* scheme, host and port */
    char *prefix;               /* path of the URL, without a slash at its end */
    struct grc_handles single;  /* handles with a connection of their own */
    struct grc_handles grouped; /* handles whose connections live in a multi's multi */
    struct grc_breaker breaker;
    struct grc_retry_budget budget;
    struct grc_upstream_metrics *metrics; /* may be NULL */
    int64_t workers_max;                  /* 0: any number */
    _Atomic int64_t waiting;              /* workers that wait for it */
    _Atomic int64_t in_flight;            /* calls */
    _Atomic uint64_t writes;              /* calls that may have changed something, ended so far */
    _Atomic int64_t probed_ms;
    _Atomic uint64_t calls;
    _Atomic uint64_t failures;
    _Atomic uint64_t retries;
    _Atomic int last_err; /* enum gr_err of the last attempt */
    _Atomic int64_t warned_ms;
};

/* Several exchanges side by side: one multi with its connections. */
struct grc_multi {
    CURLM *multi;
    struct grc_sockets sockets;
    struct grc_multi *next;
};

struct grc_upstreams {
    const struct grc_settings *settings;
    struct grc_token_source **token_sources;
    size_t token_source_count;
    struct grc_upstream **list;
    size_t count;
    CURLSH *share; /* DNS */
    uint64_t seed; /* of hashes */
    struct grc_singleflights *shares;
    struct grc_cache *cache; /* NULL: none */
    pthread_mutex_t share_locks[CURL_LOCK_DATA_LAST];
    pthread_mutex_t multi_lock;
    struct grc_multi *multis;
    size_t multi_count;
};

/* What became of one attempt. */
struct grc_outcome {
    enum gr_err err;
    int status; /* 0 unless err is GR_OK */
    bool sent;
    bool received;
    bool lasting;
};

/* handles.c */
bool grc_handles_init(struct grc_handles *pool);
void grc_handles_done(struct grc_handles *pool);
/* The handle that rested shortest, or a new one. NULL without memory. */
struct grc_handle *grc_handles_take(struct grc_upstream *upstream, struct grc_handles *pool);
/* Takes it back; frees those that rested for longer than idle_ms. */
void grc_handles_give(struct grc_handles *pool, struct grc_handle *handle, int64_t idle_ms);
struct grc_multi *grc_multi_take(struct grc_upstreams *all);
void grc_multi_give(struct grc_upstreams *all, struct grc_multi *multi);
void grc_multi_free(struct grc_multi *multi);

/* sockets.c */
/* Has libcurl open and close the handle's sockets through us, noted in sockets. */
CURLcode grc_sockets_attach(CURL *easy, struct grc_sockets *sockets);
/* true: there is something to read on one of them, be it the end. */
bool grc_sockets_stirred(const struct grc_sockets *sockets);

/* perform.c */
/* What curl_easy_perform() does, less the look at an event nobody waits for before each request. */
CURLcode grc_handle_perform(struct grc_handle *handle);

/* handle.c */
/* A handle with every option that never changes. */
struct grc_handle *grc_handle_new(struct grc_upstream *upstream);
void grc_handle_free(struct grc_handle *handle);

/* exchange.c */
/* Makes the handle ready to perform. token: NULL, or kept alive by the caller until it is done. */
enum gr_err grc_handle_prepare(struct grc_handle *handle, const struct grc_exchange *exchange,
                               const struct grc_token *token, int64_t timeout_ms);
/* Reads what came of it. */
struct grc_outcome grc_handle_outcome(struct grc_handle *handle, CURLcode code);
/* Copies the answer into the exchange's arena. */
enum gr_err grc_handle_answer(struct grc_handle *handle, struct grc_exchange *exchange);

/* The Retry-After of an answer that did arrive, in seconds; -1: none. */
int64_t grc_handle_retry_after_s(const struct grc_handle *handle);

/* transfer.c */
/* Forgets what an earlier run left in the exchange. */
void grc_exchange_reset(struct grc_exchange *exchange);
/* When it has to be over, by its own words and the upstream's. */
int64_t grc_exchange_deadline(const struct grc_exchange *exchange,
                              const struct grc_upstream *upstream, int64_t now_ms);
/* No call is made; Retry-After tells when one may be. */
void grc_exchange_refuse(struct grc_exchange *exchange, struct grc_upstream *upstream,
                         int64_t wait_ms);

/* run.c: calls that are really made */
void grc_run_single(struct grc_upstream *upstream, struct grc_exchange *exchange);
/* Exchanges of an unknown upstream fail. */
void grc_run_group(struct grc_upstreams *all, struct grc_exchange *exchanges, size_t count);

/* upstream.c */
struct grc_upstream *grc_upstream_find(const struct grc_upstreams *all, const char *name);
