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
#include "upstream/answer_head.h"
#include "upstream/breaker.h"
#include "upstream/cache.h"
#include "upstream/driver.h"
#include "upstream/gone.h"
#include "upstream/idle.h"
#include "upstream/retry.h"
#include "upstream/singleflight.h"
#include "upstream/token_source.h"

#include <curl/curl.h>
#include <pthread.h>
#include <stdatomic.h>

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
    struct grc_idle idle; /* first, so that it is the handle's own address */
    CURL *easy;
    struct grc_driver driver; /* holds the connection; begun when the handle first runs alone */
    CURLU *url;
    struct grc_upstream *upstream;
    struct grc_buf answer; /* the body as it comes */
    struct grc_buf lines;  /* of the request: target, then header lines, each with a NUL */
    struct curl_slist nodes[GRC_LINES_MAX];
    struct grc_sockets sockets; /* of a single handle */
    char error[CURL_ERROR_SIZE];
    /* the attempt in progress */
    const struct grc_exchange *exchange;
    struct grc_answer_head *head;
    struct grc_gone gone_look;
    unsigned sends; /* how often libcurl began to send */
    size_t header_bytes;
    bool body_begun;
    bool received;
    bool replay_refused;
    bool gone;
    bool too_large;
};

struct grc_upstream {
    const struct grc_upstream_settings *settings;
    struct grc_upstream_settings *own;     /* freed with it; NULL: of the config */
    struct grc_token_source *token_source; /* NULL: no credential */
    CURLSH *share;
    CURLU *url;      /* scheme, host and port */
    char *authority; /* of the URL, without a port that is the scheme's own */
    char *prefix;    /* path of the URL, without a slash at its end */
    bool tls;
    struct grc_idle_list connections; /* of our own HTTP/1.1 */
    struct grc_idle_list single;      /* handles with a connection of their own */
    struct grc_idle_list grouped;     /* handles whose connections live in a grc_multi */
    struct grc_breaker breaker;
    struct grc_retry_budget budget;
    struct grc_upstream_metrics *metrics; /* may be NULL */
    int64_t requests_max;                 /* 0: any number */
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
    int status;         /* 0 unless err is GR_OK */
    bool sent;          /* the request may have reached the upstream, in part or whole */
    bool received;      /* something of an answer came */
    bool lasting;       /* trying again cannot help */
    unsigned sends;     /* how often the request began to go out */
    const char *detail; /* for the log: why it failed; NULL: err says it all */
};

/* Why an answer is of no use, in the words of both transports. */
#define GRC_DETAIL_ENCODED "the answer has a Content-Encoding that was not asked for"
#define GRC_DETAIL_TOO_LARGE "the answer is over its limit"

/* handles.c */
void grc_handles_free(struct grc_idle_list *pool);
/* The handle that rested shortest, or a new one. NULL without memory. */
struct grc_handle *grc_handles_take(struct grc_upstream *upstream, struct grc_idle_list *pool);
/* Takes it back; frees one that rested for longer than idle_ms. */
void grc_handles_give(struct grc_idle_list *pool, struct grc_handle *handle, int64_t idle_ms);
struct grc_multi *grc_multi_take(struct grc_upstreams *all);
void grc_multi_give(struct grc_upstreams *all, struct grc_multi *multi);
void grc_multi_free(struct grc_multi *multi);

/* sockets.c */
/* Has libcurl open and close the handle's sockets through us, noted in sockets unless that is NULL;
 * programs that the process starts do not inherit them. */
CURLcode grc_sockets_attach(CURL *easy, struct grc_sockets *sockets);
/* true: there is something to read on one of them, be it the end. */
bool grc_sockets_stirred(const struct grc_sockets *sockets);

/* handle.c */
/* How long a connection lives, however much it is used: names come to stand for other addresses. */
#define GRC_CONNECTION_LIFETIME_S 600L
/* Sets whom to connect to and how: every option that has nothing to do with what is said. */
CURLcode grc_easy_set_peer(CURL *easy, CURLU *url, const struct grc_upstream *upstream);
/* What a failure to connect means. *ret_lasting is set where trying again cannot help. */
enum gr_err grc_connect_error(CURLcode code, bool *ret_lasting);
/* A handle with every option that never changes. */
struct grc_handle *grc_handle_new(struct grc_upstream *upstream);
/*
 * Makes the handle fit for another answer; its connection stays. libcurl before 8.1.1 (its issue
 * 11101) reads and frees the last header of the answer before when the first one of the next is
 * folded, so there it gets a new easy handle. False without memory: only grc_handle_free() is left.
 */
bool grc_handle_renew(struct grc_handle *handle);
void grc_handle_free(struct grc_handle *handle);

/* exchange.c */
/* Makes the handle ready to perform. The head of the answer goes to *head. token: NULL, or kept
 * alive by the caller until it is done. */
enum gr_err grc_handle_prepare(struct grc_handle *handle, const struct grc_exchange *exchange,
                               struct grc_answer_head *head, const struct grc_token *token,
                               int64_t timeout_ms);
/* Reads what came of it; an answer is copied into the exchange's arena. */
struct grc_outcome grc_handle_outcome(struct grc_handle *handle, struct grc_exchange *exchange,
                                      CURLcode code);

/* transfer.c */
/* True when sending it twice does no more than sending it once: a GET, or declared idempotent. */
bool grc_exchange_is_safe(const struct grc_exchange *exchange);
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
