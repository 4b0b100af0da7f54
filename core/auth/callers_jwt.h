/* Inside core/auth only: one JWT provider of the config. See callers.h for the face. */
#pragma once

#include "auth/callers.h"
#include "token/jwks.h"

struct grc_jwt_provider {
    const struct grc_jwt_settings *settings;
    struct gr_jwt_rules rules;
    struct grc_jwt_key **own; /* keys that the config lists */
    size_t own_count;
    struct grc_jwks *file_set;
    const struct grc_jwt_key **keys; /* those of both, for the check */
    size_t key_count;
    struct grc_jwks_source *source; /* NULL: nothing is fetched */
    char *upstream;
    char *target;
};

/* Reads the keys. Problems go to report. The provider is zeroed memory; done is needed either way.
 */
bool grc_jwt_provider_init(struct grc_jwt_provider *provider,
                           const struct grc_jwt_settings *settings, struct grc_upstreams *upstreams,
                           grc_report_fn *report, void *arg);
void grc_jwt_provider_done(struct grc_jwt_provider *provider);

/* Checks a token with the keys at hand. On GRC_JWT_OK the claims are a new reference. */
enum grc_jwt_fault grc_jwt_provider_check(struct grc_jwt_provider *provider, gr_str token,
                                          int64_t now_s, json_t **ret_claims);
/* Fetches the keys, see grc_jwks_source_refresh(). */
enum grc_jwks_refresh grc_jwt_provider_refresh(struct grc_jwt_provider *provider,
                                               struct grc_upstreams *upstreams,
                                               const char *request_id, bool wait);
/* True when the provider fetches its keys and has none yet. */
bool grc_jwt_provider_empty(struct grc_jwt_provider *provider);

/* Makes a caller of claims that hold, in the arena. NULL: a reason, or none without memory. */
const struct grc_caller *grc_jwt_caller(const struct grc_jwt_settings *settings,
                                        const json_t *claims, struct grc_arena *arena,
                                        const char **ret_reason);
