/* What the handles of all upstreams share: answers of DNS, but not connections, which libcurl
 * cannot share safely. Thread-safe. */
#pragma once

#include "upstream/libcurl.h"

#include <pthread.h>

struct grc_share {
    CURLSH *handle; /* NULL until a handle needs it, since libcurl is not loaded before */
    pthread_mutex_t lock;
    pthread_mutex_t locks[CURL_LOCK_DATA_LAST]; /* libcurl's */
};

void grc_share_init(struct grc_share *share);
/* Returns what CURLOPT_SHARE takes; NULL without memory. */
CURLSH *grc_share_take(struct grc_share *share);
/* Called when all handles have gone. */
void grc_share_done(struct grc_share *share);
