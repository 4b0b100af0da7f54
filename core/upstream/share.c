#include "upstream/share.h"

static void lock_data(CURL *easy, curl_lock_data data, curl_lock_access access, void *arg)
{
    struct grc_share *share = arg;

    (void)easy;
    (void)access;
    pthread_mutex_lock(&share->locks[data]);
}

static void unlock_data(CURL *easy, curl_lock_data data, void *arg)
{
    struct grc_share *share = arg;

    (void)easy;
    pthread_mutex_unlock(&share->locks[data]);
}

void grc_share_init(struct grc_share *share)
{
    share->handle = NULL;
    pthread_mutex_init(&share->lock, NULL);
    for (size_t i = 0; i < CURL_LOCK_DATA_LAST; i++)
        pthread_mutex_init(&share->locks[i], NULL);
}

static CURLSH *make(struct grc_share *share)
{
    const struct grc_curl *curl = grc_curl();
    CURLSH *handle = curl->share_init();

    if (!handle)
        return NULL;
    if (curl->share_setopt(handle, CURLSHOPT_LOCKFUNC, lock_data) == CURLSHE_OK &&
        curl->share_setopt(handle, CURLSHOPT_UNLOCKFUNC, unlock_data) == CURLSHE_OK &&
        curl->share_setopt(handle, CURLSHOPT_USERDATA, share) == CURLSHE_OK &&
        curl->share_setopt(handle, CURLSHOPT_SHARE, CURL_LOCK_DATA_DNS) == CURLSHE_OK)
        return handle;
    (void)curl->share_cleanup(handle);
    return NULL;
}

CURLSH *grc_share_take(struct grc_share *share)
{
    pthread_mutex_lock(&share->lock);
    if (!share->handle)
        share->handle = make(share);
    CURLSH *handle = share->handle;
    pthread_mutex_unlock(&share->lock);
    return handle;
}

void grc_share_done(struct grc_share *share)
{
    if (share->handle)
        (void)grc_curl()->share_cleanup(share->handle);
    pthread_mutex_destroy(&share->lock);
    for (size_t i = 0; i < CURL_LOCK_DATA_LAST; i++)
        pthread_mutex_destroy(&share->locks[i]);
}
