/*
 * Shared by the files of core/upstream only.
 *
 * serve.c decides whether a call is made, or answered from a cache (kept.c) or by another call in
 * flight.
 * run.c runs one exchange or several, and transfer.c decides what follows after each attempt. An
 * attempt uses http1.c, or curl.c or http2.c with a handle of libcurl: exchange.c sets the handle
 * up and reads the outcome, handles.c keeps unused handles and their connections.
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
#include "upstream/libcurl.h"
#include "upstream/remote.h"
#include "upstream/retry.h"
#include "upstream/share.h"
#include "upstream/singleflight.h"
#include "upstream/token_source.h"
#include "upstream/url.h"

#include <pthread.h>
#include <stdatomic.h>

/* The most header lines of one request. */
#define GRC_LINES_MAX 40u

struct grc_http2;
struct grc_upstream;

/*
 * The sockets of kept connections. libcurl 7.88 reuses a kept connection on which unexpected bytes
 * have arrived, and reads them as the answer to the next request. So a connection that has
 * something to read is not reused.
 */
#define GRC_SOCKETS_MAX 32u
struct grc_sockets {
    int fds[GRC_SOCKETS_MAX];
    size_t count;
    bool overflown; /* there are more sockets than can be checked: none is reused */
};

/* An easy handle with everything that it can reuse. Used by one thread at a time. */
struct grc_handle {
    struct grc_idle idle; /* the first member, so that it can be cast back */
    CURL *easy;
    struct grc_driver driver; /* has the connection; begun when the handle first runs alone */
    struct grc_upstream *upstream;
    struct grc_buf answer; /* the body that is being received */
    struct grc_buf lines;  /* target and header lines of the request, each with a NUL */
    struct curl_slist nodes[GRC_LINES_MAX];
    struct grc_sockets sockets; /* unused while the handle is in a grc_multi */
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
    bool http2;          /* the request is only sent with HTTP/2 */
    bool stream_refused; /* libcurl repeats it, since the upstream has not processed it */
    bool http2_refused;  /* it was not sent, since the upstream did not agree to that */
    bool gone;
    bool too_large;
};

struct grc_upstream {
    const struct grc_upstream_settings *settings;
    struct grc_upstream_settings *own;     /* freed with the upstream; NULL: the config owns them */
    struct grc_token_source *token_source; /* NULL: no credential */
    struct grc_share *share;
    struct grc_upstream_url url;
    struct grc_idle_list connections; /* of the gateway's own HTTP/1.1 */
    struct grc_idle_list single;      /* handles that have their own connection */
    struct grc_idle_list grouped; /* handles for use in a grc_multi, which has the connections */
    struct grc_http2 *http2;      /* NULL: not used */
    struct grc_idle_list multiplexed; /* handles for http2, which has the connections */
    struct grc_breaker breaker;
    struct grc_retry_budget budget;
    struct grc_upstream_metrics *metrics; /* may be NULL */
    bool cached;                          /* its answers are kept, by some route */
    struct grc_remote_upstream remote;    /* with a shared cache */
    int64_t requests_max;                 /* 0: any number */
    _Atomic int64_t waiting;              /* requests that wait for it */
    _Atomic int64_t in_flight;            /* calls in flight */
    _Atomic uint64_t writes;              /* ended calls that may have changed something */
    _Atomic int64_t probed_ms;
    _Atomic uint64_t calls;
    _Atomic uint64_t failures;
    _Atomic uint64_t retries;
    _Atomic int last_err; /* enum gr_err of the last attempt */
    _Atomic int64_t warned_ms;
};

/* A multi handle with its connections, for several exchanges at the same time. */
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
    struct grc_share share;
    uint64_t seed; /* of hashes */
    struct grc_singleflights *shares;
    struct grc_cache *cache;   /* NULL: none */
    struct grc_remote *remote; /* NULL: answers are not shared with other gateways */
    pthread_mutex_t multi_lock;
    struct grc_multi *multis;
    size_t multi_count;
};

/* The outcome of an attempt. */
struct grc_outcome {
    enum gr_err err;
    int status;         /* 0 unless err is GR_OK */
    bool sent;          /* the request may have reached the upstream, in part or whole */
    bool received;      /* a part of an answer has come */
    bool lasting;       /* another attempt cannot help */
    unsigned sends;     /* how often sending the request began */
    const char *detail; /* why it failed, for the log; may be NULL */
};

