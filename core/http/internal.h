/*
 * Private to core/http.
 *
 * Every client connection is a struct grc_conn, a slot of a table that is allocated once. It has
 * one owner at a time, and only the owner touches it: the loop while it is parked, that is, waits
 * for bytes, and otherwise the worker or the fiber that handles its event. A request that is being
 * served is a struct grc_transaction, which the connection has from a complete head until its
 * answer was sent.
 */
#pragma once

#include "http/framing.h"
#include "http/http.h"
#include "http/response.h"
#include "http/tls.h"
#include "loop/fiber.h"
#include "loop/loop.h"

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>

/* The steps of a stop; see http.h. */
enum grc_http_stage {
    GRC_HTTP_SERVING = 0,
    GRC_HTTP_LEAVING,
    GRC_HTTP_DRAINING,
    GRC_HTTP_GIVING_UP, /* requests that are still being served are cancelled */
};

/* The state of a connection; see conn.c. */
enum grc_conn_phase {
    GRC_CONN_FREE = 0,
    GRC_CONN_HEAD,   /* idle, or in a handshake or a head */
    GRC_CONN_CALL,   /* a request is being served */
    GRC_CONN_LINGER, /* the last answer was sent; further bytes are dropped */
};

struct grc_listener {
    unsigned port;
    bool tls;
    bool proxy_protocol;
};

/* A request with its answer. It is reused, with its buffers. */
struct grc_transaction {
    struct grc_buf head; /* the bytes that request's slices point into */
    size_t head_at;      /* offset of the head in it */
    struct grc_request request;
    struct grc_reply reply;
    struct grc_buf out;
    struct grc_date date;
    bool body_done; /* the body was read to its end */
    struct grc_transaction *next;
};

struct grc_conn {
    pthread_mutex_t lock; /* protects the fields up to timer */
    bool parked;
    bool watched;                /* its call is cancelled when the client leaves */
    unsigned owed;               /* number of hang-up events still to come that must be ignored */
    struct grc_fiber_ref caller; /* the fiber of that call */
    int64_t deadline_ms;         /* of the wait it is parked for */
    int64_t timer_ms;            /* when the timer fires; it may then be set again */
    struct grc_timer timer;

    struct grc_http *http;
    struct grc_watch *watch;
    struct grc_transaction *transaction;
    SSL *ssl; /* NULL: no TLS */
    int fd;   /* written with the lock held; -1: none */
    uint8_t phase;
    uint8_t listener;
    bool ended;       /* the client has sent all that it will */
    bool half_closed; /* it had done so when its request began */
    bool drained;     /* the last read took all that had come */
    bool blank;       /* the empty line that may stand in front of a head was taken */
    bool kept;        /* it had a request before */
    bool late;        /* made after the drain had begun */
    bool over;        /* above connections_max: its request is refused */
    bool proxied;     /* the header of its proxy is still to come, before anything else */
    bool receiving;   /* counted in http->receiving */
    char *in;         /* bytes that came and belong to no head yet; NULL: none */
    size_t in_len;
    size_t in_cap;
    size_t scanned;     /* of them, looked at for the end of a head */
    int64_t since_ms;   /* when it was opened, when its last answer left, or its linger began */
    int64_t ready_us;   /* when a worker was asked for; 0: none was */
    int64_t begun_ms;   /* when the first byte of a head came; 0: none has */
    size_t thrown_away; /* while it lingers */
    char peer[GRC_PEER_SIZE];
    char client[64];       /* the client that the header of a proxy names; "": none */
    struct grc_conn *next; /* free, or ready for a worker */
};

/* Queue of connections with complete heads. */
struct grc_ready {
    struct grc_conn *first;
    struct grc_conn *last;
};

struct grc_http {
    struct grc_loop *loop;
    struct grc_tls *tls; /* NULL: no HTTPS listener */
    struct grc_http_handler handler;
    struct grc_framing_limits limits;
    size_t head_max;
    int64_t header_timeout_ms;
    int64_t keep_alive_timeout_ms;
    bool admin;
    bool batch; /* the workers run under SCHED_BATCH */
    unsigned workers;
    unsigned spare;        /* workers that are kept free by shedding requests */
    unsigned requests_max; /* requests in progress above which further ones are shed */
    int64_t waiting_bytes_max;
    struct grc_listener listeners[GRC_LISTEN_MAX];
    size_t listener_count;
    struct grc_door *door; /* door.c */
    struct grc_civetweb *civetweb;

