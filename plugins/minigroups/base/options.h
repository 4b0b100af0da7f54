/* The options of the group. */
#pragma once

#include <greenroom/plugin.h>

struct mini_options {
    const char *account;     /* account id of the gateway at the other services */
    const char *agent_label; /* agent label of the gateway */
    const char *kind;        /* the event service's name for minigroups */
    const char *secret;      /* shared HS256 secret */
    const char *secret_file;
    const char *id_token_algorithm; /* of the gateway's tokens */
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

extern const struct gr_option mini_option_rows[];

/* Returns the entry of a config list with this "audience"; NULL when there is none. */
const json_t *mini_audience_config(const json_t *list, const char *audience);
/* A text member of a config object; NULL when absent or empty. */
const char *mini_config_text(const json_t *object, const char *name);
