/*
 * Implements gr_authz_*() of greenroom/host.h: decides whether an account may do an action on an
 * object. It denies by default.
 *
 * The functions here need no network. core/call/access.c asks authorization services. Thread-safe
 * once made.
 */
#pragma once

#include "base/arena.h"

#include <jansson.h>

/* An authorization service: its upstream, the path there, and the number of attempts. */
struct grc_authz_service {
    char *upstream;
    char *path;
    unsigned attempts;
};

/* Defines an upstream with settings as in the config. */
typedef bool grc_authz_define_fn(void *arg, const char *name, const json_t *settings);

/* owner is the plugin's name; upstreams are named OWNER_authz_N. Copies what it needs. When an
 * entry is wrong, it logs why and returns NULL. */
struct gr_authz *grc_authz_new(const char *owner, const char *account, const json_t *rules,
                               int64_t cache_ms, gr_bearer_fn *bearer, grc_authz_define_fn *define,
                               void *arg);
void grc_authz_free(struct gr_authz *authz);
gr_bearer_fn *grc_authz_bearer(const struct gr_authz *authz);

/* Decides by the rules alone. Returns GR_UNDECIDED when *ret_service has to be asked. */
enum gr_verdict grc_authz_decide(const struct gr_authz *authz, const char *audience,
                                 const struct gr_intent *intent,
                                 const struct grc_authz_service **ret_service);
/* True when one of the records allows the intent. In a record, "*" matches any account label, any
 * single element of the object, or any action. */
bool grc_authz_records_allow(const json_t *records, const struct gr_intent *intent);

/* Returns the body of the request to a service, in the arena; NULL when the account is malformed or
 * without memory. */
const char *grc_authz_question(const struct gr_authz *authz, struct grc_arena *arena,
                               const struct gr_intent *intent);
/* Reads the answer of a service, an array of the allowed actions. Its HTTP status does not matter.
 */
enum gr_verdict grc_authz_answer(gr_str text, const char *action);

/* Makes the key under which an answer is cached. Returns false when nothing is cached, and without
 * memory. */
bool grc_authz_key(const struct gr_authz *authz, const char *audience,
                   const struct gr_intent *intent, unsigned char ret_key[32]);
/* Returns the cached verdict, or GR_UNDECIDED when there is none at wall time now_ms. */
enum gr_verdict grc_authz_recall(struct gr_authz *authz, const unsigned char key[32],
                                 int64_t now_ms);
void grc_authz_remember(struct gr_authz *authz, const unsigned char key[32],
                        enum gr_verdict verdict, int64_t now_ms);
