/* The sandbox plugin: options, tables and lifecycle. sandbox.h describes how it works. */
#include "auth.h"
#include "jobs.h"
#include "polls.h"
#include "routes.h"
#include "seed.h"
#include "sessions.h"
#include "webhooks.h"

#include <stdlib.h>

static const struct gr_option options[] = {
    GR_OPTION(sb_options, access_key, GR_OPT_STRING, NULL, "Access key that tokens must have",
              .required = true),
    GR_OPTION(sb_options, secret, GR_OPT_SECRET, NULL, "Secret of the tokens' signature",
              .required = true),
    GR_OPTION(sb_options, customer_id, GR_OPT_STRING, "65aa10c4d7e2f90b3c4d5e6f",
              "ID of the customer in answers"),
    GR_OPTION(sb_options, app_id, GR_OPT_STRING, "65aa10c4d7e2f90b3c4d5e71",
              "ID of the app in answers"),
    GR_OPTION(sb_options, state_file, GR_OPT_STRING, NULL,
              "File that keeps the state over a restart; unset: memory only",
              .env = "SANDBOX_STATE_FILE"),
    GR_OPTION(sb_options, seed_file, GR_OPT_STRING, NULL,
              "JSON file with the initial templates, rooms, codes, peers and polls",
              .env = "SANDBOX_SEED_FILE"),
    GR_OPTION(sb_options, public_url, GR_OPT_STRING, NULL,
              "Base URL of the sandbox for clients; unset: taken from the request"),
    GR_OPTION(sb_options, speed, GR_OPT_INT, "1",
              "Factor by which delays are shorter than in the service", .env = "SANDBOX_SPEED",
              .range = GR_RANGE(1, 100000)),
    GR_OPTION(sb_options, calls_per_second, GR_OPT_INT, "0",
              "Limit for calls of the API; further ones get 429; 0: no limit",
              .env = "SANDBOX_CALLS_PER_SECOND", .range = GR_RANGE(0, 1000000)),
    GR_OPTION(sb_options, documented_filters, GR_OPT_BOOL, "false",
              "Whether lists of rooms and sessions default to enabled and active ones"),
    GR_OPTION(sb_options, webhook_url, GR_OPT_STRING, NULL, "URL of the receiver of webhooks",
              .env = "SANDBOX_WEBHOOK_URL"),
    GR_OPTION(sb_options, webhook_headers, GR_OPT_JSON, NULL, "Headers sent with each webhook",
              .json = GR_BODY(GR_MAP, .items = GR_ITEM(GR_STRING))),
    GR_OPTION(sb_options, webhook_secret, GR_OPT_SECRET, NULL,
              "Key of the signature in x-100ms-signature; unset: no signature"),
    GR_OPTION(sb_options, webhook_targets, GR_OPT_LIST, NULL,
              "Additional URLs; rooms may name their origins as receivers"),
    GR_END,
};

static const struct sb_step steps[] = {
    {"job.step", sb_job_step},       {"job.limit", sb_job_limit},
    {"job.alone", sb_job_alone},     {"session.expire", sb_session_expire},
    {"poll.expire", sb_poll_expire}, {0},
};

static const struct sb_follower followers[] = {
    {.name = "jobs",
     .begun = sb_jobs_begin,
     .holds = sb_jobs_live,
     .alone = sb_jobs_alone,
     .closed = sb_jobs_stop},
    {.name = "polls", .opened = sb_polls_begin, .closed = sb_polls_end},
    {0},
};

static void sandbox_fini(struct gr_self *self, void *state)
{
    struct sandbox *sb = state;

    (void)self;
    sb_webhooks_free(sb);
    json_decref(sb->root);
    pthread_mutex_destroy(&sb->lock);
    free(sb);
}

static enum gr_err sandbox_init(struct gr_self *self, const void *opts, void **ret_state)
{
    struct sandbox *sb = calloc(1, sizeof(*sb));
    enum gr_err err;

    if (!sb)
        return GR_ERR_NO_MEMORY;
    sb->host = self->host;
    sb->options = opts;
    sb->key = (struct gr_jwt_key){.alg = "HS256", .key = gr_str_of(sb->options->secret)};
    sb->steps = steps;
    sb->followers = followers;
    sb->next_due_ms = INT64_MAX;
    if (pthread_mutex_init(&sb->lock, NULL)) {
        free(sb);
        return GR_ERR_INTERNAL;
    }
    err = sb_webhooks_init(self, sb);
    if (err == GR_OK)
        err = sb_load(self, sb);
    if (err != GR_OK) {
        sandbox_fini(self, sb);
        return err;
    }
    *ret_state = sb;
    return GR_OK;
}

static void sandbox_stop(struct gr_self *self, void *state)
{
    struct sandbox *sb = state;

    if (!sb_save(sb))
        gr_log_self(self, GR_LOG_ERROR, "cannot write '%s'", sb->options->state_file);
}

static enum gr_err save_state(struct gr_call *call)
{
    struct sandbox *sb = call->state;

    if (sb_save(sb))
        return GR_OK;
    return gr_fail(call, GR_ERR_INTERNAL, "cannot write '%s'", sb->options->state_file);
}

static const struct gr_timer timers[] = {
    {.name = "webhooks", .interval_ms = 100, .run = sb_webhooks_run},
    {.name = "save", .interval_ms = 500, .run = save_state},
    GR_END,
};

GR_PLUGIN("sandbox", .version = "1.0.0", .summary = "A local 100ms v2 for development and tests",
          .licence = "MIT",
          .route_tables = GR_ROUTE_TABLES(sb_admin_routes, sb_analytics_routes, sb_asset_routes,
                                          sb_code_routes, sb_fault_routes, sb_job_routes,
                                          sb_key_routes, sb_poll_routes, sb_poll_result_routes,
                                          sb_poll_run_routes, sb_room_routes, sb_session_routes,
                                          sb_sip_routes, sb_template_routes, sb_webhook_routes),
          .options = options, .options_size = sizeof(struct sb_options), .timers = timers,
          .authenticate = sb_authenticate, .render_error = sb_render_error,
          .error_body = sb_error_body,
          .flags = GR_PLUGIN_ANY_ORIGIN, /* the service's auth host serves browsers */
          .init = sandbox_init, .stop = sandbox_stop, .fini = sandbox_fini)
