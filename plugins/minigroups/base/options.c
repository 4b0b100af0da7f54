#include "options.h"

#include <jansson.h>

/* An upstream like those under "upstreams" in greenroom.json. The host checks the other members. */
static const struct gr_field upstream_shape[] = {
    GR_FIELD("url", GR_STRING, "Base URL of the service, without /api/v1",
             .flags = GR_FIELD_REQUIRED, .pattern = "https?://.+"),
    GR_END,
};
static const struct gr_field optional_upstream_shape[] = {
    GR_FIELD("url", GR_STRING, "Base URL of the service; empty: no such service",
             .flags = GR_FIELD_REQUIRED, .pattern = "(https?://.+)?"),
    GR_END,
};
static const struct gr_field callbacks_shape[] = {
    GR_FIELD("trusted", GR_ARRAY, "Accounts that may report events of rooms",
             .flags = GR_FIELD_REQUIRED, .items = GR_ITEM(GR_STRING)),
    GR_FIELD("async", GR_BOOL, "Whether messages are answered with 202 and handled later",
             .default_doc = "false"),
    GR_END,
};
static const struct gr_field audience_shape[] = {
    GR_FIELD("audience", GR_STRING, "Audience", .flags = GR_FIELD_REQUIRED),
    GR_FIELD("preroll_offset", GR_INT, "Milliseconds of preroll before the stream",
             .range = GR_RANGE(0, 86400000), .default_doc = "0"),
    GR_FIELD("to", GR_STRING, "Storage backend named in transcoding tasks"),
    GR_FIELD("preroll", GR_STRING, "URI of a video before the recording"),
    GR_FIELD("postroll", GR_STRING, "URI of a video after the recording"),
    GR_FIELD("watermark", GR_STRING, "URI of an image over the recording"),
    GR_END,
};
static const struct gr_field notify_shape[] = {
    GR_FIELD("audience", GR_STRING, "Audience", .flags = GR_FIELD_REQUIRED),
    GR_FIELD("url", GR_STRING, "URL to which notifications are posted; empty: none",
             .flags = GR_FIELD_REQUIRED, .pattern = "(https?://[^?#{}]+)?"),
    GR_END,
};

static const struct gr_field issuer_shape[] = {
    GR_FIELD("issuer", GR_STRING, "Value of the claim iss", .flags = GR_FIELD_REQUIRED,
             .range = GR_MIN(1)),
    GR_FIELD("audience", GR_ARRAY, "Accepted claims aud, up to their first colon",
             .flags = GR_FIELD_REQUIRED, .items = GR_ITEM(GR_STRING)),
    GR_FIELD("algorithm", GR_STRING, "The only algorithm this issuer may use",
             .values = GR_LIST("HS256", "RS256", "ES256"), .default_doc = "\"HS256\""),
    GR_FIELD("key", GR_STRING, "Shared secret, or public key as PEM", .flags = GR_FIELD_SECRET),
    GR_FIELD("key_file", GR_STRING, "File with the key: secret, PEM, DER or ES256 point"),
    GR_FIELD("exp_required", GR_BOOL, "Whether tokens of this issuer need the claim exp",
             .default_doc = "true"),
    GR_FIELD("nbf_checked", GR_BOOL, "Whether the claims nbf and iat of this issuer are checked",
             .default_doc = "true"),
    GR_END,
};
static const struct gr_field record_shape[] = {
    GR_FIELD("subject_account_id", GR_STRING, "Account; its label may be *",
             .flags = GR_FIELD_REQUIRED),
    GR_FIELD("object", GR_ARRAY, "Object; an element may be *", .flags = GR_FIELD_REQUIRED,
             .items = GR_ITEM(GR_STRING)),
    GR_FIELD("action", GR_STRING, "Action, or *", .flags = GR_FIELD_REQUIRED),
    GR_END,
};
static const struct gr_field rule_shape[] = {
    GR_FIELD("audience", GR_STRING, "Audience of the objects", .flags = GR_FIELD_REQUIRED,
             .range = GR_MIN(1)),
    GR_FIELD("type", GR_STRING, "The way to decide", .flags = GR_FIELD_REQUIRED,
             .values = GR_LIST("none", "local", "localwhitelist", "http")),
    GR_FIELD("trusted", GR_ARRAY, "Types local and http: accounts that may do anything",
             .items = GR_ITEM(GR_STRING)),
    GR_FIELD("records", GR_ARRAY, "Type localwhitelist: the allowed actions",
             .items = GR_ITEM(GR_OBJECT, .fields = record_shape)),
    GR_FIELD("uri", GR_STRING, "Type http: URL of the tenant's authorization service",
             .pattern = "https?://[^?#{}]+", .when = GR_WHEN("type", "http")),
    GR_FIELD("max_retries", GR_INT, "Type http: total number of attempts", .range = GR_RANGE(1, 10),
             .default_doc = "1"),
    GR_END,
};

