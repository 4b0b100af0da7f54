/*
 * Behind gr_authz_*() (greenroom/host.h): may this account do this to this object? Deny by default.
 *
 * What is decided here needs no network. Where a service has to be asked, core/call/access.c does
 * it. Thread-safe once made.
 */
#pragma once

#include "base/arena.h"

#include <jansson.h>

/* An authorization service: the upstream made for it, the path there, how often it is tried. */
struct grc_authz_service {
    char *upstream;
    char *path;
    unsigned attempts;
};

/* Makes an upstream with settings as in the config. */
typedef bool grc_authz_define_fn(void *arg, const char *name, const json_t *settings);

/* owner: the plugin's name, of which upstreams are called OWNER_authz_N. Copies what it needs; NULL
 * with a line in the log when an entry is wrong. */
struct gr_authz *grc_authz_new(const char *owner, const char *account, const json_t *rules,
                               int64_t cache_ms, gr_bearer_fn *bearer, grc_authz_define_fn *define,
                               void *arg);
void grc_authz_free(struct gr_authz *authz);
gr_bearer_fn *grc_authz_bearer(const struct gr_authz *authz);

/* Decides by the rules alone. When a service has to be asked: GR_UNDECIDED and *ret_service. */
enum gr_verdict grc_authz_decide(const struct gr_authz *authz, const char *audience,
                                 const struct gr_intent *intent,
                                 const struct grc_authz_service **ret_service);
/* Whether one of the records allows the intent. In a record "*" stands for any account label, any
 * one element of the object, any action. */
bool grc_authz_records_allow(const json_t *records, const struct gr_intent *intent);

/* The body of the question, in the arena; NULL when the account is malformed or without memory. */
const char *grc_authz_question(const struct gr_authz *authz, struct grc_arena *arena,
                               const struct gr_intent *intent);
/* Reads a service's answer, an array of actions, whatever its HTTP status. */
enum gr_verdict grc_authz_answer(gr_str text, const char *action);

/* The name under which an answer is remembered. false: nothing is, or there is no memory. */
bool grc_authz_key(const struct gr_authz *authz, const char *audience,
                   const struct gr_intent *intent, unsigned char ret_key[32]);
/* GR_UNDECIDED when it is not known, or not any more, at wall time now_ms. */
enum gr_verdict grc_authz_recall(struct gr_authz *authz, const unsigned char key[32],
                                 int64_t now_ms);
void grc_authz_remember(struct gr_authz *authz, const unsigned char key[32],
                        enum gr_verdict verdict, int64_t now_ms);
