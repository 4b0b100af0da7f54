/*
 * What the two local services share: options, rooms kept in memory, the check of service tokens,
 * problem bodies, and the callbacks that they post to a gateway.
 */
#pragma once

#include <greenroom/plugin.h>

#include <jansson.h>
#include <pthread.h>

struct svc_options {
    const char *account; /* our account id, the author of our callbacks */
    const char *secret;  /* HS256, shared with the gateway */
    const char *secret_file;
    const json_t *gateway; /* upstream: where callbacks go */
    const char *const *trusted;
};

/* The rows of struct svc_options; default_account: "event.svc.example.org". */
#define SVC_OPTION_ROWS(default_account_)                                                          \
    GR_OPTION(svc_options, account, GR_OPT_STRING, default_account_, "Our account id"),            \
        GR_OPTION(svc_options, secret, GR_OPT_SECRET, NULL,                                        \
                  "HS256 secret shared with the gateway", .env = "MINIGROUPS_JWT_SECRET"),         \
        GR_OPTION(svc_options, secret_file, GR_OPT_STRING, "minigroups.secret",                    \
                  "Read when there is no secret; made when it does not exist"),                    \
        GR_OPTION(svc_options, gateway, GR_OPT_JSON, NULL, "Upstream: where callbacks are posted", \
                  .required = true),                                                               \
        GR_OPTION(svc_options, trusted, GR_OPT_LIST, NULL, "Accounts that may use the service",    \
                  .required = true)

struct svc_state {
    const struct svc_options *options;
    gr_str secret;
    pthread_mutex_t lock; /* guards what follows */
    json_t *rooms;        /* by id */
    json_t *extra;        /* event: events by room; conference: tasks by room */
};

enum gr_err svc_init(struct gr_self *self, const void *options, void **ret_state);
void svc_fini(struct gr_self *self, void *state);
static inline struct svc_state *svc_state_of(const struct gr_call *call)
{
    return (struct svc_state *)call->state;
}

/* .authenticate: our secret, and an account that is trusted. */
gr_handler svc_authenticate;
gr_render_error_fn svc_render_error;
/* The shape of what it renders. */
extern const struct gr_field svc_error_body[1];
/* Fails the call: {"type", "title", "status"}. */
enum gr_err svc_fail(struct gr_call *call, int status, const char *type, const char *title);

/* Between lock and unlock: the room in the path (borrowed), NULL when there is none. */
json_t *svc_lock_room(struct gr_call *call);
void svc_unlock(struct gr_call *call);
/* 404, as both services say it. */
enum gr_err svc_no_room(struct gr_call *call);

/* A new room with what both services keep; new reference. time was checked: [start, end or null].
 */
json_t *svc_room_new(struct gr_call *call, const json_t *body);
/* True for [start, end] with a start, and an end after it or null. */
bool svc_time_valid(const json_t *time);
bool svc_is_open(const json_t *room, int64_t now_s);
bool svc_is_closed(const json_t *room, int64_t now_s);

/*
 * Posts a broadcast to the gateway as sender (account id; NULL: ours) and appends what came back to
 * report: {"label", "payload", "status", "answer"}. Steals payload. Never with the lock held: the
 * gateway may call us while it handles it.
 */
void svc_post(struct gr_call *call, const char *audience, const char *label, const char *sender,
              json_t *stolen_payload, json_t *report);
