/* What happens to an exchange from its start to its end: capacity, breaker, credential, attempts.
 */
#include "upstream/flight.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "base/secure.h"

#define WARN_EVERY_MS 1000

void grc_flight_finish(struct grc_flight *flight, enum gr_err err)
{
    flight->exchange->err = err;
    flight->state = GRC_FLIGHT_DONE;
}

static bool board(struct grc_flight *flight)
{
    struct grc_upstream *upstream = flight->upstream;
    int64_t max = upstream->settings->connections_max;
    int64_t before = atomic_fetch_add_explicit(&upstream->in_flight, 1, memory_order_relaxed);

    flight->boarded = true;
    return max <= 0 || before < max;
}

void grc_exchange_reset(struct grc_exchange *exchange)
{
    exchange->err = GR_ERR_INTERNAL;
    exchange->status = 0;
    exchange->answer = exchange->answer_type = exchange->retry_after = (gr_str){NULL, 0};
    exchange->answer_headers = NULL;
    exchange->answer_header_count = 0;
    exchange->attempts = 0;
    exchange->took_us = 0;
    exchange->source = GRC_FROM_UPSTREAM;
    exchange->freshness = (struct grc_freshness){.max_age_s = -1};
    exchange->age_s = 0;
}

int64_t grc_exchange_deadline(const struct grc_exchange *exchange,
                              const struct grc_upstream *upstream, int64_t now_ms)
{
    int64_t deadline_ms = now_ms + (exchange->timeout_ms ? (int64_t)exchange->timeout_ms
                                                         : upstream->settings->timeout_ms);

    if (exchange->deadline_ms && exchange->deadline_ms < deadline_ms)
        return exchange->deadline_ms;
    return deadline_ms;
}

void grc_exchange_refuse(struct grc_exchange *exchange, struct grc_upstream *upstream,
                         int64_t wait_ms)
{
    char *text = grc_arena_format(exchange->arena, "%lld",
                                  (long long)(wait_ms > 1000 ? (wait_ms + 999) / 1000 : 1));

    if (text)
        exchange->retry_after = gr_str_of(text);
    exchange->err = GR_ERR_UPSTREAM_BUSY;
    grc_metrics_upstream_event(upstream->figures, GRC_UPSTREAM_REFUSED);
}

static void refuse(struct grc_flight *flight, int64_t wait_ms)
{
    grc_exchange_refuse(flight->exchange, flight->upstream, wait_ms);
    flight->state = GRC_FLIGHT_DONE;
}

void grc_flight_begin(struct grc_flight *flight, struct grc_upstream *upstream,
                      struct grc_exchange *exchange, bool grouped)
{
    int64_t now_ms = grc_mono_ms();

    *flight =
        (struct grc_flight){.state = GRC_FLIGHT_READY, .exchange = exchange, .upstream = upstream};
    grc_exchange_reset(exchange);
    exchange->took_us = grc_mono_us();
    if (!upstream) {
        grc_flight_finish(flight, GR_ERR_INTERNAL);
        return;
    }
    flight->pool = grouped ? &upstream->grouped : &upstream->single;
    flight->deadline_ms = grc_exchange_deadline(exchange, upstream, now_ms);
    if (flight->deadline_ms <= now_ms)
        grc_flight_finish(flight, GR_ERR_UPSTREAM_TIMEOUT);
    else if (!board(flight))
        refuse(flight, 0);
    else
        grc_retry_budget_earn(&upstream->budget, now_ms);
}

void grc_flight_end(struct grc_flight *flight)
{
    struct grc_exchange *exchange = flight->exchange;

    grc_token_unref(flight->token);
    if (flight->boarded)
        atomic_fetch_sub_explicit(&flight->upstream->in_flight, 1, memory_order_relaxed);
    exchange->took_us = grc_mono_us() - exchange->took_us;
}

static void tell_breaker(struct grc_flight *flight, enum grc_breaker_result result)
{
    struct grc_breaker *breaker = &flight->upstream->breaker;

    if (!flight->asked)
        return;
    flight->asked = false;
    if (!grc_breaker_tell(breaker, grc_mono_ms(), flight->pass, result))
        return;
    if (grc_breaker_state(breaker) == GRC_BREAKER_OPEN)
        grc_metrics_upstream_event(flight->upstream->figures, GRC_UPSTREAM_OPENED);
    grc_log_fields(GR_LOG_WARN,
                   grc_breaker_state(breaker) == GRC_BREAKER_CLOSED
                       ? "upstream is back"
                       : "upstream is failing; calls are refused for a while",
                   GRC_LOG_FIELDS(GRC_LT("upstream", flight->upstream->settings->name)));
}

/* --- one attempt --- */

