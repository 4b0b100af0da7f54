#include "config.h"

#include "gate.h"
#include "ids.h"
#include "secret.h"
#include "signer.h"

#include <jansson.h>

#include <stdio.h>
#include <stdlib.h>

/* As under "upstreams" in greenroom.json; the host checks the other members when it makes it. */
static const struct gr_field upstream_shape[] = {
    GR_FIELD("url", GR_STRING, "Base URL of the service, without /api/v1",
             .flags = GR_FIELD_REQUIRED, .pattern = "https?://.+"),
    GR_END,
};
static const struct gr_field optional_upstream_shape[] = {
    GR_FIELD("url", GR_STRING, "Base URL of the service; empty: there is none",
             .flags = GR_FIELD_REQUIRED, .pattern = "(https?://.+)?"),
    GR_END,
};
static const struct gr_field callbacks_shape[] = {
    GR_FIELD("trusted", GR_ARRAY, "Accounts that may report what happened to a room",
             .flags = GR_FIELD_REQUIRED, .items = GR_ITEM(GR_STRING)),
    GR_FIELD("async", GR_BOOL, "Whether messages are answered with 202 once checked and kept",
             .default_doc = "false"),
    GR_END,
};
static const struct gr_field audience_shape[] = {
    GR_FIELD("audience", GR_STRING, "Audience", .flags = GR_FIELD_REQUIRED),
    GR_FIELD("preroll_offset", GR_INT, "Milliseconds of preroll before the stream",
             .default_doc = "0"),
    GR_FIELD("to", GR_STRING, "Storage backend named in transcoding tasks"),
    GR_FIELD("preroll", GR_STRING, "URI of a film put in front"),
    GR_FIELD("postroll", GR_STRING, "URI of a film put behind"),
    GR_FIELD("watermark", GR_STRING, "URI of an image put over"),
    GR_END,
};
static const struct gr_field notify_shape[] = {
    GR_FIELD("audience", GR_STRING, "Audience", .flags = GR_FIELD_REQUIRED),
    GR_FIELD("url", GR_STRING, "Where its notifications are posted; empty: nowhere",
             .flags = GR_FIELD_REQUIRED, .pattern = "(https?://[^?#{}]+)?"),
    GR_END,
};

static const struct gr_field authn_shape[] = {GR_AUTHN_FIELDS, GR_END};
static const struct gr_field authz_shape[] = {GR_AUTHZ_FIELDS, GR_END};

#define ROWS(rows_) GR_BODY(GR_ARRAY, .items = GR_ITEM(GR_OBJECT, .fields = (rows_)))

const struct gr_option mg_option_rows[] = {
    GR_OPTION(mg_options, account, GR_OPT_STRING, "dispatcher.svc.example.org",
              "Our account id at the event and conference services; the label stays dispatcher"),
    GR_OPTION(mg_options, agent_label, GR_OPT_STRING, "greenroom",
              "Our agent label, sent as X-Agent-Label"),
    GR_OPTION(mg_options, kind, GR_OPT_STRING, "Minigroup",
              "What the event service calls this kind of class"),
    GR_OPTION(mg_options, secret, GR_OPT_SECRET, NULL,
              "HS256 secret of our own tokens and of issuers without a key",
              .env = "MINIGROUPS_JWT_SECRET"),
    GR_OPTION(mg_options, secret_file, GR_OPT_STRING, "minigroups.secret",
              "Read when there is no secret; made, with mode 0600, when it does not exist"),
    GR_OPTION(mg_options, id_token_algorithm, GR_OPT_STRING, "HS256", "Algorithm of our own tokens",
              .values = GR_LIST("HS256", "RS256", "ES256")),
    GR_OPTION(mg_options, id_token_key_file, GR_OPT_STRING, NULL,
              "Private key of our own tokens, instead of the secret"),
    GR_OPTION(mg_options, id_token_lifetime, GR_OPT_MS, "1h", "Lifetime of our own tokens",
              .range = GR_RANGE(60000, 86400000)),
    GR_OPTION(mg_options, event, GR_OPT_JSON, NULL, "Upstream: the event service", .required = true,
              .json = GR_BODY(GR_OBJECT, .fields = upstream_shape, .flags = GR_FIELD_REQUIRED)),
    GR_OPTION(mg_options, conference, GR_OPT_JSON, NULL, "Upstream: the conference service",
              .required = true,
              .json = GR_BODY(GR_OBJECT, .fields = upstream_shape, .flags = GR_FIELD_REQUIRED)),
    GR_OPTION(mg_options, tq, GR_OPT_JSON, NULL, "Upstream: the transcoding queue",
              .json = GR_BODY(GR_OBJECT, .fields = optional_upstream_shape)),
    GR_OPTION(mg_options, authn, GR_OPT_JSON, NULL, "Who makes the tokens we accept",
              .required = true, .json = ROWS(authn_shape)),
    GR_OPTION(mg_options, authz, GR_OPT_JSON, NULL, "Who may do what, by audience",
              .required = true, .json = ROWS(authz_shape)),
    GR_OPTION(mg_options, authz_cache, GR_OPT_MS, "0",
              "How long answers of authorization services are remembered",
              .range = GR_RANGE(0, 300000)),
    GR_OPTION(mg_options, callbacks, GR_OPT_JSON, NULL, "Who may report what happened to rooms",
              .required = true,
              .json = GR_BODY(GR_OBJECT, .fields = callbacks_shape, .flags = GR_FIELD_REQUIRED)),
    GR_OPTION(mg_options, audiences, GR_OPT_JSON, NULL, "What transcoding needs, by audience",
              .json = ROWS(audience_shape)),
    GR_OPTION(mg_options, notify, GR_OPT_JSON, NULL, "Where notifications are posted, by audience",
              .json = ROWS(notify_shape)),
    GR_OPTION(mg_options, turn_hosts, GR_OPT_LIST, NULL,
              "TURN hosts; each answer names one of them"),
    GR_OPTION(mg_options, storage_url, GR_OPT_STRING, NULL,
              "Base URL of the storage service that downloads are fetched from", .required = true,
              .env = "STORAGE_URL"),
    GR_OPTION(mg_options, storage_backend, GR_OPT_STRING, "yandex", "Backend in download URLs"),
    GR_OPTION(mg_options, host_required, GR_OPT_BOOL, "true", "Whether create wants a host"),
    GR_END,
};

