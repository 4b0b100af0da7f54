/*
 * A bridge between the MQTT broker of the event and conference services and the minigroups group.
 *
 * Inbound, the bridge stores broadcasts about rooms from the broker and posts them to the callback
 * route of a gateway, like a service. Outbound, the minigroups group posts its notifications to the
 * route of this plugin, which publishes them and answers once the broker has acknowledged them.
 * Both directions use HTTP, so that the bridge can run in another gateway.
 */
#include "bridge.h"

#include "base/ids.h"
#include "base/secret.h"

#include <stdio.h>
#include <stdlib.h>

/* --- publishing --- */

static enum gr_err authenticate(struct gr_call *call)
{
    const struct mq_state *state = mq_state_of(call);
    const struct gr_jwt_key key = {.alg = "HS256", .key = state->secret};
    const struct gr_jwt_rules rules = {.need_exp = true, .leeway_s = 30};
    gr_str token = gr_bearer(call);
    const json_t *claims = NULL;

    if (token.len == 0)
        return gr_fail(call, GR_ERR_UNAUTHORIZED, "a bearer token is required");
    if (gr_jwt_verify(call, &key, 1, &rules, token, &claims) != GR_OK)
        return gr_fail(call, GR_ERR_UNAUTHORIZED, "the token is not valid");
    const char *sub = json_string_value(json_object_get(claims, "sub"));
    const char *aud = json_string_value(json_object_get(claims, "aud"));
    const struct gr_account account = {gr_str_of(sub), gr_str_of(aud)};
    for (const char *const *known = state->options->publishers; sub && aud && *known; known++) {
        if (mini_account_is(&account, *known))
            return gr_set_caller_account(call, &account);
    }
    return gr_fail(call, GR_ERR_FORBIDDEN, "this account may not publish");
}

static enum gr_err publish(struct gr_call *call)
{
    struct mq_state *state = mq_state_of(call);
    const char *audience = gr_param(call, "audience").ptr;
    gr_str label = gr_header(call, "Gateway-Label");

    if (label.len == 0)
        return gr_fail(call, GR_ERR_BAD_REQUEST, "the header Gateway-Label is missing");
    if (strpbrk(audience, "+#/"))
        return gr_fail(call, GR_ERR_BAD_REQUEST,
                       "the audience contains '+', '#' or '/', which have a meaning in topics");
    char *text = mq_wrap(call, gr_body(call), gr_copy(call, label), state->agent);
    if (!text)
        return gr_fail(call, GR_ERR_NO_MEMORY, "no memory for the message");
    for (const char *const *pattern = state->options->publish_topics; *pattern; pattern++) {
        char *topic = mq_topic_out(call, *pattern, state->options->account, audience);

        if (!topic || !mq_link_publish(state, topic, gr_str_of(text)))
            return gr_fail(call, GR_ERR_UPSTREAM_CONNECT, "the broker did not accept the message");
    }
    return gr_reply_json(call, 200, json_object());
}

/* --- lifecycle --- */

static enum gr_err init(struct gr_self *self, const void *options, void **ret_state)
{
    struct mq_state *state = calloc(1, sizeof(*state));
    char agent[512];

    if (!state)
        return GR_ERR_NO_MEMORY;
    state->options = options;
    state->secret = mini_secret(self, state->options->secret, state->options->secret_file);
    snprintf(agent, sizeof(agent), "%s.%s", state->options->agent_label, state->options->account);
    state->agent = strdup(agent);
    if (state->secret.len && state->agent &&
        gr_upstream_define(self, "mqtt_bridge_gateway", state->options->gateway) == GR_OK &&
        mq_link_init(state, self)) {
        *ret_state = state;
        return GR_OK;
    }
    free(state->agent);
    free(state);
    return GR_ERR_INVALID;
}

static void fini(struct gr_self *self, void *arg)
{
    struct mq_state *state = arg;

    (void)self;
    mq_link_done(state);
    free(state->agent);
    free(state);
}

static enum gr_err ready(struct gr_call *call)
{
    if (mq_link_is_up(mq_state_of(call)))
        return GR_OK;
    return gr_fail(call, GR_ERR_UPSTREAM_CONNECT, "no connection to the broker");
}

