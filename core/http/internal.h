/*
 * Between the files of core/http only.
 *
 * Every client connection is a struct grc_conn, a slot of a table that is made once. It has one
 * owner at a time: while it waits for bytes that is the loop (it is parked), else the worker, or
 * the call, that took up its event. Only the owner touches it. A request that is being served is a
 * struct grc_transaction; the connection has one from a whole head on until its answer has left.
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

/* How far a stop has come; see http.h. */
enum grc_http_stage {
    GRC_HTTP_SERVING = 0,
    GRC_HTTP_LEAVING,
    GRC_HTTP_DRAINING,
    GRC_HTTP_GIVING_UP, /* what is still being served is cancelled */
};

/* What a connection is at; see conn.c. */
enum grc_conn_phase {
    GRC_CONN_FREE = 0,
    GRC_CONN_HEAD,   /* between requests, or in the middle of a handshake or a head */
    GRC_CONN_CALL,   /* a request is being served */
    GRC_CONN_LINGER, /* the last answer has left; what still comes is thrown away */
};

struct grc_listener {
    unsigned port;
    bool tls;
    bool proxy_protocol;
};

/* A request with its answer. Reused, so that its buffers are. */
struct grc_transaction {
    struct grc_buf head; /* the bytes that request's slices point into */
    size_t head_at;      /* where the head begins in it */
    struct grc_request request;
    struct grc_reply reply;
    struct grc_buf out;
    struct grc_date date;
    bool body_done; /* read to its end */
    struct grc_transaction *next;
};

struct grc_conn {
    pthread_mutex_t lock; /* of what follows, up to timer */
    bool parked;
    bool watched;  /* its call is told when the client leaves */
    unsigned owed; /* so often that will be told although it is not watched any more */
    struct grc_fiber_ref caller; /* that call */
    int64_t deadline_ms;         /* of what it is parked for */
    int64_t timer_ms;            /* when the timer goes off; it may be set again then */
    struct grc_timer timer;

    struct grc_http *http;
    struct grc_watch *watch;
    struct grc_transaction *transaction;
    SSL *ssl; /* NULL: plain */
    int fd;   /* written with the lock held; -1: none */
    uint8_t phase;
    uint8_t listener;
    bool ended;     /* the client has sent all that it will */
    bool blank;     /* the empty line that may stand in front of a head was taken */
    bool kept;      /* it had a request before */
    bool late;      /* made after the drain had begun */
    bool over;      /* one more than there may be: its request is refused */
    bool proxied;   /* the header of its proxy is still to come, before anything else */
    bool receiving; /* counted in http->receiving */
    char *in;       /* bytes that came and belong to no head yet; NULL: none */
    size_t in_len;
    size_t in_cap;
    size_t scanned;     /* of them, looked at for the end of a head */
    int64_t since_ms;   /* when it was opened, when its last answer left, or its linger began */
    int64_t ready_us;   /* when a worker was asked for; 0: none was */
    int64_t begun_ms;   /* when the first byte of a head came; 0: none has */
    size_t thrown_away; /* while it lingers */
    char peer[64];
    char client[64];       /* whom a proxy connects for, by its header; "": none was named */
    struct grc_conn *next; /* free, or ready for a worker */
};

/* Connections whose heads are whole, in the order they came. */
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
    unsigned spare;        /* workers kept free: above the rest, requests are shed */
    unsigned requests_max; /* in progress: above that, requests are shed */
    int64_t waiting_bytes_max;
    struct grc_listener listeners[GRC_LISTEN_MAX];
    size_t listener_count;
    struct grc_door *door; /* door.c */
    struct grc_civetweb *civetweb;

    pthread_mutex_t lock; /* of the lists that follow */
    struct grc_conn *conns;
    size_t conns_max;         /* slots */
    unsigned connections_max; /* above that, connections are over */
    size_t conns_used;        /* of the table, so far */
    struct grc_conn *free_conns;
    struct grc_transaction *free_transactions;
    struct grc_ready ready;
    atomic_uint ready_count;

    atomic_uint open;              /* connections */
    atomic_uint unfinished;        /* of them, those that grc_http_unfinished() counts */
    atomic_uint receiving;         /* of them, in a handshake, or in the middle of a head */
    atomic_uint closing;           /* of them, lingering after the last answer */
    atomic_uint active;            /* requests between begin and end */
    atomic_uint running;           /* of them, those that a worker is at */
    _Atomic int64_t waiting_bytes; /* of bodies whose rest has not come yet */
    _Atomic int stage;             /* enum grc_http_stage */
    atomic_bool stopping;
};