/* Reasons for which both transports refuse an answer. */
#define GRC_DETAIL_ENCODED "the answer has a Content-Encoding that was not asked for"
#define GRC_DETAIL_TOO_LARGE "the answer is over its limit"

/* handles.c */
void grc_handles_free(struct grc_idle_list *pool);
/* Takes the handle that was used last, or makes one. NULL without memory. */
struct grc_handle *grc_handles_take(struct grc_upstream *upstream, struct grc_idle_list *pool);
/* Keeps a handle for the next call, and frees one that was unused for longer than idle_ms. */
void grc_handles_give(struct grc_idle_list *pool, struct grc_handle *handle, int64_t idle_ms);
struct grc_multi *grc_multi_take(struct grc_upstreams *all);
void grc_multi_give(struct grc_upstreams *all, struct grc_multi *multi);
void grc_multi_free(struct grc_multi *multi);

/* sockets.c */
/* Makes libcurl open and close the handle's sockets by callbacks, which note them in sockets
 * (unless NULL) and set FD_CLOEXEC. */
CURLcode grc_sockets_attach(CURL *easy, struct grc_sockets *sockets);
/* True when one of them has something to read, or has ended. */
bool grc_sockets_stirred(const struct grc_sockets *sockets);

/* handle.c */
/* The longest life of a connection, also of one in use, since names can change their addresses. */
#define GRC_CONNECTION_LIFETIME_S 600L
/* Sets the options of connections: the peer, the proxy and TLS. */
CURLcode grc_easy_set_peer(CURL *easy, const struct grc_upstream *upstream);
/* Returns the error for a failure to connect. Sets *ret_lasting when another attempt cannot help.
 */
enum gr_err grc_connect_error(CURLcode code, bool *ret_lasting);
/* Makes a handle, and sets the options that are the same for all requests. */
struct grc_handle *grc_handle_new(struct grc_upstream *upstream);
/*
 * Prepares the handle for another answer, and keeps its connection. libcurl before 8.1.1 (its issue
 * 11101) uses a freed header of the former answer when the first header of the next one is folded,
 * so with those versions the handle gets a new easy handle. Returns false without memory; the
 * handle can only be freed then.
 */
bool grc_handle_renew(struct grc_handle *handle);
/* Prepares the handle for multiplexing, after grc_handle_prepare(). A request is only sent when the
 * upstream agrees to HTTP/2; otherwise handle->http2_refused is set. */
CURLcode grc_handle_use_http2(struct grc_handle *handle);
void grc_handle_free(struct grc_handle *handle);

/* exchange.c */
/* Prepares the handle for an exchange. The head of the answer goes to *head. The caller keeps token
 * (may be NULL) alive until the exchange is done. */
enum gr_err grc_handle_prepare(struct grc_handle *handle, const struct grc_exchange *exchange,
                               struct grc_answer_head *head, const struct grc_token *token,
                               int64_t timeout_ms);
/* Returns the outcome, and copies an answer into the exchange's arena. */
struct grc_outcome grc_handle_outcome(struct grc_handle *handle, struct grc_exchange *exchange,
                                      CURLcode code);

/* transfer.c */
/* True when it is safe to repeat: a GET, or declared idempotent. */
bool grc_exchange_is_safe(const struct grc_exchange *exchange);
/* Clears the results of an earlier run. */
void grc_exchange_reset(struct grc_exchange *exchange);
/* Returns the deadline, from the settings of the exchange and of the upstream. */
int64_t grc_exchange_deadline(const struct grc_exchange *exchange,
                              const struct grc_upstream *upstream, int64_t now_ms);
/* Refuses the exchange without a call. Retry-After tells when a call may be made. */
void grc_exchange_refuse(struct grc_exchange *exchange, struct grc_upstream *upstream,
                         int64_t wait_ms);

/* run.c: makes the calls, without looking at the cache or at other calls */
void grc_run_single(struct grc_upstream *upstream, struct grc_exchange *exchange);
/* Exchanges with an unknown upstream fail. */
void grc_run_group(struct grc_upstreams *all, struct grc_exchange *exchanges, size_t count);

/* upstream.c */
struct grc_upstream *grc_upstream_find(const struct grc_upstreams *all, const char *name);
