/* The state of the running group, made by mini_state_init() and shared by all calls. */
#pragma once

#include "options.h"

struct mini_authn;  /* account/authn.h */
struct mini_authz;  /* account/authz.h */
struct mini_signer; /* service/signer.h */

#define MINI_KEY_SIZE 32
/* How long a request waits for another one that makes rooms for the same class. Between two
 * gateways on one store, the statement that writes the row of the class decides. */
#define MINI_ROOMS_WAIT_MS 10000

/* The URL for notifications of an audience. */
struct mini_notify {
    const char *audience;
    const char *path;
    char upstream[64];
};

struct mini_state {
    const struct mini_options *options;
    struct mini_authn *authn;
    struct mini_authz *authz;
    struct mini_signer *signer;
    struct mini_notify *notify; /* the entries of the config that have a URL */
    size_t notify_count;
    bool has_tq;
    unsigned char absent_key[MINI_KEY_SIZE]; /* key for the ids of absent classes; see access.c */
};

enum gr_err mini_state_init(struct gr_self *self, const void *options, void **ret_state);
void mini_state_fini(struct gr_self *self, void *state);
static inline struct mini_state *mini_state_of(const struct gr_call *call)
{
    return (struct mini_state *)call->state;
}
