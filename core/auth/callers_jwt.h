/* A JWT provider of the config. For core/auth only; the interface is callers.h. */
#pragma once

#include "auth/callers.h"
#include "token/jwks.h"

struct grc_jwt_provider {
    const struct grc_jwt_settings *settings;
    struct gr_jwt_rules rules;
    struct grc_jwt_key **own; /* keys that the config lists */
    size_t own_count;
    struct grc_jwks *file_set;
    const struct grc_jwt_key **keys; /* those of own and file_set */
    size_t key_count;
    struct grc_jwks_source *source; /* NULL: no set is fetched */
    char *upstream;
    char *target;
};

/* Reads the keys, and reports problems with their place in the config of dir. The provider has to
 * be zeroed memory, and also needs grc_jwt_provider_done() after a failure. */
bool grc_jwt_provider_init(struct grc_jwt_provider *provider,
                           const struct grc_jwt_settings *settings, const char *dir,
                           struct grc_upstreams *upstreams, grc_report_fn *report, void *arg);
void grc_jwt_provider_done(struct grc_jwt_provider *provider);

/* Checks a token with the current keys. On GRC_JWT_OK the claims are a new reference. */
enum grc_jwt_fault grc_jwt_provider_check(struct grc_jwt_provider *provider, gr_str token,
                                          int64_t now_s, json_t **ret_claims);
/* Fetches the set of keys, see grc_jwks_source_refresh(). */
enum grc_jwks_refresh grc_jwt_provider_refresh(struct grc_jwt_provider *provider,
                                               struct grc_upstreams *upstreams,
                                               const char *request_id, bool wait);
/* True when the provider fetches its keys and has none yet. */
bool grc_jwt_provider_empty(struct grc_jwt_provider *provider);

/* Makes a caller of checked claims, in the arena. Returns NULL with a static reason. */
const struct grc_caller *grc_jwt_caller(const struct grc_jwt_settings *settings,
                                        const json_t *claims, struct grc_arena *arena,
                                        const char **ret_reason);
