#include "store/clock.h"

#include "base/clock.h"
#include "store/engine.h"

enum gr_err grc_store_clock(struct grc_store *store, int64_t *ret_ms)
{
    const char *sql = store->engine->clock_sql;

    *ret_ms = grc_now_ms();
    return sql ? grc_store_run(store, NULL, sql, NULL, 0, grc_store_take_number, ret_ms, NULL)
               : GR_OK;
}
