/* Drives exchanges: one by the thread that wants it, or several side by side. */
#include "upstream/flight.h"

#include "base/clock.h"

#include <poll.h>

static int step_until(int64_t when_ms, int64_t now_ms)
{
    int64_t left_ms = when_ms - now_ms;

    if (left_ms > GRC_GONE_STEP_MS)
        return GRC_GONE_STEP_MS;
    return left_ms > 0 ? (int)left_ms : 0;
}

/* --- one exchange: the thread itself does the work --- */

void grc_run_single(struct grc_upstream *upstream, struct grc_exchange *exchange)
{
    struct grc_flight flight;

    grc_flight_begin(&flight, upstream, exchange, false);
    while (flight.state != GRC_FLIGHT_DONE) {
        if (flight.state == GRC_FLIGHT_WAITING) {
            poll(NULL, 0, step_until(flight.resume_ms, grc_mono_ms()));
            grc_flight_look(&flight, grc_mono_ms());
            continue;
        }
        grc_flight_launch(&flight);
        if (flight.state == GRC_FLIGHT_RUNNING)
            grc_flight_land(&flight, grc_handle_perform(flight.handle));
    }
    grc_flight_end(&flight);
}

/* --- several side by side: one multi drives them all --- */

static struct grc_flight *flight_of(struct grc_flight *flights, size_t count, const CURL *easy)
{
    for (size_t i = 0; i < count; i++) {
        if (flights[i].handle && flights[i].handle->easy == easy)
            return &flights[i];
    }
    return NULL;
}

static void launch_into(struct grc_flight *flight, struct grc_crew *crew)
{
    grc_flight_launch(flight);
    if (flight->state == GRC_FLIGHT_RUNNING &&
        (grc_sockets_attach(flight->handle->easy, &crew->sockets) != CURLE_OK ||
         curl_multi_add_handle(crew->multi, flight->handle->easy) != CURLM_OK))
        grc_flight_land(flight, CURLE_OUT_OF_MEMORY);
}

static void collect(struct grc_flight *flights, size_t count, struct grc_crew *crew)
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
        struct grc_flight *flight = flight_of(flights, count, easy);
        curl_multi_remove_handle(crew->multi, easy); /* message is gone after this */
        if (flight)
            grc_flight_land(flight, code);
    }
}

/* Starts what is ready and looks after what waits. Returns how long nothing else is to be done. */
static int tend(struct grc_flight *flights, size_t count, struct grc_crew *crew, bool *ret_done)
{
    int64_t now_ms = grc_mono_ms();
    int step_ms = GRC_GONE_STEP_MS;

    *ret_done = true;
    for (size_t i = 0; i < count; i++) {
        struct grc_flight *flight = &flights[i];
        if (flight->state == GRC_FLIGHT_WAITING)
            grc_flight_look(flight, now_ms);
        if (flight->state == GRC_FLIGHT_READY)
            launch_into(flight, crew);
        if (flight->state == GRC_FLIGHT_READY) {
            step_ms = 0;
        } else if (flight->state == GRC_FLIGHT_WAITING) {
            int step = step_until(flight->resume_ms, now_ms);
            step_ms = step < step_ms ? step : step_ms;
        }
        if (flight->state != GRC_FLIGHT_DONE)
            *ret_done = false;
    }
    return step_ms;
}

static void abandon(struct grc_flight *flights, size_t count, struct grc_crew *crew)
{
    for (size_t i = 0; i < count; i++) {
        if (flights[i].state == GRC_FLIGHT_RUNNING) {
            curl_multi_remove_handle(crew->multi, flights[i].handle->easy);
            grc_flight_land(&flights[i], CURLE_OUT_OF_MEMORY);
        }
        if (flights[i].state != GRC_FLIGHT_DONE)
            grc_flight_finish(&flights[i], GR_ERR_INTERNAL);
    }
}

static void fly(struct grc_flight *flights, size_t count, struct grc_crew *crew)
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
    struct grc_flight *flights = grc_arena_alloc(arena, count * sizeof(*flights));
    struct grc_crew *crew = flights ? grc_crew_take(all) : NULL;

    if (!crew) {
        for (size_t i = 0; i < count; i++)
            exchanges[i].err = GR_ERR_NO_MEMORY;
        return;
    }
    for (size_t i = 0; i < count; i++)
        grc_flight_begin(&flights[i], grc_upstream_find(all, exchanges[i].upstream), &exchanges[i],
                         true);
    fly(flights, count, crew);
    for (size_t i = 0; i < count; i++)
        grc_flight_end(&flights[i]);
    grc_crew_give(all, crew);
}