    pthread_mutex_t lock; /* protects the table and the lists that follow */
    struct grc_conn *conns;
    size_t conns_max;         /* slots */
    unsigned connections_max; /* above that, connections are over */
    size_t conns_used;        /* of the table, so far */
    struct grc_conn *free_conns;
    struct grc_transaction *free_transactions;
    unsigned free_transaction_count;
    struct grc_ready ready;
    atomic_uint ready_count;

    atomic_uint open;              /* connections */
    atomic_uint unfinished;        /* of them, those that grc_http_unfinished() counts */
    atomic_uint receiving;         /* of them, in a handshake, or in the middle of a head */
    atomic_uint closing;           /* of them, lingering after the last answer */
    atomic_uint active;            /* requests between begin and end */
    atomic_uint running;           /* active requests that a worker runs */
    _Atomic int64_t waiting_bytes; /* memory of bodies that are still incomplete */
    _Atomic int stage;             /* enum grc_http_stage */
    atomic_bool stopping;
};

/* Relaxed, which is enough to estimate the load. */
static inline unsigned grc_http_load(atomic_uint *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

/* --- conns.c: the table of connections --- */

/* Allocates the table. false without memory. */
bool grc_conns_new(struct grc_http *http, size_t max);
/* Closes the open connections. No other thread may run any more. */
void grc_conns_free(struct grc_http *http);
/* Takes a free slot; NULL when there is none. */
struct grc_conn *grc_conns_take(struct grc_http *http);
void grc_conns_give(struct grc_http *http, struct grc_conn *conn);
/* Whether there is a slot for one more. */
bool grc_conns_room(struct grc_http *http);
/* Cancels the calls of all connections. */
void grc_conns_cancel(struct grc_http *http);
/* Shuts down all connections, so that requests end whose clients do not read their answers. */
void grc_conns_break(struct grc_http *http);
/* Closes idle connections. Call it after the stage was set. */
void grc_conns_drain(struct grc_http *http);

/* --- conn.c: one connection and its waits --- */

/* Takes a connected, non-blocking socket, and begins to wait for its first request. Returns false
 * if there is no room: the descriptor then stays the caller's. */
bool grc_conn_open(struct grc_http *http, size_t listener, int fd, const char *peer, bool late);
/* The owner ends it at once. */
void grc_conn_close(struct grc_conn *conn);
/* The owner continues with it: reads, then begins a request, parks or closes it. The caller is no
 * longer the owner afterwards. */
void grc_conn_go_on(struct grc_conn *conn);
/* The owner closes it, after the client has had time to read the last answer. */
void grc_conn_linger(struct grc_conn *conn);
/* Takes a parked connection from the loop, with its lock held. Returns false if it is not parked.
 */
bool grc_conn_unpark(struct grc_conn *conn);

/* Tells the handler of a connection that is closed without a request. */
void grc_conn_refuse(const struct grc_conn *conn, int status, const char *reason);

/* --- conn_input.c: bytes that were received --- */

enum grc_came {
    GRC_CAME_SOME,
    GRC_CAME_NONE,    /* there are no bytes now */
    GRC_CAME_END,     /* the client has ended its sending */
    GRC_CAME_TROUBLE, /* the connection broke, or there is no room */
};

/* The owner reads more bytes into conn->in. */
enum grc_came grc_conn_fill(struct grc_conn *conn);
/* Removes the first count bytes of conn->in. */
void grc_conn_used(struct grc_conn *conn, size_t count);
/* Reads and drops received bytes. Returns true if more may come. */
bool grc_conn_throw_away(struct grc_conn *conn);
/* Frees the buffer of conn->in. */
void grc_conn_drop_input(struct grc_conn *conn);

/* --- conn_proxy.c: the header of the PROXY protocol --- */

enum grc_came grc_conn_take_proxy_header(struct grc_conn *conn);

/* --- conn_client.c: clients that leave --- */

/* From now on the calling fiber is cancelled when the client leaves. Must be off while the fiber
 * waits for the connection itself. */
void grc_conn_watch_client(struct grc_conn *conn);
void grc_conn_unwatch_client(struct grc_conn *conn);

/* --- stream.c: bytes from and to a client, with or without TLS --- */

/* errno is not used for these, since it belongs to a thread and a fiber may change its thread. */
#define GRC_STREAM_AGAIN ((ssize_t)-1)  /* the call would block */
#define GRC_STREAM_BROKEN ((ssize_t)-2) /* the connection has failed */

/* Returns the number of bytes read, 0 if the client has ended its sending, or one of the above. */
ssize_t grc_stream_read(struct grc_conn *conn, char *into, size_t size);
/* Returns the number of bytes written, or one of the above. */
ssize_t grc_stream_write(struct grc_conn *conn, const char *bytes, size_t count);
/* Tells the client that nothing more will be sent. */
void grc_stream_end(struct grc_conn *conn);
/* Answers a client that sent HTTP to an HTTPS port, in HTTP; the connection has no TLS from then
 * on. */
void grc_stream_answer_plainly(struct grc_conn *conn);
/* Returns why the TLS handshake has failed, and whether the client sent HTTP instead; NULL if it
 * has not failed. */
const char *grc_stream_trouble(struct grc_conn *conn, bool *ret_spoke_http);

/* --- transaction.c: one request, from its head to the end of its answer --- */

/* Gives the connection a transaction with the first len received bytes as its head. With an err the
 * head is refused for that reason, else it is checked. false without memory. */
bool grc_transaction_begin(struct grc_conn *conn, size_t len, enum gr_err err, const char *reason);
/* Serves the request and answers it. The caller must be the connection's owner, and is not
 * afterwards. */
void grc_transaction_run(struct grc_conn *conn);
/* The head that CivetWeb gets. */
gr_str grc_transaction_head(const struct grc_transaction *transaction);
/* Gives back the transaction of a connection, if it has one. */
void grc_transaction_drop(struct grc_conn *conn);
void grc_transactions_free(struct grc_http *http);

/* --- ready.c: the queue of connections for workers --- */

/*
 * Gives a connection of the caller to the next free worker, which passes its head to CivetWeb, or
 * calls grc_conn_go_on() if it has none yet.
 */
void grc_ready_put(struct grc_conn *conn);
/* Sets whether the calling thread is a worker, which takes connections from the queue. */
void grc_ready_attach(bool worker);
/* NULL if there is none. */
struct grc_conn *grc_ready_take(struct grc_http *http);

/* --- door.c: accepts clients --- */

/* false without memory or descriptors. */
bool grc_door_new(struct grc_http *http);
void grc_door_free(struct grc_http *http);
/* Accepts clients at the listening sockets, in the order of http->listeners, until a worker needs a
 * seat and there is a socket for it. Returns false when the listener stops. */
bool grc_door_wait(struct grc_http *http, const struct pollfd *listeners, size_t count);
/* After true: returns that socket, which is not connected. The caller owns it. */
int grc_door_take_socket(struct grc_http *http);
/* Call it when a worker has lost the socket of its seat. */
void grc_door_want_seat(struct grc_http *http);
/* Call it when a connection has ended, since there may be room again. */
void grc_door_left(struct grc_http *http);
/* Waits until the clients that have connected so far are accepted; later clients are late. */
void grc_door_drain(struct grc_http *http);
/* Stops accepting clients. */
void grc_door_shut(struct grc_http *http);
/* Wakes grc_door_wait(), so that it sees the stop. */
void grc_door_stop(struct grc_http *http);

/* --- civetweb.c: the adapter of the library --- */

/* On failure returns false with a reason, which lives as long as http. */
bool grc_civetweb_start(struct grc_http *http, const struct grc_listen *listen, size_t count,
                        const char **ret_trouble);
/* Waits for the workers. Call it after grc_loop_stop() and grc_door_stop(). */
void grc_civetweb_stop(struct grc_http *http);
