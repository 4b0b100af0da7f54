#include "guard/limits.h"

#include "base/address.h"

#include <stdlib.h>

#define FAILURES_TABLE 16384u
#define CALLERS_TABLE 65536u

static bool wants_rates(const struct grc_limits_settings *settings)
{
    return settings->caller.rate.per_s > 0 || settings->caller.concurrent > 0 ||
           settings->address.rate.per_s > 0 || settings->address.concurrent > 0 ||
           settings->scope_count > 0 || settings->route_count > 0;
}

struct grc_limits *grc_limits_new(const struct grc_settings *settings)
{
    const struct grc_auth_settings *auth = &settings->auth;
    struct grc_limits *limits = calloc(1, sizeof(*limits));
    bool fine = limits != NULL;

    if (!fine)
        return NULL;
    limits->settings = &settings->limits;
    if (wants_rates(&settings->limits)) {
        limits->rates = grc_rates_new(CALLERS_TABLE);
        fine = limits->rates != NULL;
    }
    if (fine && auth->throttle_failures > 0) {
        limits->failures = grc_rates_new(FAILURES_TABLE);
        limits->failure_rate = (struct grc_rate){
            .per_s = (double)auth->throttle_failures * 1000 / (double)auth->throttle_window_ms,
            .burst = auth->throttle_failures,
        };
        fine = limits->failures != NULL;
    }
    if (fine)
        return limits;
    grc_limits_free(limits);
    return NULL;
}

void grc_limits_free(struct grc_limits *limits)
{
    if (!limits)
        return;
    grc_rates_free(limits->rates);
    grc_rates_free(limits->failures);
    free(limits);
}

static const struct grc_rate *rate_of(const struct grc_rate_settings *list, size_t count,
                                      const char *name)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(list[i].name, name) == 0)
            return &list[i].rate;
    }
    return NULL;
}

const struct grc_rate *grc_limits_scope(const struct grc_limits *limits, const char *scope)
{
    return rate_of(limits->settings->scopes, limits->settings->scope_count, scope);
}

const struct grc_rate *grc_limits_route(const struct grc_limits *limits, const char *id)
{
    return rate_of(limits->settings->routes, limits->settings->route_count, id);
}

bool grc_limits_enter(struct grc_limits *limits)
{
    int64_t before = atomic_fetch_add_explicit(&limits->in_flight, 1, memory_order_relaxed);

    if (before < limits->settings->in_flight)
        return true;
    grc_limits_leave(limits);
    return false;
}

void grc_limits_leave(struct grc_limits *limits)
{
    atomic_fetch_sub_explicit(&limits->in_flight, 1, memory_order_relaxed);
}

bool grc_limits_failure(struct grc_limits *limits, gr_str address, int64_t now_us,
                        int64_t *ret_retry_s)
{
    struct grc_rate_view view;
    char text[GRC_ADDRESS_KEY_SIZE];

    if (!limits->failures)
        return true;
    uint64_t key =
        grc_rates_key(GRC_RATE_FAILURES, grc_address_key(address, text), (gr_str){NULL, 0});
    if (grc_rates_take(limits->failures, key, &limits->failure_rate, now_us, &view))
        return true;
    *ret_retry_s = view.next_s;
    return false;
}