const json_t *mg_config_of(const json_t *list, const char *audience)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *entry = json_array_get(list, i);
        const char *name = json_string_value(json_object_get(entry, "audience"));

        if (name && strcmp(name, audience) == 0)
            return entry;
    }
    return NULL;
}

const char *mg_config_text(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));

    return text && *text ? text : NULL;
}

/* --- upstreams --- */

static bool define(struct gr_self *self, const char *name, const json_t *settings)
{
    json_t *complete = json_deep_copy(settings);
    bool good = complete != NULL;

    /* These services are called with time-outs of 5 s and without retries, unless told otherwise.
     */
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

/* Each notified URL becomes an upstream of its own, called minigroups_notify_N. */
static bool define_notify(struct gr_self *self, const json_t *list)
{
    bool good = true;

    for (size_t i = 0; i < json_array_size(list) && good; i++) {
        const char *url = mg_config_text(json_array_get(list, i), "url");
        char name[64];

        if (!url)
            continue;
        const char *authority = strstr(url, "://") + 3;
        const char *path = strchr(authority, '/');
        json_t *settings =
            json_pack("{s:s%}", "url", url, path ? (size_t)(path - url) : strlen(url));
        snprintf(name, sizeof(name), "minigroups_notify_%zu", i);
        good = settings && define(self, name, settings);
        json_decref(settings);
    }
    return good;
}

static bool define_upstreams(struct mg_state *state, struct gr_self *self)
{
    const struct mg_options *options = state->options;

    state->has_tq = mg_config_text(options->tq, "url") != NULL;
    if (!state->has_tq)
        gr_log_self(self, GR_LOG_WARN, "no transcoding queue: its tasks are skipped");
    return define(self, "minigroups_event", options->event) &&
           define(self, "minigroups_conference", options->conference) &&
           (!state->has_tq || define(self, "minigroups_tq", options->tq)) &&
           define_notify(self, options->notify);
}

/* --- lifecycle --- */

static bool check_account(struct gr_self *self, const char *account)
{
    struct mg_account ours;

    if (mg_account_parse(gr_str_of(account), &ours))
        return true;
    gr_log_self(self, GR_LOG_ERROR, "account '%s' is not of the form label.audience", account);
    return false;
}

enum gr_err mg_state_init(struct gr_self *self, const void *options, void **ret_state)
{
    struct mg_state *state = calloc(1, sizeof(*state));

    if (!state)
        return GR_ERR_NO_MEMORY;
    state->options = options;
    gr_str secret = mg_secret_load(self, state->options->secret, state->options->secret_file);
    if (secret.len == 0 || !check_account(self, state->options->account) ||
        !define_upstreams(state, self))
        goto fail;
    state->authn = gr_authn_new(self, state->options->authn, secret);
    if (!state->authn)
        goto fail;
    state->authz = gr_authz_new(self, state->options->account, state->options->authz,
                                state->options->authz_cache, mg_tenant_token);
    if (!state->authz || !mg_signer_init(&state->signer, self, state->options, secret))
        goto fail;
    mg_gate_init(&state->gate);
    mg_secret_free(self, secret);
    *ret_state = state;
    return GR_OK;

fail:
    gr_authz_free(self, state->authz);
    gr_authn_free(self, state->authn);
    mg_secret_free(self, secret);
    free(state);
    return GR_ERR_INVALID;
}

void mg_state_fini(struct gr_self *self, void *arg)
{
    struct mg_state *state = arg;

    mg_gate_done(&state->gate);
    mg_signer_done(&state->signer, self);
    gr_authz_free(self, state->authz);
    gr_authn_free(self, state->authn);
    free(state);
}