#define ROWS(rows_) GR_BODY(GR_ARRAY, .items = GR_ITEM(GR_OBJECT, .fields = (rows_)))

const struct gr_option mini_option_rows[] = {
    GR_OPTION(
        mini_options, account, GR_OPT_STRING, "dispatcher.svc.example.org",
        "Account id of the gateway at the event and conference services, which expect the label "
        "dispatcher"),
    GR_OPTION(mini_options, agent_label, GR_OPT_STRING, "greenroom",
              "Agent label of the gateway, sent as X-Agent-Label"),
    GR_OPTION(mini_options, kind, GR_OPT_STRING, "Minigroup",
              "Kind of class, as the event service names it"),
    GR_OPTION(mini_options, secret, GR_OPT_SECRET, NULL,
              "HS256 secret of the gateway's tokens and of issuers without a key",
              .env = "MINIGROUPS_JWT_SECRET"),
    GR_OPTION(mini_options, secret_file, GR_OPT_STRING, "minigroups.secret",
              "File with the secret, when `secret` is not set; made with mode 0600 when it does "
              "not exist"),
    GR_OPTION(mini_options, id_token_algorithm, GR_OPT_STRING, "HS256",
              "Algorithm of the gateway's tokens", .values = GR_LIST("HS256", "RS256", "ES256")),
    GR_OPTION(mini_options, id_token_key_file, GR_OPT_STRING, NULL,
              "File with the private key of the gateway's tokens, which replaces the secret"),
    GR_OPTION(mini_options, id_token_lifetime, GR_OPT_MS, "1h", "Lifetime of the gateway's tokens",
              .range = GR_RANGE(60000, 86400000)),
    GR_OPTION(mini_options, event, GR_OPT_JSON, NULL, "The event service, an upstream",
              .required = true,
              .json = GR_BODY(GR_OBJECT, .fields = upstream_shape, .flags = GR_FIELD_REQUIRED)),
    GR_OPTION(mini_options, conference, GR_OPT_JSON, NULL, "The conference service, an upstream",
              .required = true,
              .json = GR_BODY(GR_OBJECT, .fields = upstream_shape, .flags = GR_FIELD_REQUIRED)),
    GR_OPTION(mini_options, tq, GR_OPT_JSON, NULL, "The transcoding queue, an upstream",
              .json = GR_BODY(GR_OBJECT, .fields = optional_upstream_shape)),
    GR_OPTION(mini_options, authn, GR_OPT_JSON, NULL, "Issuers whose tokens are accepted",
              .required = true, .json = ROWS(issuer_shape)),
    GR_OPTION(mini_options, authz, GR_OPT_JSON, NULL, "Authorization rules by audience",
              .required = true, .json = ROWS(rule_shape)),
    GR_OPTION(mini_options, authz_cache, GR_OPT_MS, "0",
              "Time that answers of authorization services are cached",
              .range = GR_RANGE(0, 300000)),
    GR_OPTION(mini_options, callbacks, GR_OPT_JSON, NULL,
              "Which accounts may report events of rooms, and how they are handled",
              .required = true,
              .json = GR_BODY(GR_OBJECT, .fields = callbacks_shape, .flags = GR_FIELD_REQUIRED)),
    GR_OPTION(mini_options, audiences, GR_OPT_JSON, NULL, "Settings for transcoding by audience",
              .json = ROWS(audience_shape)),
    GR_OPTION(mini_options, notify, GR_OPT_JSON, NULL, "URLs for notifications by audience",
              .json = ROWS(notify_shape)),
    GR_OPTION(mini_options, turn_hosts, GR_OPT_LIST, NULL,
              "TURN hosts; each answer names a random one"),
    GR_OPTION(mini_options, storage_url, GR_OPT_STRING, NULL,
              "Base URL of the storage service for downloads", .required = true,
              .env = "STORAGE_URL"),
    GR_OPTION(mini_options, storage_backend, GR_OPT_STRING, "yandex",
              "Storage backend in download URLs"),
    GR_OPTION(mini_options, host_required, GR_OPT_BOOL, "false",
              "Whether a new minigroup needs a host"),
    GR_END,
};

const json_t *mini_audience_config(const json_t *list, const char *audience)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *entry = json_array_get(list, i);
        const char *name = json_string_value(json_object_get(entry, "audience"));

        if (name && strcmp(name, audience) == 0)
            return entry;
    }
    return NULL;
}

const char *mini_config_text(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));

    return text && *text ? text : NULL;
}
