/* The group's options. */
#pragma once

#include <greenroom/plugin.h>

struct mini_options {
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

extern const struct gr_option mini_option_rows[];

/* The entry of an audience in a list of the config, whose entries name theirs in "audience". NULL
 * when there is none. */
const json_t *mini_audience_config(const json_t *list, const char *audience);
/* A text member of a config object; NULL when absent or empty. */
const char *mini_config_text(const json_t *object, const char *name);