/* Relaxed: enough to see how busy it is. */
static inline unsigned grc_http_load(atomic_uint *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

/* --- conn.c: the table, what a connection waits for, and for how long --- */

/* The table of so many slots. false: no memory. */
bool grc_conns_new(struct grc_http *http, size_t max);
/* Closes what is open; nothing runs any more. */
void grc_conns_free(struct grc_http *http);
/* Takes over a connected socket, which does not block, and begins to wait for its first request.
 * false: there is no slot for it, and the descriptor stays the caller's. */
bool grc_conn_open(struct grc_http *http, size_t listener, int fd, const char *peer, bool late);
/* Whether there is a slot for one more. */
bool grc_conns_room(struct grc_http *http);
/* The owner ends it at once. */
void grc_conn_close(struct grc_conn *conn);
/* The owner looks what there is to do next: takes what came, and begins a request, waits for more,
 * or ends it. Afterwards it is the owner no longer. */
void grc_conn_go_on(struct grc_conn *conn);
/* The owner ends it, once the client has had time to take the last answer. */
void grc_conn_linger(struct grc_conn *conn);
enum grc_came {
    GRC_CAME_SOME,
    GRC_CAME_NONE,    /* nothing is there now */
    GRC_CAME_END,     /* the client has sent all that it will */
    GRC_CAME_TROUBLE, /* the connection broke, or there is no room */
};

/* From now on, the caller's fiber is cancelled when the client leaves. Not while something else is
 * waited for at the connection. */
void grc_conn_watch_client(struct grc_conn *conn);
void grc_conn_unwatch_client(struct grc_conn *conn);
/* The owner reads more into conn->in. */
enum grc_came grc_conn_fill(struct grc_conn *conn);
/* The first count bytes of conn->in are not needed any more. */
void grc_conn_used(struct grc_conn *conn, size_t count);
/* Ends what the calls of all connections wait for. */
void grc_conns_cancel(struct grc_http *http);
/* Breaks the connections whose request is being served, so that those end whose clients do not read
 * their answers. */
void grc_conns_break(struct grc_http *http);
/* Ends those that idle; after the stage was set. */
void grc_conns_drain(struct grc_http *http);

/* --- stream.c: bytes from and to a client, plain or through TLS --- */

/* Not errno, which belongs to a thread, while a fiber that calls these may change its thread. */
#define GRC_STREAM_AGAIN ((ssize_t)-1)  /* nothing is there now, or there is no room */
#define GRC_STREAM_BROKEN ((ssize_t)-2) /* the connection has failed */

/* Bytes read, 0 at the client's end, or one of the above. */
ssize_t grc_stream_read(struct grc_conn *conn, char *into, size_t size);
/* Bytes taken, or one of the above. */
ssize_t grc_stream_write(struct grc_conn *conn, const char *bytes, size_t count);
/* Tells the client that nothing more will be sent. */
void grc_stream_end(struct grc_conn *conn);
/* Tells a client that spoke HTTP on an HTTPS port so, in HTTP; the connection is plain from then
 * on.
 */
void grc_stream_answer_plainly(struct grc_conn *conn);
/* NULL: the handshake is done or still goes on; else why it failed, and whether the client spoke
 * HTTP instead. */
const char *grc_stream_trouble(struct grc_conn *conn, bool *ret_spoke_http);

/* --- transaction.c: one request, from its head to the end of its answer --- */

/* Gives the connection a transaction whose head is the first len bytes that came. err with reason:
 * the head is refused; else it is judged. false: no memory. */
bool grc_transaction_begin(struct grc_conn *conn, size_t len, enum gr_err err, const char *reason);
/* Serves the request and answers it. The caller must be the connection's owner, and is no longer
 * afterwards. */
void grc_transaction_run(struct grc_conn *conn);
/* What CivetWeb is given to parse. */
gr_str grc_transaction_head(const struct grc_transaction *transaction);
void grc_transactions_free(struct grc_http *http);

/* --- ready.c: connections that a worker goes on with, in the order they came --- */

/*
 * Hands over a connection: the next worker that is free gives its head to CivetWeb, or where it has
 * none yet, looks for one. The caller was its owner.
 */
void grc_ready_put(struct grc_conn *conn);
/* Tells whether the calling thread is a worker, which takes connections up again and again. */
void grc_ready_attach(bool worker);
/* NULL: none. */
struct grc_conn *grc_ready_take(struct grc_http *http);

/* --- door.c: who comes in --- */

/* What the listening sockets want to know. false: no descriptors. */
bool grc_door_new(struct grc_http *http);
void grc_door_free(struct grc_http *http);
/* Takes in clients at the listening sockets, in the order of http->listeners, until a worker wants
 * a seat and there is a socket for it. false: it is being stopped. */
bool grc_door_wait(struct grc_http *http, const struct pollfd *listeners, size_t count);
/* After true: that socket, connected to nothing, which becomes the caller's. */
int grc_door_take_socket(struct grc_http *http);
/* A worker has no seat. */
void grc_door_want_seat(struct grc_http *http);
/* A connection has ended: there may be room again. */
void grc_door_left(struct grc_http *http);
/* Waits until the clients that have connected so far are taken in; those who come afterwards are
 * late. */
void grc_door_drain(struct grc_http *http);
/* Takes in no client any more. */
void grc_door_shut(struct grc_http *http);
/* Ends the wait. */
void grc_door_stop(struct grc_http *http);

/* --- civetweb.c: listening sockets, workers, and the parser that heads go through --- */

/* false with what the library said, which lives as long as http. */
bool grc_civetweb_start(struct grc_http *http, const struct grc_listen *listen, size_t count,
                        const char **ret_trouble);
/* After grc_loop_stop() and grc_door_stop(): waits for the workers. */
void grc_civetweb_stop(struct grc_http *http);
