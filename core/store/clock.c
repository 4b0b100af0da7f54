#include "store/clock.h"

#include "base/clock.h"
#include "store/engine.h"

#define ASK_EVERY_MS 10000

static void ask(struct grc_store *store, struct grc_store_session *session)
{
    int64_t before_ms = grc_boot_ms();
    int64_t store_ms = 0;

    atomic_store(&store->clock.due_ms, before_ms + ASK_EVERY_MS);
    if (grc_store_run(store, session, store->engine->clock_sql, NULL, 0, grc_store_take_number,
                      &store_ms, NULL) != GR_OK)
        return;
    atomic_store(&store->clock.ahead_ms, store_ms - before_ms);
    atomic_store(&store->clock.known, true);
}

int64_t grc_store_now_ms(struct grc_store *store, struct grc_store_session *session)
{
    struct grc_store_clock *clock = &store->clock;

    if (!store->engine->clock_sql)
        return grc_now_ms();
    int64_t due_ms = atomic_load(&clock->due_ms);
    int64_t now_ms = grc_boot_ms();
    /* One thread asks, and the others go by the last answer if there is one. */
    if (!atomic_load(&clock->known) ||
        (now_ms >= due_ms &&
         atomic_compare_exchange_strong(&clock->due_ms, &due_ms, now_ms + ASK_EVERY_MS)))
        ask(store, session);
    return atomic_load(&clock->known) ? grc_boot_ms() + atomic_load(&clock->ahead_ms)
                                      : grc_now_ms();
}
