/*
 * Callers: who stands behind a request. The providers of "auth" in the config are tried in this
 * order: API keys, JSON Web Tokens, and "none" for a client without a credential. Without any
 * provider every client is "anonymous" and may do everything (the config then listens on loopback
 * only). Thread-safe.
 */
#pragma once

#include "base/arena.h"
#include "config/settings.h"

struct grc_upstreams;

/* Values of one kind ("room", "role") that a caller is bound to. */
struct grc_binding {
    const char *kind;          /* NULL ends a list of bindings */
    const char *const *values; /* ended by NULL */
};

/* Immutable. Lives as long as the call it was found for. */
struct grc_caller {
    gr_str id;                          /* name of the key, subject of the token; NUL-terminated */
    const char *provider;               /* "keys", "none", or the name of a JWT provider */
    const char *const *scopes;          /* ended by NULL */
    const struct grc_binding *bindings; /* NULL: none */
};

bool grc_caller_has(const struct grc_caller *caller, gr_str scope);
/* The values a caller is bound to; NULL: any of that kind. */
const char *const *grc_caller_bound(const struct grc_caller *caller, const char *kind);
/* False when the caller is bound to other values of this kind. */
bool grc_caller_may(const struct grc_caller *caller, const char *kind, gr_str value);

struct grc_auth;

/*
 * Reads keys, key files and key sets. NULL when something is wrong (each problem reported). Sets
 * that are fetched from a URL are fetched when the first token needs them, through an upstream of
 * their own. settings and upstreams must outlive it.
 */
struct grc_auth *grc_auth_new(const struct grc_settings *settings, struct grc_upstreams *upstreams,
                              grc_report_fn *report, void *arg);
void grc_auth_free(struct grc_auth *auth);
/* True when no provider is configured. */
bool grc_auth_open(const struct grc_auth *auth);
/* True for the caller that showed no credential, since none is needed. */
bool grc_auth_is_anonymous(const struct grc_auth *auth, const struct grc_caller *caller);

enum grc_auth_verdict {
    GRC_AUTH_FOUND = 1,
    GRC_AUTH_MISSING,     /* no credential, and one is wanted */
    GRC_AUTH_WRONG,       /* a credential that does not hold */
    GRC_AUTH_UNAVAILABLE, /* it cannot be judged now: the issuer's keys could not be fetched */
};

/* What a client showed. The arena is the call's: what is found lives there, and memory shared with
 * other calls is let go when the arena is reset. */
struct grc_credentials {
    gr_str bearer;  /* of "Authorization: Bearer"; empty: none */
    gr_str api_key; /* of "X-API-Key"; empty: none */
    struct grc_arena *arena;
    const char *request_id; /* for a fetch of keys; may be NULL */
};

/* ret_reason: why not, for the client: a static text. */
enum grc_auth_verdict grc_auth_identify(struct grc_auth *auth,
                                        const struct grc_credentials *credentials,
                                        const struct grc_caller **ret_caller,
                                        const char **ret_reason);
