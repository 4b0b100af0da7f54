#include "http/internal.h"

#include "base/log.h"

#include <errno.h>
#include <openssl/err.h>
#include <stdio.h>
#include <sys/socket.h>

#define SURELY_LESS 4096u

/* Translates the errno of a failed call without TLS. */
static ssize_t failed(void)
{
    return errno == EAGAIN || errno == EINTR ? GRC_STREAM_AGAIN : GRC_STREAM_BROKEN;
}

static ssize_t tls_failed(const SSL *ssl, int result)
{
    switch (SSL_get_error(ssl, result)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
        return GRC_STREAM_AGAIN;
    case SSL_ERROR_ZERO_RETURN:
        return 0;
    default:
        return GRC_STREAM_BROKEN;
    }
}

/*
 * OpenSSL reads ahead into a buffer of 16 KiB and more. When that was empty before and less came
 * than SURELY_LESS, no read can have filled it, so that the last one emptied the socket.
 */
static ssize_t tls_read(struct grc_conn *conn, char *into, size_t size)
{
    BIO *bio = SSL_get_rbio(conn->ssl);
    const bool was_empty = SSL_has_pending(conn->ssl) == 0;
    const uint64_t before = BIO_number_read(bio);
    size_t got = 0;

    ERR_clear_error();
    int result = SSL_read_ex(conn->ssl, into, size, &got);
    if (result != 1) {
        conn->drained = false;
        return tls_failed(conn->ssl, result);
    }
    const uint64_t came = BIO_number_read(bio) - before;
    conn->drained = was_empty && came > 0 && came < SURELY_LESS && SSL_has_pending(conn->ssl) == 0;
    return (ssize_t)got;
}

ssize_t grc_stream_read(struct grc_conn *conn, char *into, size_t size)
{
    if (conn->ssl)
        return tls_read(conn, into, size);
    ssize_t result = recv(conn->fd, into, size, MSG_DONTWAIT);

    conn->drained = result > 0 && (size_t)result < size;
    return result >= 0 ? result : failed();
}

ssize_t grc_stream_write(struct grc_conn *conn, const char *bytes, size_t count)
{
    size_t sent = 0;

    if (!conn->ssl) {
        ssize_t result = send(conn->fd, bytes, count, MSG_DONTWAIT | MSG_NOSIGNAL);

        return result >= 0 ? result : failed();
    }
    ERR_clear_error();
    int result = SSL_write_ex(conn->ssl, bytes, count, &sent);
    if (result == 1)
        return (ssize_t)sent;
    ssize_t code = tls_failed(conn->ssl, result);
    return code == 0 ? GRC_STREAM_BROKEN : code;
}

void grc_stream_end(struct grc_conn *conn)
{
    if (conn->ssl && SSL_is_init_finished(conn->ssl)) {
        ERR_clear_error();
        (void)SSL_shutdown(conn->ssl); /* close_notify is sent now or not at all */
        ERR_clear_error();
    }
    (void)shutdown(conn->fd, SHUT_WR); /* fails if the client has gone */
}

const char *grc_stream_trouble(struct grc_conn *conn, bool *ret_spoke_http)
{
    unsigned long error = ERR_peek_last_error();
    const char *reason;

    *ret_spoke_http = false;
    if (!conn->ssl || SSL_is_init_finished(conn->ssl) || error == 0)
        return NULL;
    *ret_spoke_http =
        ERR_GET_LIB(error) == ERR_LIB_SSL && ERR_GET_REASON(error) == SSL_R_HTTP_REQUEST;
    reason = ERR_reason_error_string(error);
    ERR_clear_error();
    return reason ? reason : "unknown error";
}

void grc_stream_answer_plainly(struct grc_conn *conn)
{
    static const char body[] = "{\"code\":400,\"message\":\"Bad Request\",\"details\":"
                               "[\"this port speaks HTTPS\"]}";
    char answer[512];
    int len = snprintf(answer, sizeof(answer),
                       "HTTP/1.1 400 Bad Request\r\nServer: greenroom\r\nContent-Type: "
                       "application/json\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n%s",
                       sizeof(body) - 1, body);

    SSL_free(conn->ssl);
    conn->ssl = NULL;
    if (grc_stream_write(conn, answer, (size_t)len) != len)
        grc_debug("an answer to HTTP on an HTTPS port could not be sent");
}
