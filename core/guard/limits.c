#include "guard/limits.h"

#include "base/address.h"
#include "base/clock.h"

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
    grc_shared_free(limits->shared);
    grc_rates_free(limits->rates);
    grc_rates_free(limits->failures);
    free(limits);
}

/* --- counting, alone or with other gateways --- */

bool grc_limits_share(struct grc_limits *limits, char **ret_reason)
{
    const struct grc_shared_settings *settings = &limits->settings->shared;

    if (!settings->server.url || (!limits->rates && !limits->failures))
        return true;
    limits->shared = grc_shared_new(settings, ret_reason);
    return limits->shared != NULL;
}

bool grc_limits_start(struct grc_limits *limits)
{
    return !limits->shared || grc_shared_start(limits->shared);
}

static uint64_t key_of(const struct grc_shared_name *name)
{
    return grc_rates_key(name->class, name->who, name->what);
}

/* Takes a token of the shared bucket. Returns false when this gateway has to count alone. */
static bool take_shared(struct grc_limits *limits, const struct grc_shared_name *name,
                        const struct grc_rate *rate, struct grc_rate_view *ret_view,
                        enum gr_err *ret_err)
{
    switch (grc_shared_take(limits->shared, name, rate, ret_view)) {
    case GRC_SHARED_PASSES:
        *ret_err = GR_OK;
        return true;
    case GRC_SHARED_REFUSED:
        *ret_err = GR_ERR_RATE;
        return true;
    case GRC_SHARED_AWAY:
        *ret_err = GR_ERR_OVERLOAD;
        return limits->settings->shared.closed;
    case GRC_SHARED_NO_ROOM:
        break;
    }
    return false;
}

enum gr_err grc_limits_take(struct grc_limits *limits, const struct grc_shared_name *name,
                            const struct grc_rate *rate, struct grc_rate_view *ret_view)
{
    enum gr_err err = GR_OK;

    if (limits->shared && take_shared(limits, name, rate, ret_view, &err))
        return err;
    return grc_rates_take(limits->rates, key_of(name), rate, grc_mono_us(), ret_view) ? GR_OK
                                                                                      : GR_ERR_RATE;
}

void grc_limits_look(struct grc_limits *limits, const struct grc_shared_name *name,
                     const struct grc_rate *rate, struct grc_rate_view *ret_view)
{
    if (limits->shared)
        grc_shared_look(limits->shared, name, rate, ret_view);
    else
        grc_rates_look(limits->rates, key_of(name), rate, grc_mono_us(), ret_view);
}

static enum gr_err use_shared(struct grc_limits *limits, const struct grc_shared_name *name,
                              int64_t max, struct grc_limits_use *ret_use)
{
    enum grc_shared_verdict verdict = grc_shared_enter(
        limits->shared, name, max, !limits->settings->shared.closed, &ret_use->key);

    ret_use->shared = true;
    ret_use->counted = verdict == GRC_SHARED_PASSES;
    if (verdict == GRC_SHARED_AWAY)
        return GR_ERR_OVERLOAD;
    return verdict == GRC_SHARED_REFUSED ? GR_ERR_RATE : GR_OK;
}

enum gr_err grc_limits_use(struct grc_limits *limits, const struct grc_shared_name *name,
                           int64_t max, struct grc_limits_use *ret_use)
{
    *ret_use = (struct grc_limits_use){.shared = false};
    if (limits->shared)
        return use_shared(limits, name, max, ret_use);
    ret_use->key = key_of(name);
    return grc_rates_enter(limits->rates, ret_use->key, max, grc_mono_us(), &ret_use->counted)
               ? GR_OK
               : GR_ERR_RATE;
}

void grc_limits_release(struct grc_limits *limits, const struct grc_limits_use *use)
{
    if (use->counted && use->shared)
        grc_shared_leave(limits->shared, use->key);
    else if (use->counted)
        grc_rates_leave(limits->rates, use->key);
}

/* --- single limits --- */

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
    const struct grc_rate *rate = &limits->failure_rate;
    struct grc_rate_view view = {.next_s = 1};
    char text[GRC_ADDRESS_KEY_SIZE];
    enum gr_err err = GR_ERR_OVERLOAD;

    if (!limits->failures)
        return true;
    const struct grc_shared_name name = {.class = GRC_RATE_FAILURES,
                                         .who = grc_address_key(address, text)};
    if (!limits->shared || !take_shared(limits, &name, rate, &view, &err) || err == GR_ERR_OVERLOAD)
        err = grc_rates_take(limits->failures, key_of(&name), rate, now_us, &view) ? GR_OK
                                                                                   : GR_ERR_RATE;
    *ret_retry_s = view.next_s;
    return err == GR_OK;
}
