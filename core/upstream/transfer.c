/* The course of a transfer: capacity, breaker, credential, attempts. */
#include "upstream/transfer.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "base/secure.h"

#define WARN_EVERY_MS 1000
/* Longest Retry-After of a 429 or 503 that is waited out. */
#define RETRY_AFTER_MAX_S 2

void grc_transfer_finish(struct grc_transfer *transfer, enum gr_err err)
{
    if (err != GR_OK) /* an earlier attempt may have left an answer, such as a 503 */
        transfer->exchange->answer = (gr_str){NULL, 0};
    transfer->exchange->err = err;
    transfer->state = GRC_TRANSFER_DONE;
}

static bool board(struct grc_transfer *transfer)
{
    struct grc_upstream *upstream = transfer->upstream;
    int64_t max = upstream->settings->connections_max;
    int64_t before = atomic_fetch_add_explicit(&upstream->in_flight, 1, memory_order_relaxed);

    transfer->boarded = true;
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
    exchange->age_s = exchange->fresh_s = 0;
    exchange->cache_state = GRC_CACHE_UNUSED;
    exchange->cache_stored = false;
    exchange->cache_shared = false;
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
    grc_metrics_upstream_event(upstream->metrics, GRC_UPSTREAM_REFUSED);
}

static void refuse(struct grc_transfer *transfer, int64_t wait_ms)
{
    grc_exchange_refuse(transfer->exchange, transfer->upstream, wait_ms);
    transfer->state = GRC_TRANSFER_DONE;
}

void grc_transfer_begin(struct grc_transfer *transfer, struct grc_upstream *upstream,
                        struct grc_exchange *exchange, bool grouped)
{
    int64_t now_us = grc_mono_us();
    int64_t now_ms = now_us / 1000;

    *transfer = (struct grc_transfer){.state = GRC_TRANSFER_READY,
                                      .exchange = exchange,
                                      .upstream = upstream,
                                      .parent = exchange->traceparent};
    grc_exchange_reset(exchange);
    exchange->took_us = now_us;
    if (!upstream) {
        grc_transfer_finish(transfer, GR_ERR_INTERNAL);
        return;
    }
    transfer->pool = grouped ? &upstream->grouped : &upstream->single;
    transfer->deadline_ms = grc_exchange_deadline(exchange, upstream, now_ms);
    if (transfer->deadline_ms <= now_ms)
        grc_transfer_finish(transfer, GR_ERR_UPSTREAM_TIMEOUT);
    else if (!board(transfer))
        refuse(transfer, 0);
    else
        grc_retry_budget_earn(&upstream->budget, now_ms);
}

void grc_transfer_end(struct grc_transfer *transfer)
{
    struct grc_exchange *exchange = transfer->exchange;

    grc_token_unref(transfer->token);
    if (transfer->boarded)
        atomic_fetch_sub_explicit(&transfer->upstream->in_flight, 1, memory_order_relaxed);
    exchange->traceparent = transfer->parent;
    exchange->took_us = grc_mono_us() - exchange->took_us;
}

static void tell_breaker(struct grc_transfer *transfer, int64_t now_ms,
                         enum grc_breaker_result result)
{
    struct grc_breaker *breaker = &transfer->upstream->breaker;

    if (!transfer->asked)
        return;
    transfer->asked = false;
    if (!grc_breaker_tell(breaker, now_ms, transfer->pass, result))
        return;
    if (grc_breaker_state(breaker) == GRC_BREAKER_OPEN)
        grc_metrics_upstream_event(transfer->upstream->metrics, GRC_UPSTREAM_OPENED);
    grc_log_fields(GR_LOG_WARN,
                   grc_breaker_state(breaker) == GRC_BREAKER_CLOSED
                       ? "upstream is back"
                       : "upstream is failing; calls are refused for a while",
                   GRC_LOG_FIELDS(GRC_LT("upstream", transfer->upstream->settings->name)));
}

/* --- one attempt --- */

static enum gr_err take_token(struct grc_transfer *transfer)
{
    const struct grc_exchange *exchange = transfer->exchange;

