#include "upstream/retry.h"

#define DELAY_FIRST_MS 50
#define DELAY_MAX_MS 1000
/* Retries within the window that are allowed however few the calls are. */
#define BUDGET_MIN 10
#define BUDGET_WINDOW_MS 10000

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

int64_t grc_retry_after_ms(int64_t retry_after_s, int64_t own_ms, uint64_t random)
{
    return retry_after_s * 1000 + own_ms / 2 + (int64_t)(random % (uint64_t)(own_ms / 2 + 1));
}

void grc_retry_budget_init(struct grc_retry_budget *budget, int64_t percent)
{
    memset(budget, 0, sizeof(*budget));
    budget->percent = percent;
}

static int64_t number_of(int64_t now_ms)
{
    return now_ms / (BUDGET_WINDOW_MS / GRC_BUDGET_SLOTS);
}

/* Returns the slot of this moment, emptied if its counts are of a former window. */
static struct grc_budget_slot *slot_of(struct grc_retry_budget *budget, int64_t number)
{
    struct grc_budget_slot *slot = &budget->slots[number % GRC_BUDGET_SLOTS];
    int64_t was = atomic_load_explicit(&slot->number, memory_order_relaxed);

    if (was != number && atomic_compare_exchange_strong(&slot->number, &was, number)) {
        atomic_store_explicit(&slot->calls, 0, memory_order_relaxed);
        atomic_store_explicit(&slot->retries, 0, memory_order_relaxed);
    }
    return slot;
}

void grc_retry_budget_earn(struct grc_retry_budget *budget, int64_t now_ms)
{
    struct grc_budget_slot *slot = slot_of(budget, number_of(now_ms));

    atomic_fetch_add_explicit(&slot->calls, 1, memory_order_relaxed);
}

bool grc_retry_budget_spend(struct grc_retry_budget *budget, int64_t now_ms)
{
    int64_t number = number_of(now_ms);
    struct grc_budget_slot *now = slot_of(budget, number);
    int64_t calls = 0;
    int64_t retries = 0;

    for (size_t i = 0; i < GRC_BUDGET_SLOTS; i++) {
        struct grc_budget_slot *slot = &budget->slots[i];
        if (atomic_load_explicit(&slot->number, memory_order_relaxed) <= number - GRC_BUDGET_SLOTS)
            continue;
        calls += atomic_load_explicit(&slot->calls, memory_order_relaxed);
        retries += atomic_load_explicit(&slot->retries, memory_order_relaxed);
    }
    int64_t share = calls * budget->percent / 100;
    if (retries >= (share > BUDGET_MIN ? share : BUDGET_MIN))
        return false;
    atomic_fetch_add_explicit(&now->retries, 1, memory_order_relaxed);
    return true;
}
