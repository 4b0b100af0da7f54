/* The group's options and state. */
#pragma once

#include <greenroom/plugin.h>

#include <pthread.h>
#include <stdatomic.h>

struct mg_options {
    const char *account;     /* our account id at the other services */
    const char *agent_label; /* with it, our agent id */
    const char *kind;        /* what the event service calls a minigroup */
    const char *secret;      /* shared HS256 secret */
    const char *secret_file;
    const char *id_token_algorithm; /* of our own tokens */
    const char *id_token_key_file;
    int64_t id_token_lifetime;
    const json_t *event; /* upstreams */
    const json_t *conference;
    const json_t *tq;
    const json_t *authn;
    const json_t *authz;
    int64_t authz_cache;
    const json_t *callbacks;
    const json_t *audiences;
    const json_t *notify;
    const char *const *turn_hosts;
    const char *storage_url;
    const char *storage_backend;
    bool host_required;
};

extern const struct gr_option mg_option_rows[];

/* Our own token, minted now and then. */
struct mg_signer {
    struct gr_jwt_key key; /* .key is owned */
    pthread_mutex_t lock;  /* guards the rest */
    char *token;
    int64_t renew_ms;
};

/* Names on which somebody works; see mg_gate_enter(). */
struct mg_gate {
    pthread_mutex_t lock;
    pthread_cond_t left;
    struct mg_gate_name *names;
};

struct mg_state {
    const struct mg_options *options;
    struct gr_authn *authn;
    struct gr_authz *authz;
    struct mg_signer signer;
    struct mg_gate gate;
    bool has_tq;
    _Atomic int64_t came_ms; /* when the last message was put into the inbox */
};

enum gr_err mg_state_init(struct gr_self *self, const void *options, void **ret_state);
void mg_state_fini(struct gr_self *self, void *state);
static inline struct mg_state *mg_state_of(const struct gr_call *call)
{
    return (struct mg_state *)call->state;
}

/* One audience's entry in an array of config objects that have a member "audience"; NULL: none. */
const json_t *mg_config_of(const json_t *list, const char *audience);
/* A text member of a config object; NULL when absent or empty. */
const char *mg_config_text(const json_t *object, const char *name);
