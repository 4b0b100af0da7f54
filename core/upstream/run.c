/* What happens to an exchange from its start to its end: capacity, breaker, credential, attempts.
 */
#include "upstream/internal.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "base/secure.h"

#include <poll.h>

#define STEP_MS 100 /* how often a wait looks whether the client left */
#define WARN_EVERY_MS 1000

enum flight_state { FLIGHT_READY = 1, FLIGHT_RUNNING, FLIGHT_WAITING, FLIGHT_DONE };

/* One exchange on its way. */
struct flight {
    enum flight_state state;
    struct grc_upstream *upstream;
    struct grc_exchange *exchange;
    struct grc_handles *pool;
    struct grc_handle *handle; /* while running */
    struct grc_token *token;
    enum grc_breaker_pass pass;
    bool asked;   /* the breaker wants to hear the result */
    bool boarded; /* counts as in flight */
    bool renewed; /* the token was renewed for it; not twice */
    unsigned tries;
    int64_t deadline_ms;
    int64_t launched_us;
    int64_t resume_ms; /* while waiting */
};

static void finish(struct flight *flight, enum gr_err err)
{
    flight->exchange->err = err;
    flight->state = FLIGHT_DONE;
}

static bool board(struct flight *flight)
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

static void refuse(struct flight *flight, int64_t wait_ms)
{
    grc_exchange_refuse(flight->exchange, flight->upstream, wait_ms);
    flight->state = FLIGHT_DONE;
}

static void begin(struct flight *flight, struct grc_upstream *upstream,
                  struct grc_exchange *exchange, bool grouped)
{
    int64_t now_ms = grc_mono_ms();

    *flight = (struct flight){.state = FLIGHT_READY, .exchange = exchange, .upstream = upstream};
    grc_exchange_reset(exchange);
    exchange->took_us = grc_mono_us();
    if (!upstream) {
        finish(flight, GR_ERR_INTERNAL);
        return;
    }
    flight->pool = grouped ? &upstream->grouped : &upstream->single;
    flight->deadline_ms = grc_exchange_deadline(exchange, upstream, now_ms);
    if (flight->deadline_ms <= now_ms)
        finish(flight, GR_ERR_UPSTREAM_TIMEOUT);
    else if (!board(flight))
        refuse(flight, 0);
    else
        grc_retry_budget_earn(&upstream->budget, now_ms);
}

static void end(struct flight *flight)
{
    struct grc_exchange *exchange = flight->exchange;

    grc_token_unref(flight->token);
    if (flight->boarded)
        atomic_fetch_sub_explicit(&flight->upstream->in_flight, 1, memory_order_relaxed);
    exchange->took_us = grc_mono_us() - exchange->took_us;
}

static void tell_breaker(struct flight *flight, enum grc_breaker_result result)
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

static enum gr_err take_token(struct flight *flight)
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

/* On return the flight is running, or done. */
static void launch(struct flight *flight)
{
    int64_t now_ms = grc_mono_ms();
    int64_t wait_ms = 0;

    if (flight->deadline_ms <= now_ms) {
        finish(flight, GR_ERR_UPSTREAM_TIMEOUT);
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
        finish(flight, err);
        return;
    }
    flight->launched_us = grc_mono_us();
    flight->state = FLIGHT_RUNNING;
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
static void warn(const struct flight *flight, const struct grc_outcome *outcome)
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

static void account(struct flight *flight, const struct grc_outcome *outcome)
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

static void wait_for(struct flight *flight, int64_t delay_ms)
{
    flight->resume_ms = grc_mono_ms() + delay_ms;
    flight->state = FLIGHT_WAITING;
}

static bool is_safe(const struct grc_exchange *exchange)
{
    return exchange->method == GR_METHOD_GET || exchange->idempotent;
}

/* true: there will be another attempt after so long. */
static bool try_again(struct flight *flight, int64_t delay_ms)
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
static void fail_or_retry(struct flight *flight, const struct grc_outcome *outcome)
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
        finish(flight, outcome->err);
}

/* true: the upstream asked for patience that a safe call can have, and gets another try. */
static bool waits_out(struct flight *flight, int status)
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
static bool refused_and_renewed(struct flight *flight, int status)
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

/* An attempt is over. On return the flight is waiting, ready for the next, or done. */
static void land(struct flight *flight, CURLcode code)
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
        flight->state = FLIGHT_READY;
    } else if (!waits_out(flight, outcome.status)) {
        exchange->status = outcome.status;
        finish(flight, grc_handle_answer(handle, exchange));
    }
    grc_handles_give(flight->pool, handle, flight->upstream->settings->idle_timeout_ms);
    flight->handle = NULL;
}

/* --- waiting --- */

static bool client_gone(const struct grc_exchange *exchange)
{
    return exchange->gone && exchange->gone(exchange->gone_arg);
}

/* Ends the wait when its time has come, or when the client left. */
static void look(struct flight *flight, int64_t now_ms)
{
    if (now_ms >= flight->resume_ms)
        flight->state = FLIGHT_READY;
    else if (client_gone(flight->exchange))
        finish(flight, GR_ERR_CANCELLED);
}

