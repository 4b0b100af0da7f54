#include "store/clock.h"

#include "base/clock.h"
#include "store/engine.h"

static enum gr_err take_time(void *arg, const struct gr_value *columns, size_t count)
{
    int64_t *ms = arg;

    (void)count;
    *ms = columns[0].i;
    return GR_OK;
}

enum gr_err grc_store_clock(struct grc_store *store, int64_t *ret_ms)
{
    const char *sql = store->engine->clock_sql;

    *ret_ms = grc_now_ms();
    return sql ? grc_store_run(store, NULL, sql, NULL, 0, take_time, ret_ms, NULL) : GR_OK;
}
