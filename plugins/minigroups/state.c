/* Makes the state of the group from its options. */
#include "base/state.h"

#include "account/authn.h"
#include "account/authz.h"
#include "base/ids.h"
#include "base/secret.h"
#include "service/signer.h"

#include <jansson.h>

#include <stdio.h>
#include <stdlib.h>

/* --- upstreams --- */

static bool define(struct gr_self *self, const char *name, const json_t *settings)
{
    json_t *complete = json_deep_copy(settings);
    bool good = complete != NULL;

    /* The defaults are a time-out of 5 s and no retries. */
    if (good && !json_object_get(complete, "timeout"))
        good = json_object_set_new(complete, "timeout", json_string("5s")) == 0;
    if (good && !json_object_get(complete, "retries"))
        good = json_object_set_new(complete, "retries", json_integer(0)) == 0;
    good = good && gr_upstream_define(self, name, complete) == GR_OK;
    json_decref(complete);
    if (!good)
        gr_log_self(self, GR_LOG_ERROR, "cannot use the upstream settings of '%s'", name);
    return good;
}

/* Defines an upstream minigroups_notify_N for each URL. Skips entries with an empty URL. */
static bool define_notify(struct mini_state *state, struct gr_self *self)
{
    const json_t *list = state->options->notify;
    json_t *settings = json_pack("{s:s, s:i}", "timeout", "5s", "retries", 0);
    size_t count = json_array_size(list);
    bool good = settings != NULL;

    state->notify = calloc(count + 1, sizeof(*state->notify));
    good = good && state->notify;
    for (size_t i = 0; i < count && good; i++) {
        const json_t *entry = json_array_get(list, i);
        const char *url = mini_config_text(entry, "url");
        struct mini_notify *target = &state->notify[state->notify_count];

        if (!url)
            continue;
        snprintf(target->upstream, sizeof(target->upstream), "minigroups_notify_%zu", i);
        target->audience = mini_config_text(entry, "audience");
        good = target->audience && gr_upstream_define_url(self, target->upstream, url, settings,
                                                          &target->path) == GR_OK;
        state->notify_count++;
    }
    json_decref(settings);
    return good;
}

static bool define_upstreams(struct mini_state *state, struct gr_self *self)
{
    const struct mini_options *options = state->options;

    state->has_tq = mini_config_text(options->tq, "url") != NULL;
    if (!state->has_tq)
        gr_log_self(self, GR_LOG_WARN, "no transcoding queue is configured: its tasks are skipped");
    return define(self, "minigroups_event", options->event) &&
           define(self, "minigroups_conference", options->conference) &&
           (!state->has_tq || define(self, "minigroups_tq", options->tq)) &&
           define_notify(state, self);
}

/* --- lifecycle --- */

static bool check_account(struct gr_self *self, const char *account)
{
    struct gr_account ours;

    if (mini_account_parse(gr_str_of(account), &ours))
        return true;
    gr_log_self(self, GR_LOG_ERROR, "account: expected label.audience, found '%s'", account);
    return false;
}

enum gr_err mini_state_init(struct gr_self *self, const void *options, void **ret_state)
{
    struct mini_state *state = calloc(1, sizeof(*state));

    if (!state)
        return GR_ERR_NO_MEMORY;
    state->options = options;
    gr_str secret = mini_secret(self, state->options->secret, state->options->secret_file);
    if (secret.len == 0 || !check_account(self, state->options->account) ||
        !define_upstreams(state, self))
        goto fail;
    state->authn = mini_authn_new(self, state->options->authn, secret);
    if (!state->authn)
        goto fail;
    state->authz = mini_authz_new(self, state->options->account, state->options->authz,
                                  state->options->authz_cache, mini_tenant_token);
    state->signer = mini_signer_new(self, state->options, secret);
    gr_hmac_sha256(self->host, secret, GR_STR("ids of absent classes"), state->absent_key);
    if (!state->authz || !state->signer)
        goto fail;
    *ret_state = state;
    return GR_OK;

fail:
    mini_state_fini(self, state);
    return GR_ERR_INVALID;
}

void mini_state_fini(struct gr_self *self, void *arg)
{
    struct mini_state *state = arg;

    mini_signer_free(self, state->signer);
    mini_authz_free(state->authz);
    mini_authn_free(self, state->authn);
    free(state->notify);
    free(state);
}
