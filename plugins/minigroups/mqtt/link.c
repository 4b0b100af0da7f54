/*
 * The connection to the broker. One timer does all of its traffic, because storing a message needs
 * a call. A thread that publishes passes its message to the library and waits until the broker has
 * acknowledged it.
 */
#include "bridge.h"

#include <time.h>

#define KEEPALIVE_S 30
#define SLICE_MS 100
#define RUN_MS 1000
#define PUBLISH_TIMEOUT_S 5
#define QOS 1

static void set_connected(struct mq_state *state, bool connected)
{
    pthread_mutex_lock(&state->lock);
    state->connected = connected;
    pthread_mutex_unlock(&state->lock);
}

bool mq_link_is_up(struct mq_state *state)
{
    pthread_mutex_lock(&state->lock);
    bool connected = state->connected;
    pthread_mutex_unlock(&state->lock);
    return connected;
}

/* --- callbacks of the library, all called inside mq_link_run() --- */

static void subscribe_all(struct mq_state *state)
{
    const struct mq_options *options = state->options;
    const char *share = gr_format(state->call, "loadbalancer.%s", options->account);

    for (const char *const *sender = options->senders; share && *sender; sender++) {
        for (const char *const *audience = options->audiences; *audience; audience++) {
            const char *topic = mq_topic_in(state->call, share, *sender, *audience);

            if (!topic || mosquitto_subscribe(state->client, NULL, topic, QOS) != MOSQ_ERR_SUCCESS)
                gr_log(state->call, GR_LOG_ERROR, "cannot subscribe to the events of %s about %s",
                       *sender, *audience);
        }
    }
}

static void on_connect(struct mosquitto *client, void *arg, int code)
{
    struct mq_state *state = arg;

    (void)client;
    if (code != 0) {
        gr_log(state->call, GR_LOG_ERROR, "the broker refused the connection: %s",
               mosquitto_connack_string(code));
        return;
    }
    gr_log(state->call, GR_LOG_INFO, "connected to the broker");
    set_connected(state, true);
    subscribe_all(state); /* after a reconnection as well, because the session may be new */
}

static void on_disconnect(struct mosquitto *client, void *arg, int code)
{
    struct mq_state *state = arg;

    (void)client;
    if (mq_link_is_up(state) && state->call)
        gr_log(state->call, GR_LOG_WARN, "the connection to the broker was lost: %s",
               mosquitto_strerror(code));
    set_connected(state, false);
}

static void on_message(struct mosquitto *client, void *arg, const struct mosquitto_message *raw)
{
    struct mq_state *state = arg;
    struct mq_message message;
    const gr_str text = {raw->payload, raw->payloadlen > 0 ? (size_t)raw->payloadlen : 0};

    (void)client;
    if (!mq_unwrap(state->call, raw->topic, text, &message)) {
        gr_log(state->call, GR_LOG_DEBUG, "ignoring a message that is not an event");
        return;
    }
    if (mq_inbox_put(state->call, &message) != GR_OK)
        gr_log(state->call, GR_LOG_ERROR, "%s of %s is lost: it could not be stored", message.label,
               message.audience);
}

static void on_publish(struct mosquitto *client, void *arg, int mid)
{
    struct mq_state *state = arg;

    (void)client;
    pthread_mutex_lock(&state->lock);
    for (struct mq_waiter *waiter = state->waiters; waiter; waiter = waiter->next)
        waiter->done = waiter->done || waiter->mid == mid;
    pthread_cond_broadcast(&state->told);
    pthread_mutex_unlock(&state->lock);
}

/* --- lifecycle --- */

bool mq_link_init(struct mq_state *state, struct gr_self *self)
{
    const struct mq_options *options = state->options;

    if (mosquitto_lib_init() != MOSQ_ERR_SUCCESS)
        return false;
    /* false: no clean session; the broker keeps messages while the bridge is disconnected */
    state->client = mosquitto_new(state->agent, false, state);
    if (!state->client ||
        (options->ca_file && mosquitto_tls_set(state->client, options->ca_file, NULL, NULL, NULL,
                                               NULL) != MOSQ_ERR_SUCCESS)) {
        gr_log_self(self, GR_LOG_ERROR, "cannot use ca_file '%s'", options->ca_file);
        mosquitto_destroy(state->client);
        mosquitto_lib_cleanup();
        return false;
    }
    mosquitto_threaded_set(state->client, true);
    mosquitto_connect_callback_set(state->client, on_connect);
    mosquitto_disconnect_callback_set(state->client, on_disconnect);
    mosquitto_message_callback_set(state->client, on_message);
    mosquitto_publish_callback_set(state->client, on_publish);
    pthread_mutex_init(&state->lock, NULL);
    pthread_cond_init(&state->told, NULL);
    return true;
}

void mq_link_done(struct mq_state *state)
{
    mosquitto_disconnect(state->client);
    mosquitto_destroy(state->client);
    pthread_cond_destroy(&state->told);
    pthread_mutex_destroy(&state->lock);
    mosquitto_lib_cleanup();
}

/* Connects or reconnects, with a new token. */
static int connect_client(struct gr_call *call, struct mq_state *state)
{
    const struct mq_options *options = state->options;
    const char *password = options->password ? options->password : mq_token(call);

    if (!password ||
        mosquitto_username_pw_set(state->client, options->username, password) != MOSQ_ERR_SUCCESS)
        return MOSQ_ERR_NOMEM;
    if (state->started)
        return mosquitto_reconnect(state->client);
    state->started = true;
    return mosquitto_connect(state->client, options->host, (int)options->port, KEEPALIVE_S);
}

enum gr_err mq_link_run(struct gr_call *call)
{
    struct mq_state *state = mq_state_of(call);
    int64_t until = gr_now_ms(call->host) + RUN_MS;
    int code = MOSQ_ERR_SUCCESS;

    state->call = call;
    if (mosquitto_socket(state->client) < 0)
        code = connect_client(call, state);
    while (code == MOSQ_ERR_SUCCESS && gr_now_ms(call->host) < until)
        code = mosquitto_loop(state->client, SLICE_MS, 1);
    if (code == MOSQ_ERR_SUCCESS)
        gr_timer_wake(call->self, MQ_TIMER_LINK);
    else
        set_connected(state, false);
    state->call = NULL;
    return GR_OK; /* after a failure the next run connects again */
}

/* --- publishing --- */

static void forget(struct mq_state *state, const struct mq_waiter *mine)
{
    for (struct mq_waiter **at = &state->waiters; *at; at = &(*at)->next) {
        if (*at == mine) {
            *at = mine->next;
            return;
        }
    }
}

bool mq_link_publish(struct mq_state *state, const char *topic, gr_str text)
{
    struct mq_waiter mine = {0};
    struct timespec until;
    int result = 0;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += PUBLISH_TIMEOUT_S;
    /* The lock is held until the wait begins, so that an acknowledgement cannot be missed. */
    pthread_mutex_lock(&state->lock);
    bool good =
        state->connected && mosquitto_publish(state->client, &mine.mid, topic, (int)text.len,
                                              text.ptr, QOS, false) == MOSQ_ERR_SUCCESS;
    if (good) {
        mine.next = state->waiters;
        state->waiters = &mine;
        while (!mine.done && result == 0)
            result = pthread_cond_clockwait(&state->told, &state->lock, CLOCK_MONOTONIC, &until);
        forget(state, &mine);
    }
    pthread_mutex_unlock(&state->lock);
    return good && mine.done;
}
