/*
 * Authorization: may this account do this to this object of this audience? Deny by default.
 *
 * Knows nothing of the group it serves. Rules are a config value; the "http" kind asks a service of
 * the tenant and may remember its answers for a short time. Thread-safe after mg_authz_init().
 */
#pragma once

#include <greenroom/plugin.h>

#include <pthread.h>

struct mg_authz_cell {
    unsigned char key[32];
    int64_t until_ms;
    bool allowed;
};

/* One audience's entry, ready for use. */
struct mg_authz_entry {
    const json_t *config; /* borrowed */
    char *upstream;       /* kind "http": name of the upstream made for it, and the path there */
    char *path;
};

struct mg_authz {
    const char *namespace; /* our account id: the objects are ours */
    int64_t cache_ms;      /* 0: answers of services are not remembered */
    struct mg_authz_entry *entries;
    size_t count;
    pthread_mutex_t lock; /* guards cells */
    struct mg_authz_cell *cells;
};

struct mg_intent {
    gr_str account;            /* who */
    const char *const *object; /* what: one or two elements, NULL-terminated */
    const char *action;
};

enum mg_verdict {
    MG_DENIED = 0,
    MG_ALLOWED,
    MG_UNDECIDED /* the authorization service did not answer as it should */
};

/* The shape of the config value: an array with one entry per audience. */
extern const struct gr_field mg_authz_shape[];

/* Reads the config, and makes upstreams "NAME_authz_N" for entries of kind "http". The config is
 * borrowed until mg_authz_done(). False with a line in the log when an entry is wrong. */
bool mg_authz_init(struct mg_authz *authz, struct gr_self *self, const char *namespace,
                   const json_t *config, int64_t cache_ms);
void mg_authz_done(struct mg_authz *authz);
/* Decides. bearer: makes our token for a tenant's service; called only for kind "http". */
typedef const char *mg_bearer_fn(struct gr_call *call, const char *audience);
enum mg_verdict mg_authz_check(struct gr_call *call, struct mg_authz *authz, const char *audience,
                               const struct mg_intent *intent, mg_bearer_fn *bearer);

/* Pure: whether one of the records allows the intent. In a record "*" stands for any account
 * label, any one element of the object, any action. */
bool mg_authz_records_allow(const json_t *records, const struct mg_intent *intent);
