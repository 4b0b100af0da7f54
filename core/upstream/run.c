/* Runs exchanges: one, or several at the same time. */
#include "upstream/curl.h"
#include "upstream/group.h"
#include "upstream/http1.h"
#include "upstream/http2.h"

#include "base/clock.h"
#include "loop/fiber.h"
#include "loop/wait.h"

static int step_until(int64_t when_ms, int64_t now_ms)
{
    int64_t left_ms = when_ms - now_ms;

    if (left_ms > GRC_GONE_STEP_MS)
        return GRC_GONE_STEP_MS;
    return left_ms > 0 ? (int)left_ms : 0;
}

/* --- libcurl --- */

/* Loads libcurl before the first attempt. Without it, the attempt has failed. */
static bool has_libcurl(const struct grc_transfer *transfer, struct grc_outcome *ret_outcome)
{
    char reason[GRC_LIBRARY_REASON];
    enum gr_err err = grc_curl_load(transfer->deadline_ms, reason);

    if (err == GR_OK)
        return true;
    *ret_outcome = (struct grc_outcome){
        .err = err,
        .lasting = true,
        .detail = grc_arena_copy(transfer->exchange->arena, gr_str_of(reason)),
    };
    return false;
}

/* --- one exchange --- */

static void pause_transfer(struct grc_transfer *transfer)
{
    int64_t step_ms = grc_mono_ms() + GRC_GONE_STEP_MS;
    int64_t until_ms = transfer->resume_ms < step_ms ? transfer->resume_ms : step_ms;

    if (grc_wait_until(until_ms, GRC_WAITS_PAUSE) == GRC_WOKEN_CANCELLED)
        grc_transfer_finish(transfer, GR_ERR_CANCELLED);
    else
        grc_transfer_look(transfer, grc_mono_ms());
}

static struct grc_outcome attempt(struct grc_transfer *transfer)
{
    const struct grc_upstream *upstream = transfer->upstream;
    struct grc_outcome outcome;

    if (!has_libcurl(transfer, &outcome))
        return outcome;
    if (upstream->http2 && grc_http2_attempt(transfer, &outcome))
        return outcome;
    return upstream->settings->curl_transport ? grc_curl_attempt(transfer)
                                              : grc_http1_attempt(transfer);
}

void grc_run_single(struct grc_upstream *upstream, struct grc_exchange *exchange)
{
    struct grc_transfer transfer;

    grc_transfer_begin(&transfer, upstream, exchange, false);
    while (transfer.state != GRC_TRANSFER_DONE) {
        if (transfer.state == GRC_TRANSFER_WAITING) {
            pause_transfer(&transfer);
            continue;
        }
        grc_transfer_launch(&transfer);
        if (transfer.state == GRC_TRANSFER_RUNNING) {
            struct grc_outcome outcome = attempt(&transfer);
            grc_transfer_attempt_done(&transfer, &outcome);
        }
    }
    grc_transfer_end(&transfer);
}

/* --- several at the same time on a thread: in one multi handle --- */

static struct grc_transfer *transfer_of(struct grc_transfer *transfers, size_t count,
                                        const CURL *easy)
{
    for (size_t i = 0; i < count; i++) {
        if (transfers[i].handle && transfers[i].handle->easy == easy)
            return &transfers[i];
    }
    return NULL;
}

static void attempt_done(struct grc_transfer *transfer, CURLcode code)
{
    struct grc_outcome outcome = grc_curl_end(transfer, code);

    grc_transfer_attempt_done(transfer, &outcome);
}

static void launch_into(struct grc_transfer *transfer, struct grc_multi *multi)
{
    grc_transfer_launch(transfer);
    if (transfer->state != GRC_TRANSFER_RUNNING)
        return;
    enum gr_err err = grc_curl_begin(transfer);
    if (err != GR_OK) {
        struct grc_outcome outcome = {.err = err};
        grc_transfer_attempt_done(transfer, &outcome);
    } else if (grc_sockets_attach(transfer->handle->easy, &multi->sockets) != CURLE_OK ||
               grc_curl()->multi_add_handle(multi->multi, transfer->handle->easy) != CURLM_OK) {
        attempt_done(transfer, CURLE_OUT_OF_MEMORY);
    }
}

