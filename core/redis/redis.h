/*
 * Connections to a Redis or Valkey server. hiredis writes commands and reads replies; only this
 * folder uses it. The bytes go over the gateway's sockets (redis/transport.h), because the versions
 * of hiredis that Debian has differ in TLS, and none has a deadline for a whole answer.
 *
 * libhiredis is loaded only when the config asks for a server (base/library.h), so a gateway that
 * counts alone does not depend on it. It is loaded by the file name in its header (HIREDIS_SONAME).
 *
 * The calls block, at most for the connection's timeout each; they are for a thread of their own.
 * A connection is used by one thread at a time. What is written into `reason` never has a secret.
 */
#pragma once

#include "base/buf.h"
#include "base/redis_url.h"

#include <greenroom/plugin.h>

#define GRC_REDIS_REASON 200u
/* Keys and arguments of one call. */
#define GRC_REDIS_WORDS_MAX 12u

/* Loads libhiredis; later calls return at once. Returns false with a reason. Thread-safe. */
bool grc_redis_load(char reason[GRC_REDIS_REASON]);

struct grc_redis;

/* A Lua script. text is static. */
struct grc_redis_script {
    const char *text;
    char sha1[41]; /* set by grc_redis_script_init() */
};
void grc_redis_script_init(struct grc_redis_script *script, const char *text);

/* How much a connection may hold. */
struct grc_redis_sizes {
    size_t queue_max; /* bytes of calls that were not sent yet */
    size_t reply_max; /* bytes of one reply */
};

/* Connects, authenticates and selects the database, each within the timeout. ca_file: the
 * authorities to trust for TLS, or NULL for the system's. Returns NULL with a reason. */
struct grc_redis *grc_redis_connect(const struct grc_redis_url *url, const char *ca_file,
                                    int64_t timeout_ms, const struct grc_redis_sizes *sizes,
                                    char reason[GRC_REDIS_REASON]);
/* NULL is fine. */
void grc_redis_close(struct grc_redis *redis);

/* Queues a call of a script, by its SHA-1 or whole. words are `keys` keys and then the arguments,
 * `count` in all; they may have any bytes. The next answer that is read sends what is queued; all
 * answers to that have to come within the timeout. Returns false when there is no room or memory.
 */
bool grc_redis_call(struct grc_redis *redis, const struct grc_redis_script *script, bool whole,
                    const gr_str *words, size_t keys, size_t count);

enum grc_redis_answer {
    GRC_REDIS_ANSWERED = 1,
    GRC_REDIS_NO_SCRIPT, /* the server does not know the script: call it whole */
    GRC_REDIS_REFUSED,   /* an error, with a reason; the connection is fine */
    GRC_REDIS_LOST,      /* no answer, with a reason; the connection is of no use any more */
};
/* Reads the answer to the oldest call that has none: a list of `count` whole numbers. */
enum grc_redis_answer grc_redis_answer(struct grc_redis *redis, int64_t *ret, size_t count,
                                       char reason[GRC_REDIS_REASON]);
/* The same for a list of `count` whole numbers and one string, which is appended to *ret_value. */
enum grc_redis_answer grc_redis_answer_value(struct grc_redis *redis, int64_t *ret, size_t count,
                                             struct grc_buf *ret_value,
                                             char reason[GRC_REDIS_REASON]);
