#include "http/descriptors.h"

#include "base/log.h"

#include <sys/resource.h>

/* Listeners, loops, signals, the log, the store, and what is open while a reload reads files. */
#define OTHERS 40
#define CONNECTIONS_MAX 65536
#define CONNECTIONS_MIN 4
#define CONNECTIONS_OVER 64
#define ADMIN_CONNECTIONS 256

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t most(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static int64_t limit_now(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur > INT32_MAX)
        return INT32_MAX;
    return (int64_t)limit.rlim_cur;
}

/* Each request may have a call to an upstream, beside the connection that it came on. */
static int64_t wanted(const struct grc_settings *settings)
{
    int64_t connections = most(settings->connections_max, settings->requests_max);

    return OTHERS + settings->workers + settings->admin_workers + ADMIN_CONNECTIONS / 8 +
           connections + settings->requests_max;
}

/* Connections of clients get half of the descriptors that are left, or all that calls to upstreams
 * do not need. */
static int64_t connections_of(const struct grc_settings *settings, int64_t left)
{
    int64_t most_of_it = most(left / 2, left - settings->requests_max);
    int64_t asked = settings->connections_max ? settings->connections_max : CONNECTIONS_MAX;

    return most(least(asked, most_of_it), CONNECTIONS_MIN);
}

void grc_descriptors_share(const struct grc_settings *settings, struct grc_descriptors *ret)
{
    int64_t limit = limit_now();
    int64_t left = most(limit - OTHERS, 4 * CONNECTIONS_MIN);

    ret->limit = limit;
    ret->wanted = wanted(settings);
    ret->workers = (unsigned)most(least(settings->workers, left / 4), 1);
    ret->admin_workers = (unsigned)most(least(settings->admin_workers, left / 8), 1);
    ret->admin_connections_max = (unsigned)most(least(ADMIN_CONNECTIONS, left / 8), 1);
    left -= ret->workers + ret->admin_workers + ret->admin_connections_max;
    ret->connections_max = (unsigned)connections_of(settings, left);
    ret->connections_over = (unsigned)least(CONNECTIONS_OVER, (ret->connections_max + 7) / 8);
}

void grc_descriptors_warn(const struct grc_settings *settings)
{
    struct grc_descriptors descriptors;

    grc_descriptors_share(settings, &descriptors);
    if (descriptors.wanted <= descriptors.limit)
        return;
    grc_warn("the limit of %lld descriptors is lower than the %lld that server.workers, "
             "server.requests_max and server.connections_max may need: there is room for %u "
             "connections of clients and %u workers; raise it (LimitNOFILE=, ulimit -n) or lower "
             "those",
             (long long)descriptors.limit, (long long)descriptors.wanted,
             descriptors.connections_max, descriptors.workers);
}
