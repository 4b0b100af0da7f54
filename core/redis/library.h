/* The functions of libhiredis. For core/redis only. */
#pragma once

#include <hiredis/hiredis.h>

/* The functions that are used: X(name in hiredis). */
#define GRC_HIREDIS_FUNCTIONS(X)                                                                   \
    X(redisFormatCommandArgv)                                                                      \
    X(redisFreeCommand)                                                                            \
    X(redisReaderCreate)                                                                           \
    X(redisReaderFeed)                                                                             \
    X(redisReaderGetReply)                                                                         \
    X(redisReaderFree)                                                                             \
    X(freeReplyObject)

struct grc_hiredis {
#define GRC_HIREDIS_MEMBER(name) __typeof__(name) *name;
    GRC_HIREDIS_FUNCTIONS(GRC_HIREDIS_MEMBER)
#undef GRC_HIREDIS_MEMBER
};

/* The loaded functions. Called after grc_redis_load() has succeeded. */
const struct grc_hiredis *grc_hiredis(void);
