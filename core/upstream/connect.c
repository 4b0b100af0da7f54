/* Makes a connection with a libcurl handle that only connects. The call that needs the connection
 * drives it step by step. */
#include "upstream/connection.h"

#include "base/clock.h"
#include "upstream/driver.h"
#include "upstream/gone.h"

#include <fcntl.h>
#include <stdlib.h>

/* A connection in the making. */
struct attempt {
    CURL *easy;
    struct grc_driver driver;
};

/* --- set up --- */

static CURLcode set_up(CURL *easy, struct grc_upstream *upstream, int64_t left_ms)
{
    int64_t connect_ms = upstream->settings->connect_timeout_ms;
    CURLcode rc = grc_easy_set_peer(easy, upstream);

    if (connect_ms <= 0 || connect_ms > left_ms)
        connect_ms = left_ms;
    if (rc == CURLE_OK)
        rc = grc_easy_setopt(easy, CURLOPT_CONNECT_ONLY, 1L);
    if (rc == CURLE_OK)
        rc = grc_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)connect_ms);
    if (rc == CURLE_OK)
        rc = grc_sockets_attach(easy, NULL);
    return rc;
}

static void attempt_end(struct attempt *attempt)
{
    if (attempt->driver.multi)
        grc_curl()->multi_remove_handle(attempt->driver.multi, attempt->easy);
    grc_curl()->easy_cleanup(attempt->easy);
    grc_driver_end(&attempt->driver);
}

/* --- driving --- */

static enum gr_err drive(struct attempt *attempt, const struct grc_exchange *exchange,
                         int64_t deadline_ms, CURLcode *ret_code)
{
    struct grc_driver *driver = &attempt->driver;
    struct grc_gone gone = grc_gone_begin(exchange, grc_mono_ms());

    if (grc_driver_add(driver, attempt->easy) != CURLM_OK)
        return GR_ERR_NO_MEMORY;
    for (;;) {
        if (grc_driver_act(driver) != CURLM_OK)
            return GR_ERR_NO_MEMORY;
        if (grc_driver_next_done(driver, ret_code))
            return GR_OK;
        enum grc_woken woken =
            grc_driver_wait(driver, grc_gone_step(&gone, deadline_ms), GRC_WAITS_CONNECT);
        if (woken == GRC_WOKEN_CANCELLED || grc_gone_look(&gone))
            return GR_ERR_CANCELLED;
        if (woken == GRC_WOKEN_FAILED)
            return GR_ERR_NO_MEMORY;
        if (woken == GRC_WOKEN_LATE && grc_mono_ms() >= deadline_ms)
            return GR_ERR_UPSTREAM_TIMEOUT;
    }
}

/* --- the finished connection --- */

/* Takes the connection out of the attempt. NULL without memory or descriptors. */
static struct grc_connection *harvest(struct attempt *attempt, const struct grc_upstream *upstream)
{
    struct grc_connection *connection = calloc(1, sizeof(*connection));
    curl_socket_t fd = CURL_SOCKET_BAD;

    if (!connection ||
        grc_curl()->easy_getinfo(attempt->easy, CURLINFO_ACTIVESOCKET, &fd) != CURLE_OK ||
        fd == CURL_SOCKET_BAD) {
        free(connection);
        return NULL;
    }
    connection->born_ms = grc_mono_ms();
    connection->idle_max_ms = upstream->settings->idle_timeout_ms;
    if (upstream->url.tls || upstream->settings->proxy) {
        connection->fd = fd;
        connection->easy = attempt->easy;
        connection->multi = grc_driver_take(&attempt->driver);
        attempt->easy = NULL;
        return connection;
    }
    /* libcurl will close its descriptor; the duplicate keeps the connection. */
    connection->fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    if (connection->fd < 0) {
        free(connection);
        return NULL;
    }
    return connection;
}

struct grc_connection *grc_connect(struct grc_upstream *upstream,
                                   const struct grc_exchange *exchange, int64_t deadline_ms,
                                   struct grc_outcome *ret_outcome)
{
    struct grc_connection *connection = NULL;
    char error[CURL_ERROR_SIZE] = "";
    CURLcode code = CURLE_OK;
    struct attempt attempt = {.easy = grc_curl()->easy_init()};
    enum gr_err err = GR_ERR_NO_MEMORY;

    *ret_outcome = (struct grc_outcome){.err = GR_ERR_NO_MEMORY};
    if (attempt.easy && grc_driver_begin(&attempt.driver) &&
        grc_easy_setopt(attempt.easy, CURLOPT_ERRORBUFFER, error) == CURLE_OK &&
        set_up(attempt.easy, upstream, deadline_ms - grc_mono_ms()) == CURLE_OK)
        err = drive(&attempt, exchange, deadline_ms, &code);
    if (err == GR_OK && code != CURLE_OK)
        err = grc_connect_error(code, &ret_outcome->lasting);
    if (err == GR_OK) {
        grc_easy_setopt(attempt.easy, CURLOPT_ERRORBUFFER, NULL);
        connection = harvest(&attempt, upstream);
        err = connection ? GR_OK : GR_ERR_NO_MEMORY;
    }
    ret_outcome->err = err;
    if (err != GR_OK && error[0])
        ret_outcome->detail = grc_arena_copy(exchange->arena, gr_str_of(error));
    attempt_end(&attempt);
    return connection;
}