static void collect(struct grc_transfer *transfers, size_t count, struct grc_multi *multi)
{
    int left = 0;

    for (;;) {
        const CURLMsg *message = grc_curl()->multi_info_read(multi->multi, &left);
        if (!message)
            return;
        if (message->msg != CURLMSG_DONE)
            continue;
        CURL *easy = message->easy_handle;
        CURLcode code = message->data.result;
        struct grc_transfer *transfer = transfer_of(transfers, count, easy);
        grc_curl()->multi_remove_handle(multi->multi, easy); /* message is gone after this */
        if (transfer)
            attempt_done(transfer, code);
    }
}

/* Starts transfers that are ready and checks those that wait. Returns the time until the next
 * check. */
static int tend(struct grc_transfer *transfers, size_t count, struct grc_multi *multi,
                bool *ret_done)
{
    int64_t now_ms = grc_mono_ms();
    int step_ms = GRC_GONE_STEP_MS;

    *ret_done = true;
    for (size_t i = 0; i < count; i++) {
        struct grc_transfer *transfer = &transfers[i];
        if (transfer->state == GRC_TRANSFER_WAITING)
            grc_transfer_look(transfer, now_ms);
        if (transfer->state == GRC_TRANSFER_READY)
            launch_into(transfer, multi);
        if (transfer->state == GRC_TRANSFER_READY) {
            step_ms = 0;
        } else if (transfer->state == GRC_TRANSFER_WAITING) {
            int step = step_until(transfer->resume_ms, now_ms);
            step_ms = step < step_ms ? step : step_ms;
        }
        if (transfer->state != GRC_TRANSFER_DONE)
            *ret_done = false;
    }
    return step_ms;
}

static void abandon(struct grc_transfer *transfers, size_t count, struct grc_multi *multi)
{
    for (size_t i = 0; i < count; i++) {
        if (transfers[i].state == GRC_TRANSFER_RUNNING) {
            grc_curl()->multi_remove_handle(multi->multi, transfers[i].handle->easy);
            attempt_done(&transfers[i], CURLE_OUT_OF_MEMORY);
        }
        if (transfers[i].state != GRC_TRANSFER_DONE)
            grc_transfer_finish(&transfers[i], GR_ERR_INTERNAL);
    }
}

static void drive(struct grc_transfer *transfers, size_t count, struct grc_multi *multi)
{
    bool done = false;
    int running = 0;

    for (;;) {
        int step_ms = tend(transfers, count, multi, &done);
        if (done)
            return;
        /* Returns at once for handles that were just added. */
        if (grc_curl()->multi_poll(multi->multi, NULL, 0, step_ms, NULL) != CURLM_OK ||
            grc_curl()->multi_perform(multi->multi, &running) != CURLM_OK) {
            abandon(transfers, count, multi);
            return;
        }
        collect(transfers, count, multi);
    }
}

static void run_each(struct grc_upstreams *all, struct grc_exchange *exchanges, size_t count)
{
    for (size_t i = 0; i < count; i++)
        grc_run_single(grc_upstream_find(all, exchanges[i].upstream), &exchanges[i]);
}

void grc_run_group(struct grc_upstreams *all, struct grc_exchange *exchanges, size_t count)
{
    char reason[GRC_LIBRARY_REASON];

    if (grc_fiber_self() && grc_group_run(all, exchanges, count))
        return;
    if (grc_curl_load(GRC_NEVER_MS, reason) != GR_OK) {
        run_each(all, exchanges, count); /* each one fails */
        return;
    }
    struct grc_arena *arena = exchanges[0].arena;
    struct grc_transfer *transfers = grc_arena_alloc(arena, count * sizeof(*transfers));
    struct grc_multi *multi = transfers ? grc_multi_take(all) : NULL;

    if (!multi) {
        for (size_t i = 0; i < count; i++)
            exchanges[i].err = GR_ERR_NO_MEMORY;
        return;
    }
    for (size_t i = 0; i < count; i++)
        grc_transfer_begin(&transfers[i], grc_upstream_find(all, exchanges[i].upstream),
                           &exchanges[i], true);
    drive(transfers, count, multi);
    for (size_t i = 0; i < count; i++)
        grc_transfer_end(&transfers[i]);
    grc_multi_give(all, multi);
}
