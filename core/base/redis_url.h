/*
 * URLs of Redis and Valkey servers: redis://[[USER]:PASSWORD@]HOST[:PORT][/DATABASE], with
 * "rediss" for TLS, and unix://[[USER]:PASSWORD@]/PATH[?db=DATABASE]. User and password are
 * percent-encoded; an IPv6 address stands in brackets.
 */
#pragma once

#include <stdbool.h>

#define GRC_REDIS_PORT 6379u
#define GRC_REDIS_DATABASE_MAX 65535u

struct grc_redis_url {
    char *user;     /* NULL: the default user */
    char *password; /* NULL: none is asked for */
    char *host;     /* NULL: path */
    unsigned port;
    bool tls;
    char *path; /* of a socket */
    unsigned database;
};

/* Fills *ret, to be released with grc_redis_url_done(). Returns NULL, or in a few words (static,
 * and without a part of the URL) what is wrong; *ret is empty then. */
const char *grc_redis_url_parse(const char *text, struct grc_redis_url *ret);
/* Wipes and frees the texts. */
void grc_redis_url_done(struct grc_redis_url *url);
