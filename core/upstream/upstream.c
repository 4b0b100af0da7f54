/* The upstreams of a runtime: made from the settings, found by name, freed together. */
#include "upstream/connection.h"
#include "upstream/http2.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/format.h"
#include "base/secure.h"

#include <stdio.h>
#include <stdlib.h>

#define UPSTREAMS_MAX 256u

/* --- one upstream --- */

static void upstream_free(struct grc_upstream *upstream)
{
    if (!upstream)
        return;
    grc_connections_free(upstream);
    grc_handles_free(&upstream->single);
    grc_handles_free(&upstream->grouped);
    grc_handles_free(&upstream->multiplexed);
    grc_http2_free(upstream->http2);
    grc_idle_done(&upstream->connections);
    grc_idle_done(&upstream->single);
    grc_idle_done(&upstream->grouped);
    grc_idle_done(&upstream->multiplexed);
    grc_breaker_done(&upstream->breaker);
    grc_upstream_settings_free(upstream->own);
    grc_upstream_url_done(&upstream->url);
    free(upstream);
}

static struct grc_token_source *token_source_find(const struct grc_upstreams *all, const char *name)
{
    for (size_t i = 0; i < all->token_source_count; i++) {
        if (strcmp(grc_token_source_name(all->token_sources[i]), name) == 0)
            return all->token_sources[i];
    }
    return NULL;
}

static struct grc_upstream *upstream_new(struct grc_upstreams *all,
                                         const struct grc_upstream_settings *settings)
{
    struct grc_upstream *upstream = calloc(1, sizeof(*upstream));

    if (!upstream)
        return NULL;
    upstream->settings = settings;
    upstream->share = &all->share;
    upstream->metrics = grc_metrics_upstream(settings->name);
    grc_retry_budget_init(&upstream->budget, settings->retry_percent);
    if (settings->http2 && !(upstream->http2 = grc_http2_new())) {
        free(upstream);
        return NULL;
    }
    upstream->requests_max = settings->requests_max
                                 ? settings->requests_max
                                 : grc_requests_share(all->settings->requests_max);
    /* Only pthread_mutex_init() can fail here, which does not happen in practice. */
    if (!grc_idle_init(&upstream->connections) || !grc_idle_init(&upstream->single) ||
        !grc_idle_init(&upstream->grouped) || !grc_idle_init(&upstream->multiplexed) ||
        !grc_breaker_init(&upstream->breaker, &settings->breaker)) {
        grc_http2_free(upstream->http2);
        free(upstream);
        return NULL;
    }
    return upstream;
}

static bool upstream_add(struct grc_upstreams *all, const struct grc_upstream_settings *settings,
                         struct grc_upstream_settings *own, char **ret_reason)
{
    struct grc_upstream *upstream;

    if (grc_upstreams_has(all, settings->name))
        return grc_refuse(ret_reason, "an upstream '%s' exists", settings->name);
    if (all->count >= UPSTREAMS_MAX)
        return grc_refuse(ret_reason, "more than %u upstreams", UPSTREAMS_MAX);
    upstream = upstream_new(all, settings);
    if (!upstream)
        return grc_refuse(ret_reason, "out of memory");
    if (settings->credential) {
        upstream->token_source = token_source_find(all, settings->credential);
        if (!upstream->token_source) {
            upstream_free(upstream);
            return grc_refuse(ret_reason, "upstream '%s': no credential '%s'", settings->name,
                              settings->credential);
        }
    }
    char *reason = NULL;
    if (!grc_upstream_url_read(settings->url, &upstream->url, &reason)) {
        upstream_free(upstream);
        (void)grc_refuse(ret_reason, "upstream '%s': %s", settings->name,
                         reason ? reason : "out of memory");
        free(reason);
        return false;
    }
    upstream->own = own;
    all->list[all->count++] = upstream;
    return true;
}

struct grc_upstream *grc_upstream_find(const struct grc_upstreams *all, const char *name)
{
    for (size_t i = 0; name && i < all->count; i++) {
        if (strcmp(all->list[i]->settings->name, name) == 0)
            return all->list[i];
    }
    return NULL;
}

/* --- all of them --- */

static bool add_token_sources(struct grc_upstreams *all, char **ret_reason)
{
    const struct grc_settings *settings = all->settings;

    for (size_t i = 0; i < settings->credential_count; i++) {
        const struct grc_credential *credential = &settings->credentials[i];
        const char *reason = "out of memory";
        struct grc_token_source *token_source;

        if (credential->kind == GRC_CREDENTIAL_NONE)
            continue;
        token_source = grc_token_source_new(credential, &reason);
        if (!token_source)
            return grc_refuse(ret_reason, "credential '%s': %s", credential->name, reason);
        all->token_sources[all->token_source_count++] = token_source;
    }
    return true;
}

