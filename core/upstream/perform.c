/* One exchange with one handle, driven by the thread that wants it. */
#include "upstream/internal.h"

#define WAIT_MS 1000 /* the progress callback runs at least this often */

static CURLM *multi_of(struct grc_handle *handle)
{
    if (!handle->multi) {
        handle->multi = curl_multi_init();
        if (handle->multi &&
            curl_multi_setopt(handle->multi, CURLMOPT_MAXCONNECTS, 1L) != CURLM_OK) {
            curl_multi_cleanup(handle->multi);
            handle->multi = NULL;
        }
    }
    return handle->multi;
}

static CURLcode drive(CURLM *multi)
{
    const CURLMsg *message;
    int running = 1;
    int left = 0;

    /* Work first: with a kept connection the request leaves before anything is waited for. */
    CURLMcode rc = curl_multi_perform(multi, &running);
    while (rc == CURLM_OK && running) {
        rc = curl_multi_poll(multi, NULL, 0, WAIT_MS, NULL);
        if (rc == CURLM_OK)
            rc = curl_multi_perform(multi, &running);
    }
    message = rc == CURLM_OK ? curl_multi_info_read(multi, &left) : NULL;
    return message && message->msg == CURLMSG_DONE ? message->data.result : CURLE_OUT_OF_MEMORY;
}

CURLcode grc_handle_perform(struct grc_handle *handle)
{
    CURLM *multi = multi_of(handle);

    if (!multi || curl_multi_add_handle(multi, handle->easy) != CURLM_OK)
        return CURLE_OUT_OF_MEMORY;
    CURLcode code = drive(multi);
    curl_multi_remove_handle(multi, handle->easy);
    return code;
}