static enum gr_err take_token(struct grc_flight *flight)
{
    const struct grc_exchange *exchange = flight->exchange;

    if (!flight->upstream->keeper || exchange->no_credential || exchange->bearer)
        return GR_OK;
    grc_token_unref(flight->token);
    flight->token = grc_keeper_token(flight->upstream->keeper, grc_now_ms() / 1000);
    if (!flight->token)
        return GR_ERR_NO_MEMORY;
    if (!atomic_load_explicit(&flight->token->counted, memory_order_relaxed) &&
        !atomic_exchange(&flight->token->counted, true))
        grc_metrics_upstream_event(flight->upstream->figures, GRC_UPSTREAM_RENEWAL);
    return GR_OK;
}

void grc_flight_launch(struct grc_flight *flight)
{
    int64_t now_ms = grc_mono_ms();
    int64_t wait_ms = 0;

    if (flight->deadline_ms <= now_ms) {
        grc_flight_finish(flight, GR_ERR_UPSTREAM_TIMEOUT);
        return;
    }
    flight->pass = grc_breaker_ask(&flight->upstream->breaker, now_ms, &wait_ms);
    if (flight->pass == GRC_BREAKER_REFUSE) {
        refuse(flight, wait_ms);
        return;
    }
    flight->asked = true;
    enum gr_err err = take_token(flight);
    if (err == GR_OK)
        flight->handle = grc_handles_take(flight->upstream, flight->pool);
    if (err == GR_OK && !flight->handle)
        err = GR_ERR_NO_MEMORY;
    if (err == GR_OK)
        err = grc_handle_prepare(flight->handle, flight->exchange, flight->token,
                                 flight->deadline_ms - now_ms);
    if (err != GR_OK) {
        if (flight->handle)
            grc_handles_give(flight->pool, flight->handle,
                             flight->upstream->settings->idle_timeout_ms);
        flight->handle = NULL;
        tell_breaker(flight, GRC_BREAKER_NONE);
        grc_flight_finish(flight, err);
        return;
    }
    flight->launched_us = grc_mono_us();
    flight->state = GRC_FLIGHT_RUNNING;
}

static enum grc_breaker_result breaker_view(const struct grc_outcome *outcome)
{
    switch (outcome->err) {
    case GR_OK:
        return outcome->status == 502 || outcome->status == 503 || outcome->status == 504
                   ? GRC_BREAKER_BAD
                   : GRC_BREAKER_GOOD;
    case GR_ERR_UPSTREAM_CONNECT:
    case GR_ERR_UPSTREAM_BROKEN:
    case GR_ERR_UPSTREAM_TIMEOUT:
        return GRC_BREAKER_BAD;
    default:
        return GRC_BREAKER_NONE;
    }
}

/* The operator reads here what the caller is not told. Once a second is enough. */
static void warn(const struct grc_flight *flight, const struct grc_outcome *outcome)
{
    struct grc_upstream *upstream = flight->upstream;
    const struct grc_handle *handle = flight->handle;
    int64_t now_ms = grc_mono_ms();
    int64_t last_ms = atomic_load_explicit(&upstream->warned_ms, memory_order_relaxed);

    if (outcome->err == GR_ERR_CANCELLED || now_ms - last_ms < WARN_EVERY_MS ||
        !atomic_compare_exchange_strong(&upstream->warned_ms, &last_ms, now_ms))
        return;
    const char *detail = handle->error;
    if (handle->too_large)
        detail = "the answer is over its limit";
    else if (handle->encoded)
        detail = "the answer has a Content-Encoding that was not asked for";
    grc_log_fields(GR_LOG_WARN, "upstream call failed",
                   GRC_LOG_FIELDS(GRC_LT("upstream", upstream->settings->name),
                                  GRC_LT("error", grc_err_slug(outcome->err)),
                                  GRC_LT("detail", detail)));
}

static void account(struct grc_flight *flight, const struct grc_outcome *outcome)
{
    struct grc_upstream *upstream = flight->upstream;
    enum grc_breaker_result view = breaker_view(outcome);

    atomic_fetch_add_explicit(&upstream->calls, 1, memory_order_relaxed);
    grc_metrics_exchange(upstream->figures, outcome->err, outcome->status,
                         grc_mono_us() - flight->launched_us);
    if (outcome->err == GR_ERR_CANCELLED)
        grc_metrics_upstream_event(upstream->figures, GRC_UPSTREAM_CANCELLED);
    if (view != GRC_BREAKER_NONE &&
        atomic_load_explicit(&upstream->last_err, memory_order_relaxed) != (int)outcome->err)
        atomic_store_explicit(&upstream->last_err, (int)outcome->err, memory_order_relaxed);
    if (outcome->err != GR_OK) {
        atomic_fetch_add_explicit(&upstream->failures, 1, memory_order_relaxed);
        warn(flight, outcome);
    }
    tell_breaker(flight, view);
}

