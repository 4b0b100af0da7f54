#include "upstream/retry.h"

#define DELAY_FIRST_MS 50
#define DELAY_MAX_MS 1000
#define BUDGET_MAX 200 /* 20 retries in a burst */
#define BUDGET_COST 10

bool grc_retry_may(const struct grc_retry_facts *facts)
{
    if (facts->tries_made > facts->retries_max || facts->lasting)
        return false;
    switch (facts->err) {
    case GR_ERR_UPSTREAM_CONNECT:
    case GR_ERR_UPSTREAM_TIMEOUT:
        return !facts->sent;
    case GR_ERR_UPSTREAM_BROKEN:
        return !facts->received && (facts->safe || !facts->sent);
    default:
        return false;
    }
}

int64_t grc_retry_delay_ms(unsigned tries_made, uint64_t random)
{
    int64_t delay_ms = DELAY_FIRST_MS;

    for (unsigned i = 1; i < tries_made && delay_ms < DELAY_MAX_MS; i++)
        delay_ms *= 2;
    if (delay_ms > DELAY_MAX_MS)
        delay_ms = DELAY_MAX_MS;
    return delay_ms / 2 + (int64_t)(random % (uint64_t)(delay_ms / 2 + 1));
}

void grc_retry_budget_init(struct grc_retry_budget *budget)
{
    atomic_init(&budget->level, BUDGET_MAX);
}

void grc_retry_budget_earn(struct grc_retry_budget *budget)
{
    /* Full is the common case and costs one load; going a little over in a race does no harm. */
    if (atomic_load_explicit(&budget->level, memory_order_relaxed) < BUDGET_MAX)
        atomic_fetch_add_explicit(&budget->level, 1, memory_order_relaxed);
}

bool grc_retry_budget_spend(struct grc_retry_budget *budget)
{
    if (atomic_fetch_sub_explicit(&budget->level, BUDGET_COST, memory_order_relaxed) >= BUDGET_COST)
        return true;
    atomic_fetch_add_explicit(&budget->level, BUDGET_COST, memory_order_relaxed);
    return false;
}
