#include "server/recent.h"

#include "base/clock.h"

#include <pthread.h>
#include <stdio.h>

#define ERRORS_MAX 32u
#define CONFIGS_MAX 8u

struct error {
    int64_t at_ms;
    int status;
    char request_id[65];
    char trace_id[33];
    char operation[64];
    char group[48];
    char slug[48];
};

static struct {
    pthread_mutex_t lock;
    struct error errors[ERRORS_MAX];
    size_t error_count; /* since the start */
    struct grc_reload_state configs[CONFIGS_MAX];
    size_t config_count; /* since the start */
} recent = {.lock = PTHREAD_MUTEX_INITIALIZER};

void grc_recent_error(const struct grc_call *call)
{
    if (call->reply->status < 500 || pthread_mutex_trylock(&recent.lock) != 0)
        return;
    struct error *error = &recent.errors[recent.error_count++ % ERRORS_MAX];
    error->at_ms = grc_now_ms();
    error->status = call->reply->status;
    snprintf(error->request_id, sizeof(error->request_id), "%s", call->request_id);
    gr_str trace_id = grc_context_trace_id(call->traceparent);
    snprintf(error->trace_id, sizeof(error->trace_id), "%.*s", (int)trace_id.len, trace_id.ptr);
    snprintf(error->operation, sizeof(error->operation), "%s",
             call->route ? call->route->row->id : "none");
    snprintf(error->group, sizeof(error->group), "%s", call->plugin->self.name);
    snprintf(error->slug, sizeof(error->slug), "%s",
             call->error.err != GR_OK && call->error.type ? call->error.type : "");
    pthread_mutex_unlock(&recent.lock);
}

void grc_recent_config(const struct grc_reload_state *state)
{
    pthread_mutex_lock(&recent.lock);
    struct grc_reload_state *slot = &recent.configs[recent.config_count++ % CONFIGS_MAX];
    *slot = *state;
    if (slot->at_ms == 0) /* the start */
        slot->at_ms = grc_now_ms();
    pthread_mutex_unlock(&recent.lock);
}

void grc_recent_state(struct grc_reload_state *ret_state)
{
    pthread_mutex_lock(&recent.lock);
    *ret_state = recent.config_count > 0 ? recent.configs[(recent.config_count - 1) % CONFIGS_MAX]
                                         : (struct grc_reload_state){.generation = 0};
    pthread_mutex_unlock(&recent.lock);
}

json_t *grc_recent_errors_json(void)
{
    json_t *list = json_array();

    pthread_mutex_lock(&recent.lock);
    for (size_t i = 0; i < ERRORS_MAX && i < recent.error_count; i++) {
        const struct error *error = &recent.errors[(recent.error_count - 1 - i) % ERRORS_MAX];

        json_array_append_new(list, json_pack("{s:I, s:i, s:s, s:s, s:s, s:s, s:s}", "at_ms",
                                              (json_int_t)error->at_ms, "status", error->status,
                                              "request_id", error->request_id, "trace_id",
                                              error->trace_id, "operation", error->operation,
                                              "group", error->group, "error", error->slug));
    }
    pthread_mutex_unlock(&recent.lock);
    return list;
}

json_t *grc_recent_configs_json(void)
{
    json_t *list = json_array();

    pthread_mutex_lock(&recent.lock);
    for (size_t i = 0; i < CONFIGS_MAX && i < recent.config_count; i++) {
        const struct grc_reload_state *one =
            &recent.configs[(recent.config_count - 1 - i) % CONFIGS_MAX];

        json_array_append_new(list,
                              json_pack("{s:I, s:i, s:b}", "at_ms", (json_int_t)one->at_ms,
                                        "generation", (int)one->generation, "failed", one->failed));
    }
    pthread_mutex_unlock(&recent.lock);
    return list;
}
