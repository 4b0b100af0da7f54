#include "gate.h"

struct mg_gate_name {
    struct mg_gate *gate;
    const char *name; /* memory of the call that holds it */
    struct mg_gate_name *next;
};

void mg_gate_init(struct mg_gate *gate)
{
    pthread_mutex_init(&gate->lock, NULL);
    pthread_cond_init(&gate->left, NULL);
    gate->names = NULL;
}

void mg_gate_done(struct mg_gate *gate)
{
    pthread_cond_destroy(&gate->left);
    pthread_mutex_destroy(&gate->lock);
}

static bool is_held(const struct mg_gate *gate, const char *name)
{
    for (const struct mg_gate_name *held = gate->names; held; held = held->next) {
        if (strcmp(held->name, name) == 0)
            return true;
    }
    return false;
}

static void leave(void *arg)
{
    struct mg_gate_name *mine = arg;
    struct mg_gate *gate = mine->gate;

    pthread_mutex_lock(&gate->lock);
    for (struct mg_gate_name **at = &gate->names; *at; at = &(*at)->next) {
        if (*at == mine) {
            *at = mine->next;
            break;
        }
    }
    pthread_cond_broadcast(&gate->left);
    pthread_mutex_unlock(&gate->lock);
}

enum gr_err mg_gate_enter(struct gr_call *call, const char *name)
{
    struct mg_gate *gate = &mg_state_of(call)->gate;
    struct mg_gate_name *mine = gr_alloc(call, sizeof(*mine));
    char *copy = gr_copy(call, gr_str_of(name));

    if (!mine || !copy)
        return gr_fail(call, GR_ERR_NO_MEMORY, "no memory to wait for '%s'", name);
    *mine = (struct mg_gate_name){gate, copy, NULL};
    pthread_mutex_lock(&gate->lock);
    while (is_held(gate, name))
        pthread_cond_wait(&gate->left, &gate->lock);
    mine->next = gate->names;
    gate->names = mine;
    pthread_mutex_unlock(&gate->lock);
    return gr_defer(call, leave, mine);
}