    if (!transfer->upstream->token_source || exchange->no_credential || exchange->bearer)
        return GR_OK;
    grc_token_unref(transfer->token);
    transfer->token = grc_token_source_token(transfer->upstream->token_source, grc_now_s());
    if (!transfer->token)
        return GR_ERR_NO_MEMORY;
    if (!atomic_load_explicit(&transfer->token->counted, memory_order_relaxed) &&
        !atomic_exchange(&transfer->token->counted, true))
        grc_metrics_upstream_event(transfer->upstream->metrics, GRC_UPSTREAM_RENEWAL);
    return GR_OK;
}

void grc_transfer_launch(struct grc_transfer *transfer)
{
    int64_t now_us = grc_mono_us();
    int64_t now_ms = now_us / 1000;
    int64_t wait_ms = 0;

    if (transfer->deadline_ms <= now_ms) {
        grc_transfer_finish(transfer, GR_ERR_UPSTREAM_TIMEOUT);
        return;
    }
    transfer->pass = grc_breaker_ask(&transfer->upstream->breaker, now_ms, &wait_ms);
    if (transfer->pass == GRC_BREAKER_REFUSE) {
        refuse(transfer, wait_ms);
        return;
    }
    transfer->asked = true;
    enum gr_err err = take_token(transfer);
    if (err != GR_OK) {
        tell_breaker(transfer, now_ms, GRC_BREAKER_NONE);
        grc_transfer_finish(transfer, err);
        return;
    }
    grc_transfer_span_begin(transfer);
    transfer->launched_us = now_us;
    transfer->state = GRC_TRANSFER_RUNNING;
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

/* Logs the detail that the caller does not get, at most once a second for each upstream. */
static void warn(const struct grc_transfer *transfer, const struct grc_outcome *outcome)
{
    struct grc_upstream *upstream = transfer->upstream;
    int64_t now_ms = grc_mono_ms();
    int64_t last_ms = atomic_load_explicit(&upstream->warned_ms, memory_order_relaxed);

    if (outcome->err == GR_ERR_CANCELLED || now_ms - last_ms < WARN_EVERY_MS ||
        !atomic_compare_exchange_strong(&upstream->warned_ms, &last_ms, now_ms))
        return;
    grc_log_fields(GR_LOG_WARN, "upstream call failed",
                   GRC_LOG_FIELDS(GRC_LT("upstream", upstream->settings->name),
                                  GRC_LT("error", grc_err_slug(outcome->err)),
                                  GRC_LT("detail", outcome->detail ? outcome->detail : "")));
}

static void account(struct grc_transfer *transfer, const struct grc_outcome *outcome)
{
    struct grc_upstream *upstream = transfer->upstream;
    enum grc_breaker_result view = breaker_view(outcome);
    int64_t now_us = grc_mono_us();

    atomic_fetch_add_explicit(&upstream->calls, 1, memory_order_relaxed);
    grc_metrics_exchange(upstream->metrics, outcome->err, outcome->status,
                         now_us - transfer->launched_us);
    if (outcome->err == GR_ERR_CANCELLED)
        grc_metrics_upstream_event(upstream->metrics, GRC_UPSTREAM_CANCELLED);
    if (view != GRC_BREAKER_NONE &&
        atomic_load_explicit(&upstream->last_err, memory_order_relaxed) != (int)outcome->err)
        atomic_store_explicit(&upstream->last_err, (int)outcome->err, memory_order_relaxed);
    if (outcome->err != GR_OK) {
        atomic_fetch_add_explicit(&upstream->failures, 1, memory_order_relaxed);
        warn(transfer, outcome);
    }
    tell_breaker(transfer, now_us / 1000, view);
}

static void wait_for(struct grc_transfer *transfer, int64_t delay_ms)
{
    transfer->resume_ms = grc_mono_ms() + delay_ms;
    transfer->state = GRC_TRANSFER_WAITING;
}

bool grc_exchange_is_safe(const struct grc_exchange *exchange)
{
    return exchange->method == GR_METHOD_GET || exchange->idempotent;
}

/* Schedules another attempt after the delay. Returns false when there should be none. */
static bool try_again(struct grc_transfer *transfer, int64_t delay_ms)
{
    struct grc_upstream *upstream = transfer->upstream;
    int64_t now_ms = grc_mono_ms();

    if (now_ms + delay_ms >= transfer->deadline_ms)
        return false;
    /* The breaker would refuse it, and hide the cause from the caller. */
    if (grc_breaker_state(&upstream->breaker) != GRC_BREAKER_CLOSED)
        return false;
    if (!grc_retry_budget_spend(&upstream->budget, now_ms)) {
        grc_metrics_upstream_event(upstream->metrics, GRC_UPSTREAM_SPENT);
        return false;
    }
    atomic_fetch_add_explicit(&upstream->retries, 1, memory_order_relaxed);
    grc_metrics_upstream_event(upstream->metrics, GRC_UPSTREAM_RETRY);
    wait_for(transfer, delay_ms);
    return true;
}

/* After a failed attempt, schedules another one or ends the transfer. */
static void fail_or_retry(struct grc_transfer *transfer, const struct grc_outcome *outcome)
{
    struct grc_retry_facts facts = {
        .err = outcome->err,
        .safe = grc_exchange_is_safe(transfer->exchange),
        .sent = outcome->sent,
        .received = outcome->received,
        .lasting = outcome->lasting,
        .tries_made = transfer->tries,
        .retries_max = (unsigned)transfer->upstream->settings->retries,
    };

    if (!grc_retry_may(&facts) ||
        !try_again(transfer, grc_retry_delay_ms(transfer->tries, grc_random_fast())))
        grc_transfer_finish(transfer, outcome->err);
}

/* Schedules another attempt after the Retry-After of a 429 or 503. Returns false when there should
 * be none. */
static bool waits_out(struct grc_transfer *transfer, int status)
{
    const struct grc_upstream_settings *settings = transfer->upstream->settings;

    if ((status != 429 && status != 503) || !grc_exchange_is_safe(transfer->exchange) ||
        (int64_t)transfer->tries > settings->retries)
        return false;
    int64_t seconds = grc_answer_head_retry_after_s(&transfer->head);
    if (seconds < 0 || seconds > RETRY_AFTER_MAX_S)
        return false;
    return try_again(transfer, grc_retry_after_ms(
                                   seconds, grc_retry_delay_ms(transfer->tries, grc_random_fast()),
                                   grc_random_fast()));
}

/* True when the upstream has refused the token and there is a newer one, so that the call is
 * repeated once. A 401 means that nothing was done, so this holds for a POST too. */
static bool refused_and_renewed(struct grc_transfer *transfer, int status)
{
    if (!transfer->token || status != 401) {
        if (transfer->token)
            grc_token_proved(transfer->token);
        return false;
    }
    if (transfer->renewed)
        return false;
    transfer->renewed = true;
    return grc_token_source_refused(transfer->upstream->token_source, transfer->token, grc_now_s());
}

void grc_transfer_attempt_done(struct grc_transfer *transfer, const struct grc_outcome *outcome)
{
    struct grc_exchange *exchange = transfer->exchange;

    grc_transfer_span_end(transfer, outcome);
    transfer->tries++;
    exchange->attempts += outcome->sends ? outcome->sends : 1;
    account(transfer, outcome);
    if (outcome->err != GR_OK) {
        fail_or_retry(transfer, outcome);
    } else if (refused_and_renewed(transfer, outcome->status)) {
        transfer->state = GRC_TRANSFER_READY;
    } else if (!waits_out(transfer, outcome->status)) {
        exchange->status = outcome->status;
        grc_answer_head_give(&transfer->head, exchange);
        grc_transfer_finish(transfer, GR_OK);
    }
}

/* --- waiting --- */

static bool client_gone(const struct grc_exchange *exchange)
{
    return exchange->gone && exchange->gone(exchange->gone_arg);
}

void grc_transfer_look(struct grc_transfer *transfer, int64_t now_ms)
{
    if (now_ms >= transfer->resume_ms)
        transfer->state = GRC_TRANSFER_READY;
    else if (client_gone(transfer->exchange))
        grc_transfer_finish(transfer, GR_ERR_CANCELLED);
}
