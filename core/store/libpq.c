#include "store/libpq.h"

#include <pthread.h>

GRC_LIBRARY_NOTE(note, "[{\"feature\":\"postgres\",\"description\":\"The store in PostgreSQL\","
                       "\"priority\":\"recommended\",\"soname\":[\"" GRC_LIBPQ "\"]}]");

static struct grc_pq functions;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static bool loaded;

const struct grc_pq *grc_pq(void)
{
    return &functions;
}

bool grc_pq_load(char reason[GRC_LIBRARY_REASON])
{
    static const struct grc_library_function rows[] = {
#define ROW(name_) {#name_, &functions.name_},
        GRC_PQ_FUNCTIONS(ROW)
#undef ROW
    };

    pthread_mutex_lock(&lock);
    loaded = loaded || grc_library_load(GRC_LIBPQ, rows, sizeof(rows) / sizeof(rows[0]), reason);
    bool fine = loaded;
    pthread_mutex_unlock(&lock);
    return fine;
}