static void wait_for(struct grc_flight *flight, int64_t delay_ms)
{
    flight->resume_ms = grc_mono_ms() + delay_ms;
    flight->state = GRC_FLIGHT_WAITING;
}

static bool is_safe(const struct grc_exchange *exchange)
{
    return exchange->method == GR_METHOD_GET || exchange->idempotent;
}

/* true: there will be another attempt after so long. */
static bool try_again(struct grc_flight *flight, int64_t delay_ms)
{
    struct grc_upstream *upstream = flight->upstream;
    int64_t now_ms = grc_mono_ms();

    if (now_ms + delay_ms >= flight->deadline_ms)
        return false;
    /* It would be refused, and the caller has the cause now. */
    if (grc_breaker_state(&upstream->breaker) != GRC_BREAKER_CLOSED)
        return false;
    if (!grc_retry_budget_spend(&upstream->budget, now_ms)) {
        grc_metrics_upstream_event(upstream->figures, GRC_UPSTREAM_SPENT);
        return false;
    }
    atomic_fetch_add_explicit(&upstream->retries, 1, memory_order_relaxed);
    grc_metrics_upstream_event(upstream->figures, GRC_UPSTREAM_RETRY);
    wait_for(flight, delay_ms);
    return true;
}

/* A failed attempt: another one, or the end. */
static void fail_or_retry(struct grc_flight *flight, const struct grc_outcome *outcome)
{
    struct grc_retry_facts facts = {
        .err = outcome->err,
        .safe = is_safe(flight->exchange),
        .sent = outcome->sent,
        .received = outcome->received,
        .lasting = outcome->lasting,
        .tries_made = flight->tries,
        .retries_max = (unsigned)flight->upstream->settings->retries,
    };

    if (!grc_retry_may(&facts) ||
        !try_again(flight, grc_retry_delay_ms(flight->tries, grc_random_fast())))
        grc_flight_finish(flight, outcome->err);
}

/* true: the upstream asked for patience that a safe call can have, and gets another try. */
static bool waits_out(struct grc_flight *flight, int status)
{
    const struct grc_upstream_settings *settings = flight->upstream->settings;

    if ((status != 429 && status != 503) || !is_safe(flight->exchange) ||
        (int64_t)flight->tries > settings->retries)
        return false;
    int64_t seconds = grc_handle_retry_after_s(flight->handle);
    if (seconds < 0 || seconds > settings->retry_after_max_ms / 1000 ||
        settings->retry_after_max_ms <= 0)
        return false;
    return try_again(
        flight, grc_retry_after_ms(seconds, grc_retry_delay_ms(flight->tries, grc_random_fast()),
                                   grc_random_fast()));
}

/* true: the upstream refused our token, a newer one is there, and it is worth one more call. A 401
 * says that nothing was done, so that holds for a POST as well. */
static bool refused_and_renewed(struct grc_flight *flight, int status)
{
    if (!flight->token || status != 401) {
        if (flight->token)
            grc_token_proved(flight->token);
        return false;
    }
    if (flight->renewed)
        return false;
    flight->renewed = true;
    return grc_keeper_refused(flight->upstream->keeper, flight->token, grc_now_ms() / 1000);
}

void grc_flight_land(struct grc_flight *flight, CURLcode code)
{
    struct grc_exchange *exchange = flight->exchange;
    struct grc_handle *handle = flight->handle;
    struct grc_outcome outcome = grc_handle_outcome(handle, code);

    flight->tries++;
    exchange->attempts += handle->sends ? handle->sends : 1;
    account(flight, &outcome);
    if (outcome.err != GR_OK) {
        fail_or_retry(flight, &outcome);
    } else if (refused_and_renewed(flight, outcome.status)) {
        flight->state = GRC_FLIGHT_READY;
    } else if (!waits_out(flight, outcome.status)) {
        exchange->status = outcome.status;
        grc_flight_finish(flight, grc_handle_answer(handle, exchange));
    }
    grc_handles_give(flight->pool, handle, flight->upstream->settings->idle_timeout_ms);
    flight->handle = NULL;
}

/* --- waiting --- */

static bool client_gone(const struct grc_exchange *exchange)
{
    return exchange->gone && exchange->gone(exchange->gone_arg);
}

void grc_flight_look(struct grc_flight *flight, int64_t now_ms)
{
    if (now_ms >= flight->resume_ms)
        flight->state = GRC_FLIGHT_READY;
    else if (client_gone(flight->exchange))
        grc_flight_finish(flight, GR_ERR_CANCELLED);
}
