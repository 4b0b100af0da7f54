#include "upstream/curl.h"

#include "base/clock.h"

static void give_back(struct grc_transfer *transfer)
{
    grc_handles_give(transfer->pool, transfer->handle,
                     transfer->upstream->settings->idle_timeout_ms);
    transfer->handle = NULL;
}

enum gr_err grc_curl_begin(struct grc_transfer *transfer)
{
    int64_t left_ms = transfer->deadline_ms - grc_mono_ms();

    transfer->handle = grc_handles_take(transfer->upstream, transfer->pool);
    if (!transfer->handle)
        return GR_ERR_NO_MEMORY;
    /* 0 would mean no limit to libcurl. */
    enum gr_err err = grc_handle_prepare(transfer->handle, transfer->exchange, &transfer->head,
                                         transfer->token, left_ms > 0 ? left_ms : 1);
    if (err != GR_OK)
        give_back(transfer);
    return err;
}

struct grc_outcome grc_curl_end(struct grc_transfer *transfer, CURLcode code)
{
    struct grc_outcome outcome = grc_handle_outcome(transfer->handle, transfer->exchange, code);

    give_back(transfer);
    return outcome;
}

enum gr_err grc_curl_early(enum grc_woken woken, struct grc_handle *handle)
{
    if (woken == GRC_WOKEN_CANCELLED || grc_gone_look(&handle->gone_look))
        return GR_ERR_CANCELLED;
    return woken == GRC_WOKEN_FAILED ? GR_ERR_NO_MEMORY : GR_OK;
}

/* Drives the handle to its end. libcurl keeps the deadline, which is the handle's time-out. */
static enum gr_err drive(struct grc_handle *handle, CURLcode *ret_code)
{
    struct grc_driver *driver = &handle->driver;

    if (!driver->multi && (!grc_driver_begin(driver) ||
                           grc_multi_setopt(driver->multi, CURLMOPT_MAXCONNECTS, 1L) != CURLM_OK))
        return GR_ERR_NO_MEMORY;
    if (grc_driver_add(driver, handle->easy) != CURLM_OK)
        return GR_ERR_NO_MEMORY;
    for (;;) {
        if (grc_driver_act(driver) != CURLM_OK)
            return GR_ERR_NO_MEMORY;
        if (grc_driver_next_done(driver, ret_code))
            return GR_OK;
        enum gr_err err =
            grc_curl_early(grc_driver_wait(driver, grc_gone_step(&handle->gone_look, GRC_NEVER_MS),
                                           GRC_WAITS_UPSTREAM),
                           handle);
        if (err != GR_OK)
            return err;
    }
}

struct grc_outcome grc_curl_attempt(struct grc_transfer *transfer)
{
    CURLcode code = CURLE_ABORTED_BY_CALLBACK; /* stays when libcurl does not finish */
    enum gr_err err = grc_curl_begin(transfer);

    if (err != GR_OK)
        return (struct grc_outcome){.err = err};
    struct grc_handle *handle = transfer->handle;
    err = drive(handle, &code);
    if (handle->driver.multi)
        grc_curl()->multi_remove_handle(handle->driver.multi, handle->easy);
    struct grc_outcome outcome = grc_curl_end(transfer, code);
    if (err != GR_OK)
        outcome.err = err;
    return outcome;
}