/* --- tables --- */

static const struct gr_field by_audience[] = {
    GR_FIELD("audience", GR_STRING, "Tenant"),
    GR_END,
};
static const struct gr_field label_header[] = {
    GR_FIELD("Gateway-Label", GR_STRING, "Label of the event", .flags = GR_FIELD_REQUIRED),
    GR_END,
};
static const struct gr_field gateway_shape[] = {
    GR_FIELD("url", GR_STRING, "Base URL of the gateway that serves the minigroups group",
             .flags = GR_FIELD_REQUIRED, .pattern = "https?://.+"),
    GR_END,
};

static const struct gr_route routes[] = {
    GR_POST("/api/v1/mqtt/audiences/{audience}/events", "mqtt_bridge.publish",
            "Publish a notification to the broker", .access = GR_ACCESS_GROUP,
            .params = by_audience, .headers = label_header,
            .body = GR_BODY(GR_OBJECT, .flags = GR_FIELD_REQUIRED), .handle = publish,
            .doc =
                "Answers once the broker has acknowledged the message, or 502 when it does not."),
    GR_END,
};

static const struct gr_option options[] = {
    GR_OPTION(mq_options, host, GR_OPT_STRING, "127.0.0.1", "Host name of the broker"),
    GR_OPTION(mq_options, port, GR_OPT_INT, "1883", "Port of the broker",
              .range = GR_RANGE(1, 65535)),
    GR_OPTION(mq_options, ca_file, GR_OPT_STRING, NULL,
              "File with the CA of the broker's certificate; enables TLS"),
    GR_OPTION(mq_options, username, GR_OPT_STRING, "v2::service", "User name at the broker"),
    GR_OPTION(mq_options, password, GR_OPT_SECRET, NULL,
              "Password at the broker; unset: a service token"),
    GR_OPTION(mq_options, account, GR_OPT_STRING, "dispatcher.svc.example.org",
              "Account id of the bridge"),
    GR_OPTION(
        mq_options, agent_label, GR_OPT_STRING, "bridge",
        "Agent label of the bridge; part of the client id, so it must differ between bridges"),
    GR_OPTION(mq_options, secret, GR_OPT_SECRET, NULL, "HS256 secret shared with the gateway",
              .env = "MINIGROUPS_JWT_SECRET"),
    GR_OPTION(mq_options, secret_file, GR_OPT_STRING, "minigroups.secret",
              "File with the secret, when `secret` is not set; made when it does not exist"),
    GR_OPTION(mq_options, gateway, GR_OPT_JSON, NULL, "The gateway, an upstream", .required = true,
              .json = GR_BODY(GR_OBJECT, .fields = gateway_shape, .flags = GR_FIELD_REQUIRED)),
    GR_OPTION(mq_options, senders, GR_OPT_LIST, NULL, "Accounts whose broadcasts are accepted",
              .required = true),
    GR_OPTION(mq_options, audiences, GR_OPT_LIST, NULL, "Audiences whose broadcasts are accepted",
              .required = true),
    GR_OPTION(mq_options, publish_topics, GR_OPT_LIST, NULL,
              "Topics for notifications; {account} and {audience} are replaced", .required = true),
    GR_OPTION(mq_options, publishers, GR_OPT_LIST, NULL, "Accounts that may publish",
              .required = true),
    GR_END,
};

static const struct gr_timer timers[] = {
    {.name = MQ_TIMER_LINK, .interval_ms = 1000, .run = mq_link_run},
    {.name = MQ_TIMER_INBOX, .interval_ms = 1000, .run = mq_inbox_run},
    GR_END,
};

GR_PLUGIN("mqtt_bridge", .version = "1.0.0",
          .summary = "Bridge between an MQTT broker and the minigroups group", .licence = "MIT",
          .routes = routes, .options = options, .options_size = sizeof(struct mq_options),
          .migrations = mq_migrations, .timers = timers, .authenticate = authenticate, .init = init,
          .fini = fini, .ready = ready)
