/*
 * agents: edge hosts. They ask where to push a stream and report when a broadcast begins and ends.
 */
#include "rtmp.h"

#include <stdlib.h>

#define LEASE_TIMER_MS (5 * 1000)

/* Only the agent that holds the lease of a live stream gets its configuration. */
static enum gr_err agents_config(struct gr_call *call)
{
    const struct gr_value params[] = {gr_v_str(gr_param(call, "streamKey"))};
    struct rig_text_row row = {.call = call};
    json_t *list = NULL;

    enum gr_err err =
        gr_store_query(call,
                       "SELECT s.id, s.live_until_ms, s.live_agent"
                       " FROM rig_streams s JOIN rig_users u ON u.id = s.user_id"
                       " WHERE s.stream_key = ?1 AND s.is_active = 1 AND u.is_active = 1",
                       params, 1, rig_keep_row, &row);
    if (err != GR_OK)
        return rig_fail_store(call, err, RIG_FETCH, NULL);
    if (!row.found)
        return rig_fail(call, GR_ERR_NOT_FOUND, 404, RIG_NOT_FOUND, NULL);
    if (row.number[1] > gr_store_now_ms(call) &&
        !gr_str_eq(gr_str_of(row.text[2]), gr_caller(call)))
        return rig_fail(call, GR_ERR_CONFLICT, 409, RIG_IN_USE, NULL);
    err = rig_destinations(call, row.text[0], &list);
    if (err != GR_OK)
        return rig_fail_store(call, err, RIG_FETCH, NULL);
    return rig_reply(call, "Stream Config", list);
}

#define CALLBACK_COMMON                                                                            \
    .access = GR_ACCESS_GROUP, .body_max_bytes = RIG_BODY_MAX,                                     \
    .flags = GR_ROUTE_ANY_CONTENT_TYPE | GR_ROUTE_RAW_BODY
/* One callback of an RTMP server, as POST and, for `notify_method get`, as GET. */
#define CALLBACK(path_, id_, summary_, ...)                                                        \
    GR_POST(path_, id_, summary_, CALLBACK_COMMON, .doc = CALLBACK_DOC, __VA_ARGS__),              \
        GR_GET(path_, id_ "_get", summary_ ", reported by GET", CALLBACK_COMMON,                   \
               .doc = CALLBACK_GET_DOC, __VA_ARGS__)
#define CALLBACK_DOC                                                                               \
    "For nginx-rtmp and similar servers: a form, or JSON with the same names. Servers that "       \
    "cannot "                                                                                      \
    "set a header send the token as `token` in the query."
#define CALLBACK_GET_DOC                                                                           \
    "For nginx-rtmp with `notify_method get`: the fields of the form in the query, after the "     \
    "token."

static const struct gr_route routes[] = {
    GR_GET("/agents/config/{streamKey}", "agents.config", "Fetch the destinations of a stream",
           .access = GR_ACCESS_GROUP, .flags = GR_ROUTE_HIDDEN_PATH, .handle = agents_config,
           .doc = "This request does not mark the stream live.",
           .answers = RIG_ANSWER("The destinations of the stream", "Stream Config",
                                 "[" RIG_EXAMPLE_DESTINATION "]"),
           .source = RIG_SOURCE),
    CALLBACK("/agents/rtmp/on_connect", "agents.connect", "A client connects to an edge host",
             .handle = rig_on_connect, .data = &rig_fetches,
             .answers = RIG_ANSWER("Always accepted", "Connect accepted", "null")),
    CALLBACK("/agents/rtmp/on_publish", "agents.publish", "A broadcast begins",
             .handle = rig_on_publish, .data = &rig_fetches,
             .answers = RIG_ANSWER("The stream is live", "Publish accepted",
                                   "[" RIG_EXAMPLE_DESTINATION "]")),
    CALLBACK("/agents/rtmp/on_update", "agents.update", "A broadcast continues",
             .handle = rig_on_update, .data = &rig_updates,
             .answers = RIG_ANSWER("The lease is renewed", "Publish renewed", "null")),
    CALLBACK("/agents/rtmp/on_publish_done", "agents.done", "A broadcast has ended",
             .handle = rig_on_done, .data = &rig_updates,
             .answers = RIG_ANSWER("Always accepted", "Publish ended", "null")),
    GR_END,
};

