/*
 * The allowed receivers of webhooks. A plugin can only call upstreams that it defined in init, so
 * the origins that rooms may name as receivers are in the config.
 */
#include "webhooks.h"

#include <stdio.h>
#include <stdlib.h>

struct target {
    char *origin; /* "https://hooks.example.org" */
    char name[24];
};

struct sb_targets {
    size_t count;
    struct target list[];
};

/* Returns the length of scheme and authority; 0 when url is not an http or https URL. */
static size_t origin_length(const char *url)
{
    size_t scheme = strncmp(url, "https://", 8) == 0 ? 8 : strncmp(url, "http://", 7) == 0 ? 7 : 0;

    return scheme && url[scheme] ? scheme + strcspn(url + scheme, "/?#") : 0;
}

static const struct target *target_of(const struct sandbox *sb, const char *url)
{
    size_t length = origin_length(url);

    for (size_t i = 0; length && sb->targets && i < sb->targets->count; i++) {
        const struct target *target = &sb->targets->list[i];

        if (strlen(target->origin) == length && strncmp(target->origin, url, length) == 0)
            return target;
    }
    return NULL;
}

static enum gr_err define_target(struct gr_self *self, struct sandbox *sb, const char *url)
{
    struct target *target = &sb->targets->list[sb->targets->count];
    json_t *settings;
    enum gr_err err;

    if (target_of(sb, url))
        return GR_OK;
    if (!origin_length(url)) {
        gr_log_self(self, GR_LOG_ERROR, "webhook target '%s' is not an http or https URL", url);
        return GR_ERR_INVALID;
    }
    target->origin = strndup(url, origin_length(url));
    snprintf(target->name, sizeof(target->name), "webhook-%zu", sb->targets->count);
    settings = json_pack("{ss si ss ss s{sb}}", "url", target->origin, "retries", 0,
                         "connect_timeout", "2s", "timeout", "10s", "breaker", "enabled", 0);
    if (!target->origin || !settings) {
        free(target->origin);
        json_decref(settings);
        return GR_ERR_NO_MEMORY;
    }
    sb->targets->count++; /* sb_webhooks_free() frees the target from now on */
    err = gr_upstream_define(self, target->name, settings);
    json_decref(settings);
    return err;
}

enum gr_err sb_webhooks_init(struct gr_self *self, struct sandbox *sb)
{
    const char *const *urls = sb->options->webhook_targets;
    const char *own = sb->options->webhook_url;
    enum gr_err err = GR_OK;
    size_t count = 1;

    for (size_t i = 0; urls && urls[i]; i++)
        count++;
    sb->targets = calloc(1, sizeof(*sb->targets) + count * sizeof(sb->targets->list[0]));
    if (!sb->targets)
        return GR_ERR_NO_MEMORY;
    if (own && *own)
        err = define_target(self, sb, own);
    for (size_t i = 0; err == GR_OK && urls && urls[i]; i++)
        err = define_target(self, sb, urls[i]);
    return err;
}

void sb_webhooks_free(struct sandbox *sb)
{
    for (size_t i = 0; sb->targets && i < sb->targets->count; i++)
        free(sb->targets->list[i].origin);
    free(sb->targets);
    sb->targets = NULL;
}

const char *sb_target_upstream(const struct sandbox *sb, const char *url)
{
    const struct target *target = target_of(sb, url);

    return target ? target->name : NULL;
}

const char *sb_target_path(const char *url)
{
    return url + origin_length(url);
}