static bool fill(struct grc_upstreams *all, char **ret_reason)
{
    grc_random(&all->seed, sizeof(all->seed));
    all->shares = grc_singleflights_new();
    if (all->settings->cache.max_bytes > 0)
        all->cache = grc_cache_new((size_t)all->settings->cache.max_bytes);
    if (!all->token_sources || !all->list || !all->shares ||
        (all->settings->cache.max_bytes > 0 && !all->cache))
        return grc_refuse(ret_reason, "out of memory");
    if (!add_token_sources(all, ret_reason))
        return false;
    for (size_t i = 0; i < all->settings->upstream_count; i++) {
        if (!upstream_add(all, &all->settings->upstreams[i], NULL, ret_reason))
            return false;
    }
    return true;
}

struct grc_upstreams *grc_upstreams_new(const struct grc_settings *settings, char **ret_reason)
{
    struct grc_upstreams *all = calloc(1, sizeof(*all));

    if (!all) {
        *ret_reason = NULL;
        return NULL;
    }
    all->settings = settings;
    all->token_sources = calloc(settings->credential_count + 1, sizeof(struct grc_token_source *));
    all->list = calloc(UPSTREAMS_MAX, sizeof(struct grc_upstream *));
    pthread_mutex_init(&all->multi_lock, NULL);
    grc_share_init(&all->share);
    if (!fill(all, ret_reason)) {
        grc_upstreams_free(all);
        return NULL;
    }
    return all;
}

bool grc_upstreams_define(struct grc_upstreams *all, struct grc_upstream_settings *stolen,
                          char **ret_reason)
{
    if (upstream_add(all, stolen, stolen, ret_reason))
        return true;
    grc_upstream_settings_free(stolen);
    return false;
}

void grc_upstreams_keep(struct grc_upstreams *all, const char *name)
{
    struct grc_upstream *upstream = grc_upstream_find(all, name);

    if (upstream)
        upstream->cached = true;
}

bool grc_upstreams_share(struct grc_upstreams *all, char **ret_reason)
{
    const struct grc_cache_shared_settings *shared = &all->settings->cache.shared;
    bool kept = false;

    for (size_t i = 0; i < all->count; i++)
        kept = kept || all->list[i]->cached;
    if (!shared->server.url || !all->cache || !kept)
        return true;
    all->remote = grc_remote_new(shared, ret_reason);
    for (size_t i = 0; all->remote && i < all->count; i++) {
        const struct grc_upstream_settings *settings = all->list[i]->settings;

        all->list[i]->remote = grc_remote_upstream(
            all->remote, settings,
            settings->credential ? grc_settings_credential(all->settings, settings->credential)
                                 : NULL);
    }
    return all->remote != NULL;
}

bool grc_upstreams_share_start(struct grc_upstreams *all)
{
    return !all->remote || grc_remote_start(all->remote);
}

struct grc_remote *grc_upstreams_shared(const struct grc_upstreams *all)
{
    return all->remote;
}

bool grc_upstreams_has(const struct grc_upstreams *all, const char *name)
{
    return grc_upstream_find(all, name) != NULL;
}

enum gr_err grc_upstreams_sign(struct grc_upstreams *all, const char *upstream,
                               struct grc_arena *arena, const json_t *claims, int64_t lifetime_s,
                               char **ret_token)
{
    const struct grc_upstream *found = grc_upstream_find(all, upstream);

    if (!found || !found->token_source)
        return GR_ERR_INTERNAL;
    return grc_token_source_sign(found->token_source, arena, claims, lifetime_s, grc_now_s(),
                                 ret_token);
}

void grc_upstreams_free(struct grc_upstreams *all)
{
    if (!all)
        return;
    /* Handles first, since they use the share; multis next, since they have the connections. */
    for (size_t i = 0; i < all->count; i++)
        upstream_free(all->list[i]);
    while (all->multis) {
        struct grc_multi *multi = all->multis;
        all->multis = multi->next;
        grc_multi_free(multi);
    }
    for (size_t i = 0; i < all->token_source_count; i++)
        grc_token_source_free(all->token_sources[i]);
    grc_curl_settle();
    grc_share_done(&all->share);
    pthread_mutex_destroy(&all->multi_lock);
    grc_remote_free(all->remote);
    grc_singleflights_free(all->shares);
    grc_cache_free(all->cache);
    free(all->token_sources);
    free(all->list);
    free(all);
}

bool grc_upstreams_check_library(char reason[GRC_LIBRARY_REASON])
{
    return grc_library_is_there(GRC_LIBCURL) || grc_upstreams_load_library(reason);
}

bool grc_upstreams_load_library(char reason[GRC_LIBRARY_REASON])
{
    enum gr_err err = grc_curl_load(GRC_NEVER_MS, reason);

    if (err != GR_OK && !reason[0])
        snprintf(reason, GRC_LIBRARY_REASON, "%s", grc_err_slug(err));
    return err == GR_OK;
}

const char *grc_upstreams_library(void)
{
    return grc_curl_is_loaded() ? grc_curl()->version() : NULL;
}
