#include "redis/library.h"

#include "redis/redis.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>

#define TEXT_OF(value_) #value_
#define EXPANDED(value_) TEXT_OF(value_)
#define LIBRARY "libhiredis.so." EXPANDED(HIREDIS_SONAME)
/* Debian names the package after the library's version. */
#define PACKAGE "libhiredis" EXPANDED(HIREDIS_SONAME)

static struct grc_hiredis functions;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static bool loaded;

const struct grc_hiredis *grc_hiredis(void)
{
    return &functions;
}

/* Returns the name of a function that the library does not have, or NULL. dlsym() returns data
 * pointers, which ISO C does not convert to functions, hence the copies. */
static const char *find_functions(void *library)
{
    static const struct {
        const char *name;
        void *at;
    } rows[] = {
#define ROW(name_) {#name_, &functions.name_},
        GRC_HIREDIS_FUNCTIONS(ROW)
#undef ROW
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        void *found = dlsym(library, rows[i].name);

        if (!found)
            return rows[i].name;
        memcpy(rows[i].at, &found, sizeof(found));
    }
    return NULL;
}

/* A library that has been found stays loaded: its users do not end before the process. */
static bool load(char reason[GRC_REDIS_REASON])
{
    void *library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);

    if (!library) {
        const char *problem = dlerror();

        snprintf(reason, GRC_REDIS_REASON, "%.120s (Debian package " PACKAGE ")",
                 problem ? problem : LIBRARY);
        return false;
    }
    const char *missing = find_functions(library);
    if (missing) {
        snprintf(reason, GRC_REDIS_REASON, LIBRARY " has no function %s", missing);
        (void)dlclose(library);
        return false;
    }
    return true;
}

bool grc_redis_load(char reason[GRC_REDIS_REASON])
{
    pthread_mutex_lock(&lock);
    loaded = loaded || load(reason);
    bool fine = loaded;
    pthread_mutex_unlock(&lock);
    return fine;
}