static const struct gr_option options[] = {
    GR_OPTION(rig_options, agents_key, GR_OPT_SECRET, NULL,
              "Key that signs tokens of agents; unset: made at the first start",
              .env = "RIG_AGENTS_KEY"),
    GR_OPTION(rig_options, agents_key_previous, GR_OPT_SECRET, NULL,
              "Previous key, as long as its tokens are in use"),
    GR_OPTION(rig_options, users_key, GR_OPT_SECRET, NULL,
              "Key of tokens of users, as in accounts; it must differ from agents_key",
              .env = "RIG_USERS_KEY"),
    GR_OPTION(rig_options, audience, GR_OPT_STRING, "rig.xplex.me", "Claim aud of all tokens"),
    GR_OPTION(rig_options, agent_token_lifetime, GR_OPT_MS, "365d",
              "Default lifetime of a new token", .range = GR_MIN(60 * 1000)),
    GR_OPTION(rig_options, services, GR_OPT_JSON, rig_services_default,
              "Services for destinations and their ingest servers; the same as in streams",
              .json = rig_services_shape),
    GR_OPTION(rig_options, lease, GR_OPT_MS, "90s",
              "Time that a broadcast counts as live after its last callback",
              .range = GR_MIN(1000)),
    GR_OPTION(rig_options, allow_unauthenticated_from, GR_OPT_LIST, NULL,
              "Address blocks from which agents need no token"),
    GR_END,
};

static const struct gr_metric metrics[] = {
    {"streams_live", GR_GAUGE, "Streams that are live", NULL},
    {"publishes_total", GR_COUNTER, "Publishes by outcome", "outcome"},
    {"unauthenticated_total", GR_COUNTER,
     "Requests accepted without a token because of their address", NULL},
    GR_END,
};

static const struct gr_timer timers[] = {
    {.name = "leases", .interval_ms = LEASE_TIMER_MS, .run = rig_end_leases},
    GR_END,
};

static const struct gr_command commands[] = {
    {.name = "token agent",
     .usage = "--name NAME [--days N]",
     .summary = "Sign a token for an agent of rig",
     .run = rig_agent_token},
    {.name = "rig tokens",
     .usage = "list | revoke JTI",
     .summary = "List and revoke tokens of rig's agents",
     .run = rig_agent_tokens},
    GR_END,
};

static void agents_fini(struct gr_self *self, void *state)
{
    struct rig *rig = state;

    (void)self;
    rig_networks_free(rig->networks);
    free(rig);
}

static enum gr_err check_keys(struct gr_self *self, const struct rig *rig)
{
    const char *users = rig->options->users_key;

    if (users && gr_str_eq(gr_str_of(users), rig->agents.keys[0].key)) {
        gr_log_self(self, GR_LOG_ERROR, "agents_key equals users_key: the two must differ");
        return GR_ERR_INTERNAL;
    }
    return GR_OK;
}

static enum gr_err agents_init(struct gr_self *self, const void *opts, void **ret_state)
{
    const struct rig_options *given = opts;
    struct rig *rig = calloc(1, sizeof(*rig));

    if (!rig)
        return GR_ERR_NO_MEMORY;
    rig->options = given;
    enum gr_err err = rig_keyring_init(self, &rig->agents, "agents", given->agents_key,
                                       given->agents_key_previous, NULL);
    if (err == GR_OK)
        err = check_keys(self, rig);
    if (err == GR_OK) {
        rig->networks = rig_networks_new(self, given->allow_unauthenticated_from);
        err = rig->networks ? GR_OK : GR_ERR_INTERNAL;
    }
    if (err != GR_OK) {
        agents_fini(self, rig);
        return err;
    }
    if (given->allow_unauthenticated_from && given->allow_unauthenticated_from[0])
        gr_log_self(self, GR_LOG_WARN,
                    "agents need no token from an address in allow_unauthenticated_from");
    *ret_state = rig;
    return GR_OK;
}

/* The gauge outlives this instance, so its share is subtracted; the next instance adds it again. */
static void agents_stop(struct gr_self *self, void *state)
{
    struct rig *rig = state;

    gr_metric_add(self, "streams_live", NULL, -rig->live_shown);
    rig->live_shown = 0;
}

static const char *const owns[] = {"/agents", NULL};

GR_PLUGIN("agents", .version = RIG_VERSION, .summary = "Edge hosts of a streaming site",
          .licence = RIG_LICENCE, .routes = routes, .options = options,
          .options_size = sizeof(struct rig_options), .migrations = rig_migrations,
          .metrics = metrics, .timers = timers, .commands = commands, .owns = owns,
          .flags = RIG_FLAGS, .render_error = rig_render_error, .error_body = rig_error_body,
          .authenticate = rig_authenticate_agent, .init = agents_init, .stop = agents_stop,
          .fini = agents_fini, .migrations_name = RIG_SCHEMA)
