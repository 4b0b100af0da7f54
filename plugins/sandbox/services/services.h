/*
 * What the two local services share: options, rooms in memory, authentication, error bodies, and
 * the messages that they post to a gateway.
 */
#pragma once

#include <greenroom/plugin.h>

#include <jansson.h>
#include <pthread.h>

struct svc_options {
    const char *account; /* account id of the service, which signs its messages */
    const char *secret;  /* HS256 secret shared with the gateway */
    const char *secret_file;
    const json_t *gateway; /* upstream that receives the messages */
    const char *const *trusted;
};

/* The option rows of struct svc_options. */
#define SVC_OPTION_ROWS(default_account_)                                                          \
    GR_OPTION(svc_options, account, GR_OPT_STRING, default_account_, "Account id of the service"), \
        GR_OPTION(svc_options, secret, GR_OPT_SECRET, NULL,                                        \
                  "HS256 secret shared with the gateway", .env = "MINIGROUPS_JWT_SECRET"),         \
        GR_OPTION(svc_options, secret_file, GR_OPT_STRING, "minigroups.secret",                    \
                  "File with the secret, when `secret` is not set; made when it does not exist"),  \
        GR_OPTION(svc_options, gateway, GR_OPT_JSON, NULL,                                         \
                  "The gateway that receives messages, an upstream", .required = true),            \
        GR_OPTION(svc_options, trusted, GR_OPT_LIST, NULL, "Accounts that may use the service",    \
                  .required = true)

struct svc_state {
    const struct svc_options *options;
    gr_str secret;
    pthread_mutex_t lock; /* protects the members below */
    json_t *rooms;        /* by id */
    json_t *extra;        /* event service: events by room; conference service: tasks by room */
};

enum gr_err svc_init(struct gr_self *self, const void *options, void **ret_state);
void svc_fini(struct gr_self *self, void *state);
static inline struct svc_state *svc_state_of(const struct gr_call *call)
{
    return (struct svc_state *)call->state;
}

/* .authenticate: accepts a token with the shared secret and a trusted account. */
gr_handler svc_authenticate;
gr_render_error_fn svc_render_error;
/* The schema of that body. */
extern const struct gr_field svc_error_body[1];
/* Fails the call with the body {"type", "title", "status"}. */
enum gr_err svc_fail(struct gr_call *call, int status, const char *type, const char *title);

/* The text of a member; NULL when it is absent or no string. */
static inline const char *svc_member(const json_t *object, const char *name)
{
    return json_string_value(json_object_get(object, name));
}

/* Takes the lock and returns the room of the path (borrowed until svc_unlock()), or NULL. */
json_t *svc_lock_room(struct gr_call *call);
void svc_unlock(struct gr_call *call);
/* Fails the call with 404. */
enum gr_err svc_no_room(struct gr_call *call);
/* Answers the room of the path. */
gr_handler svc_read_room;

/* Makes a room with the members of both services; new reference. The time is already validated. */
json_t *svc_room_new(struct gr_call *call, const json_t *body);
/* True for [start, end] where end is after start, or null. */
bool svc_time_valid(const json_t *time);
bool svc_is_open(const json_t *room, int64_t now_s);
bool svc_is_closed(const json_t *room, int64_t now_s);

/*
 * Posts a message to the gateway and appends {"label", "payload", "status", "answer"} to report.
 * sender is an account id, or NULL for that of the service. Takes over the reference to payload.
 * The lock must not be held, because the gateway may call the service while it handles the message.
 */
void svc_post(struct gr_call *call, const char *audience, const char *label, const char *sender,
              json_t *stolen_payload, json_t *report);
