/* The parts of the bridge: options, connection to the broker, inbox. */
#pragma once

#include "envelope.h"

#include <mosquitto.h>
#include <pthread.h>

#define MQ_TIMER_LINK "link"
#define MQ_TIMER_INBOX "inbox"

struct mq_options {
    const char *host;
    int64_t port;
    const char *ca_file;
    const char *username;
    const char *password;
    const char *account;
    const char *agent_label;
    const char *secret;
    const char *secret_file;
    const json_t *gateway;
    const char *const *senders;
    const char *const *audiences;
    const char *const *publish_topics;
    const char *const *publishers;
};

/* A published message without an acknowledgement of the broker yet. It is on the stack of the
 * thread that publishes it. */
struct mq_waiter {
    int mid;
    bool done;
    struct mq_waiter *next;
};

struct mq_state {
    const struct mq_options *options;
    gr_str secret;
    char *agent; /* agent id of the bridge, also its client id */
    struct mosquitto *client;
    struct gr_call *call; /* call of the link timer while it runs */
    bool started;         /* the link timer has tried the first connection */
    pthread_mutex_t lock; /* protects the members below */
    pthread_cond_t told;
    struct mq_waiter *waiters;
    bool connected;
};

static inline struct mq_state *mq_state_of(const struct gr_call *call)
{
    return (struct mq_state *)call->state;
}

/* link.c: the connection to the broker. */
bool mq_link_init(struct mq_state *state, struct gr_self *self);
void mq_link_done(struct mq_state *state);
/* Timer: does all traffic. It connects, subscribes and receives messages. */
gr_handler mq_link_run;
/* Publishes with QoS 1 and waits for the acknowledgement. False when it does not come in time. */
bool mq_link_publish(struct mq_state *state, const char *topic, gr_str text);
bool mq_link_is_up(struct mq_state *state);

/* inbox.c: messages for the gateway. */
extern const struct gr_migration mq_migrations[];
enum gr_err mq_inbox_put(struct gr_call *call, const struct mq_message *message);
gr_handler mq_inbox_run;
/* Returns a service token of the bridge (call memory); NULL when it cannot be signed. */
const char *mq_token(struct gr_call *call);