static int step_until(int64_t when_ms, int64_t now_ms)
{
    int64_t left_ms = when_ms - now_ms;

    if (left_ms > STEP_MS)
        return STEP_MS;
    return left_ms > 0 ? (int)left_ms : 0;
}

/* --- one exchange: the thread itself does the work --- */

void grc_run_single(struct grc_upstream *upstream, struct grc_exchange *exchange)
{
    struct flight flight;

    begin(&flight, upstream, exchange, false);
    while (flight.state != FLIGHT_DONE) {
        if (flight.state == FLIGHT_WAITING) {
            poll(NULL, 0, step_until(flight.resume_ms, grc_mono_ms()));
            look(&flight, grc_mono_ms());
            continue;
        }
        launch(&flight);
        if (flight.state == FLIGHT_RUNNING)
            land(&flight, grc_handle_perform(flight.handle));
    }
    end(&flight);
}

/* --- several side by side: one multi drives them all --- */

static struct flight *flight_of(struct flight *flights, size_t count, const CURL *easy)
{
    for (size_t i = 0; i < count; i++) {
        if (flights[i].handle && flights[i].handle->easy == easy)
            return &flights[i];
    }
    return NULL;
}

static void launch_into(struct flight *flight, struct grc_crew *crew)
{
    launch(flight);
    if (flight->state == FLIGHT_RUNNING &&
        (grc_sockets_attach(flight->handle->easy, &crew->sockets) != CURLE_OK ||
         curl_multi_add_handle(crew->multi, flight->handle->easy) != CURLM_OK))
        land(flight, CURLE_OUT_OF_MEMORY);
}

static void collect(struct flight *flights, size_t count, struct grc_crew *crew)
{
    int left = 0;

    for (;;) {
        const CURLMsg *message = curl_multi_info_read(crew->multi, &left);
        if (!message)
            return;
        if (message->msg != CURLMSG_DONE)
            continue;
        CURL *easy = message->easy_handle;
        CURLcode code = message->data.result;
        struct flight *flight = flight_of(flights, count, easy);
        curl_multi_remove_handle(crew->multi, easy); /* message is gone after this */
        if (flight)
            land(flight, code);
    }
}

/* Starts what is ready and looks after what waits. Returns how long nothing else is to be done. */
static int tend(struct flight *flights, size_t count, struct grc_crew *crew, bool *ret_done)
{
    int64_t now_ms = grc_mono_ms();
    int step_ms = STEP_MS;

    *ret_done = true;
    for (size_t i = 0; i < count; i++) {
        struct flight *flight = &flights[i];
        if (flight->state == FLIGHT_WAITING)
            look(flight, now_ms);
        if (flight->state == FLIGHT_READY)
            launch_into(flight, crew);
        if (flight->state == FLIGHT_READY) {
            step_ms = 0;
        } else if (flight->state == FLIGHT_WAITING) {
            int step = step_until(flight->resume_ms, now_ms);
            step_ms = step < step_ms ? step : step_ms;
        }
        if (flight->state != FLIGHT_DONE)
            *ret_done = false;
    }
    return step_ms;
}

static void abandon(struct flight *flights, size_t count, struct grc_crew *crew)
{
    for (size_t i = 0; i < count; i++) {
        if (flights[i].state == FLIGHT_RUNNING) {
            curl_multi_remove_handle(crew->multi, flights[i].handle->easy);
            land(&flights[i], CURLE_OUT_OF_MEMORY);
        }
        if (flights[i].state != FLIGHT_DONE)
            finish(&flights[i], GR_ERR_INTERNAL);
    }
}

static void fly(struct flight *flights, size_t count, struct grc_crew *crew)
{
    bool done = false;
    int running = 0;

    for (;;) {
        int step_ms = tend(flights, count, crew, &done);
        if (done)
            return;
        /* Returns at once for handles that were just added. */
        if (curl_multi_poll(crew->multi, NULL, 0, step_ms, NULL) != CURLM_OK ||
            curl_multi_perform(crew->multi, &running) != CURLM_OK) {
            abandon(flights, count, crew);
            return;
        }
        collect(flights, count, crew);
    }
}

void grc_run_group(struct grc_upstreams *all, struct grc_exchange *exchanges, size_t count)
{
    struct grc_arena *arena = exchanges[0].arena;
    struct flight *flights = grc_arena_alloc(arena, count * sizeof(*flights));
    struct grc_crew *crew = flights ? grc_crew_take(all) : NULL;

    if (!crew) {
        for (size_t i = 0; i < count; i++)
            exchanges[i].err = GR_ERR_NO_MEMORY;
        return;
    }
    for (size_t i = 0; i < count; i++)
        begin(&flights[i], grc_upstream_find(all, exchanges[i].upstream), &exchanges[i], true);
    fly(flights, count, crew);
    for (size_t i = 0; i < count; i++)
        end(&flights[i]);
    grc_crew_give(all, crew);
}
