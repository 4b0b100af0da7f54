/* The bytes that a connection has received and that belong to no request yet. */
#include "http/internal.h"

#include "base/clock.h"

#include <stdlib.h>

/* Enough for most heads, and small enough for the C library to take it from the cache of the
 * thread. */
#define FIRST_BYTES ((size_t)1024)
/* How much is read and dropped after the last answer. */
#define LINGER_BYTES ((size_t)4 * 1024 * 1024)

void grc_conn_drop_input(struct grc_conn *conn)
{
    free(conn->in);
    conn->in = NULL;
    conn->in_len = 0;
    conn->in_cap = 0;
    conn->scanned = 0;
}

/* Makes room for more bytes, up to the size of the largest head. */
static bool reserve_input(struct grc_conn *conn)
{
    size_t max = conn->http->head_max + 2; /* 2: an empty line may come before the head */
    size_t cap = conn->in_cap ? conn->in_cap * 2 : FIRST_BYTES;

    if (conn->in_len < conn->in_cap)
        return true;
    cap = cap < max ? cap : max;
    if (cap <= conn->in_cap)
        return false;
    char *in = realloc(conn->in, cap);
    if (!in)
        return false;
    conn->in = in;
    conn->in_cap = cap;
    return true;
}

enum grc_came grc_conn_fill(struct grc_conn *conn)
{
    if (conn->ended)
        return GRC_CAME_END;
    if (!reserve_input(conn))
        return GRC_CAME_TROUBLE;
    size_t room = conn->in_cap - conn->in_len;
    ssize_t got = grc_stream_read(conn, conn->in + conn->in_len, room);
    if (got > 0) {
        conn->in_len += (size_t)got;
        return GRC_CAME_SOME;
    }
    if (got < 0)
        return got == GRC_STREAM_AGAIN ? GRC_CAME_NONE : GRC_CAME_TROUBLE;
    conn->ended = true;
    return GRC_CAME_END;
}

void grc_conn_used(struct grc_conn *conn, size_t count)
{
    conn->in_len -= count;
    if (conn->in_len > 0)
        memmove(conn->in, conn->in + count, conn->in_len);
    conn->scanned = 0;
}

bool grc_conn_throw_away(struct grc_conn *conn)
{
    char waste[4096];
    ssize_t got;

    do {
        got = grc_stream_read(conn, waste, sizeof(waste));
        if (got > 0)
            conn->thrown_away += (size_t)got;
    } while (got > 0 && conn->thrown_away <= LINGER_BYTES);
    return got == GRC_STREAM_AGAIN;
}
