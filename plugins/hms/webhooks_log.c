/* The delivery log of the status page: the last attempts that this gateway made, and what was last
 * counted for each target. It is in memory, so that the page does not ask the store. */
#include "webhooks.h"

#include <stdlib.h>

#define ATTEMPTS 32
/* Longer texts are cut. */
#define TEXT_BYTES 64
#define NAME_BYTES 33

struct attempt {
    int64_t at_ms;
    char target[NAME_BYTES];
    char event_id[TEXT_BYTES];
    char type[TEXT_BYTES];
    char room_id[TEXT_BYTES];
    int64_t number;
    int status;
    const char *outcome; /* a literal */
};

struct target {
    char name[NAME_BYTES];
    int64_t pending;
    int64_t dead;
    bool paused;
};

struct webhooks_log {
    pthread_mutex_t lock;
    struct attempt attempts[ATTEMPTS]; /* a ring */
    size_t made;                       /* attempts since the start */
    struct target targets[WEBHOOKS_TARGETS_MAX];
    size_t target_count;
};

struct webhooks_log *webhooks_log_new(size_t target_count)
{
    struct webhooks_log *log = calloc(1, sizeof(*log));

    if (!log || pthread_mutex_init(&log->lock, NULL) != 0) {
        free(log);
        return NULL;
    }
    log->target_count = target_count < WEBHOOKS_TARGETS_MAX ? target_count : WEBHOOKS_TARGETS_MAX;
    return log;
}

void webhooks_log_free(struct webhooks_log *log)
{
    if (log)
        pthread_mutex_destroy(&log->lock);
    free(log);
}

/* Copies the whole characters (UTF-8) that fit. */
static void copy_text(char *to, size_t size, gr_str text)
{
    size_t len = text.len < size ? text.len : size - 1;

    while (len < text.len && len > 0 && ((unsigned char)text.ptr[len] & 0xc0) == 0x80)
        len--;
    if (len)
        memcpy(to, text.ptr, len);
    to[len] = '\0';
}

void webhooks_log_attempt(struct webhooks_log *log, int64_t now_ms,
                          const struct webhooks_attempt *attempt)
{
    pthread_mutex_lock(&log->lock);
    struct attempt *at = &log->attempts[log->made++ % ATTEMPTS];
    at->at_ms = now_ms;
    at->number = attempt->number;
    at->status = attempt->status;
    at->outcome = attempt->outcome;
    copy_text(at->target, sizeof(at->target), gr_str_of(attempt->target));
    copy_text(at->event_id, sizeof(at->event_id), attempt->event_id);
    copy_text(at->type, sizeof(at->type), attempt->type);
    copy_text(at->room_id, sizeof(at->room_id), attempt->room_id);
    pthread_mutex_unlock(&log->lock);
}

void webhooks_log_target(struct webhooks_log *log, size_t index, const char *name, int64_t pending,
                         int64_t dead, bool paused)
{
    pthread_mutex_lock(&log->lock);
    struct target *target = &log->targets[index];
    copy_text(target->name, sizeof(target->name), gr_str_of(name));
    target->pending = pending;
    target->dead = dead;
    target->paused = paused;
    pthread_mutex_unlock(&log->lock);
}

/* Members for which there is no memory are left out: nothing is decided by them. */

static json_t *attempts_json(const struct webhooks_log *log)
{
    json_t *list = json_array();

    for (size_t i = 0; i < log->made && i < ATTEMPTS; i++) {
        const struct attempt *at = &log->attempts[(log->made - 1 - i) % ATTEMPTS];
        json_t *status = at->status ? json_integer(at->status) : json_null();

        json_array_append_new(list, json_pack("{s:I, s:s, s:s, s:s, s:s, s:I, s:o, s:s}", "at_ms",
                                              (json_int_t)at->at_ms, "target", at->target, "event",
                                              at->event_id, "type", at->type, "room", at->room_id,
                                              "attempt", (json_int_t)at->number, "status", status,
                                              "outcome", at->outcome));
    }
    return list;
}

static json_t *targets_json(const struct webhooks_log *log)
{
    json_t *list = json_array();

    for (size_t i = 0; i < log->target_count; i++) {
        const struct target *target = &log->targets[i];

        if (target->name[0])
            json_array_append_new(list, json_pack("{s:s, s:s, s:I, s:I}", "target", target->name,
                                                  "state", target->paused ? "paused" : "delivers",
                                                  "pending", (json_int_t)target->pending, "dead",
                                                  (json_int_t)target->dead));
    }
    return list;
}

enum gr_err webhooks_status(struct gr_call *call)
{
    struct webhooks_log *log = ((const struct webhooks *)call->state)->log;

    if (log->target_count == 0)
        return gr_reply_json(call, 200, json_object());
    pthread_mutex_lock(&log->lock);
    json_t *targets = targets_json(log);
    json_t *attempts = attempts_json(log);
    pthread_mutex_unlock(&log->lock);
    return gr_reply_json(call, 200,
                         json_pack("{s:o, s:o}", "Targets", targets, "Deliveries", attempts));
}
