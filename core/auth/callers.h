/*
 * Callers: the identities behind requests. The providers of "auth" in the config are tried in this
 * order: API keys, JSON Web Tokens, and "none" for a client without a credential. Without a
 * provider every client is "anonymous" and may do everything; the gateway then listens on loopback
 * only, unless the config allows more. Thread-safe.
 */
#pragma once

#include "base/arena.h"
#include "config/settings.h"

struct grc_store;
struct grc_upstreams;

/* Values of one kind ("room", "role") that a caller is bound to. */
struct grc_binding {
    const char *kind;          /* NULL ends a list of bindings */
    const char *const *values; /* ended by NULL */
};

/* A caller. Immutable; lives as long as the call it was found for. */
struct grc_caller {
    gr_str id;                          /* name of the key, subject of the token; NUL-terminated */
    const char *provider;               /* "keys", "none", or the name of a JWT provider */
    const char *const *scopes;          /* ended by NULL */
    const struct grc_binding *bindings; /* NULL: no bindings */
};

bool grc_caller_has(const struct grc_caller *caller, gr_str scope);
/* Returns the values of this kind that a caller is bound to; NULL when it may use any. */
const char *const *grc_caller_bound(const struct grc_caller *caller, const char *kind);
/* False when the caller is bound to other values of this kind. */
bool grc_caller_may(const struct grc_caller *caller, const char *kind, gr_str value);

struct grc_auth;

/*
 * Reads keys, key files and key sets. When something is wrong, it reports each problem and returns
 * NULL. A set with a URL is fetched when the first token needs it, through an upstream made for it.
 * settings and upstreams must outlive the result.
 */
struct grc_auth *grc_auth_new(const struct grc_settings *settings, struct grc_upstreams *upstreams,
                              grc_report_fn *report, void *arg);
/* Reads the API keys, when the config has them in the store, whose tables exist; with watch,
 * changes are noticed from now on. Until then every key is unknown. Returns false with a malloc'ed
 * reason. The store must outlive the result of grc_auth_new(). */
bool grc_auth_read_store(struct grc_auth *auth, const struct grc_settings *settings,
                         struct grc_store *store, bool watch, char **ret_reason);
void grc_auth_free(struct grc_auth *auth);
/* True when no provider is configured. */
bool grc_auth_open(const struct grc_auth *auth);
/* True for the caller that showed no credential, since none is needed. */
bool grc_auth_is_anonymous(const struct grc_auth *auth, const struct grc_caller *caller);

enum grc_auth_verdict {
    GRC_AUTH_FOUND = 1,
    GRC_AUTH_MISSING,     /* the request has no credential, and one is required */
    GRC_AUTH_WRONG,       /* the credential is invalid */
    GRC_AUTH_UNAVAILABLE, /* the credential cannot be checked now, e.g. without the issuer's keys */
};

/* The credentials of a request. The arena is that of the call: the caller is made there, and shared
 * memory such as a key set is released when the arena is reset. */
struct grc_credentials {
    gr_str bearer;  /* from "Authorization: Bearer"; empty: none */
    gr_str api_key; /* from "X-API-Key"; empty: none */
    struct grc_arena *arena;
    const char *request_id; /* for a fetch of keys; may be NULL */
};

/* Finds the caller. Otherwise *ret_reason is a static text for the client. */
enum grc_auth_verdict grc_auth_identify(struct grc_auth *auth,
                                        const struct grc_credentials *credentials,
                                        const struct grc_caller **ret_caller,
                                        const char **ret_reason);
