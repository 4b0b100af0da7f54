#include "redis/library.h"

#include "base/library.h"
#include "redis/redis.h"

#include <pthread.h>
#include <stdio.h>

#define TEXT_OF(value_) #value_
#define EXPANDED(value_) TEXT_OF(value_)
#define LIBRARY "libhiredis.so." EXPANDED(HIREDIS_SONAME)
/* Debian names the package after the library's version. */
#define PACKAGE "libhiredis" EXPANDED(HIREDIS_SONAME)

GRC_LIBRARY_NOTE(note, "[{\"feature\":\"redis\",\"description\":\"Shared limits and cache\","
                       "\"priority\":\"suggested\",\"soname\":[\"" LIBRARY "\"]}]");

static struct grc_hiredis functions;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static bool loaded;

const struct grc_hiredis *grc_hiredis(void)
{
    return &functions;
}

static bool load(char reason[GRC_REDIS_REASON])
{
    static const struct grc_library_function rows[] = {
#define ROW(name_) {#name_, &functions.name_},
        GRC_HIREDIS_FUNCTIONS(ROW)
#undef ROW
    };
    char problem[GRC_LIBRARY_REASON];

    if (grc_library_load(LIBRARY, rows, sizeof(rows) / sizeof(rows[0]), problem))
        return true;
    snprintf(reason, GRC_REDIS_REASON, "%.120s (Debian package " PACKAGE ")", problem);
    return false;
}

bool grc_redis_load(char reason[GRC_REDIS_REASON])
{
    pthread_mutex_lock(&lock);
    loaded = loaded || load(reason);
    bool fine = loaded;
    pthread_mutex_unlock(&lock);
    return fine;
}
