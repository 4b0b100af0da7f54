#include "auth/callers.h"

#include "auth/callers_jwt.h"
#include "auth/keys.h"
#include "base/clock.h"
#include "base/scope.h"
#include "config/setting.h"
#include "config/source.h"

#include <stdlib.h>

struct grc_auth {
    struct grc_upstreams *upstreams;
    struct grc_keys *keys; /* NULL: no API keys */
    struct grc_jwt_provider *jwt;
    size_t jwt_count;
    bool open;
    bool has_none;
    struct grc_caller anonymous;
};

static const char *const everything[] = {"*", NULL};

/* --- callers --- */

bool grc_caller_has(const struct grc_caller *caller, gr_str scope)
{
    for (const char *const *held = caller->scopes; *held; held++) {
        if (grc_scope_covers(gr_str_of(*held), scope))
            return true;
    }
    return false;
}

const char *const *grc_caller_bound(const struct grc_caller *caller, const char *kind)
{
    const struct grc_binding *binding = caller->bindings;

    while (binding && binding->kind) {
        if (strcmp(binding->kind, kind) == 0)
            return binding->values;
        binding++;
    }
    return NULL;
}

bool grc_caller_may(const struct grc_caller *caller, const char *kind, gr_str value)
{
    const char *const *values = grc_caller_bound(caller, kind);

    for (; values && *values; values++) {
        if (gr_str_eq(gr_str_of(*values), value))
            return true;
    }
    return !values;
}

/* --- making --- */

static bool make_keys(struct grc_auth *auth, const struct grc_settings *settings,
                      grc_report_fn *report, void *arg)
{
    const struct grc_path root = {.name = "auth"};
    const struct grc_path keys = {.up = &root, .name = "keys"};
    const struct grc_path file = {.up = &keys, .name = "file"};
    char *reason = NULL;

    if (!settings->auth.keys_file)
        return true;
    auth->keys = settings->auth.keys_in_store ? grc_keys_new_stored(!settings->auth.keys_known)
                                              : grc_keys_new(settings->auth.keys_file, &reason);
    if (!auth->keys)
        grc_source_say_main(settings->dir, &file, report, arg, "'%s': %s", settings->auth.keys_file,
                            reason ? reason : "out of memory");
    free(reason);
    return auth->keys != NULL;
}

static bool make_providers(struct grc_auth *auth, const struct grc_settings *config,
                           grc_report_fn *report, void *arg)
{
    const struct grc_auth_settings *settings = &config->auth;
    bool fine = make_keys(auth, config, report, arg);

    auth->jwt = calloc(settings->jwt_count + 1, sizeof(*auth->jwt));
    if (!auth->jwt)
        return false;
    for (size_t i = 0; i < settings->jwt_count; i++) {
        fine = grc_jwt_provider_init(&auth->jwt[i], &settings->jwt[i], config->dir, auth->upstreams,
                                     report, arg) &&
               fine;
        auth->jwt_count++;
    }
    return fine;
}

struct grc_auth *grc_auth_new(const struct grc_settings *settings, struct grc_upstreams *upstreams,
                              grc_report_fn *report, void *arg)
{
    const struct grc_auth_settings *own = &settings->auth;
    struct grc_auth *auth = calloc(1, sizeof(*auth));

    if (!auth) {
        if (report)
            report(arg, "auth: out of memory");
        return NULL;
    }
    auth->upstreams = upstreams;
    auth->has_none = own->none_scopes != NULL;
    auth->open = !own->keys_file && own->jwt_count == 0 && !auth->has_none;
    auth->anonymous = (struct grc_caller){
        .id = GR_STR("anonymous"),
        .provider = "none",
        .scopes = auth->has_none ? own->none_scopes : everything,
    };
    if (make_providers(auth, settings, report, arg))
        return auth;
    grc_auth_free(auth);
    return NULL;
}

bool grc_auth_read_store(struct grc_auth *auth, const struct grc_settings *settings,
                         struct grc_store *store, bool watch, char **ret_reason)
{
    *ret_reason = NULL;
    return !settings->auth.keys_in_store || grc_keys_watch(auth->keys, store, watch, ret_reason);
}

void grc_auth_free(struct grc_auth *auth)
{
    if (!auth)
        return;
    grc_keys_free(auth->keys);
    for (size_t i = 0; i < auth->jwt_count; i++)
        grc_jwt_provider_done(&auth->jwt[i]);
    free(auth->jwt);
    free(auth);
}

bool grc_auth_open(const struct grc_auth *auth)
{
    return auth->open;
}

bool grc_auth_is_anonymous(const struct grc_auth *auth, const struct grc_caller *caller)
{
    return caller == &auth->anonymous;
}

/* --- API keys --- */

/* What a call keeps while its caller is an API key. */
struct hold {
    struct grc_keys *keys;
    struct grc_key_set *set;
};

/* Called when the answer has been sent, so no client waits while the times of last use are written.
 */
static void release(void *arg)
{
    struct hold *hold = arg;

    grc_key_set_unref(hold->set);
    grc_keys_note_use(hold->keys, grc_now_ms());
}

static enum grc_auth_verdict check_key(struct grc_auth *auth, gr_str text, struct grc_arena *arena,
                                       const struct grc_caller **ret_caller,
                                       const char **ret_reason)
{
    static const char *const reasons[] = {
        [GRC_KEY_MALFORMED] = "not a well-formed key",
        [GRC_KEY_UNKNOWN] = "unknown key",
        [GRC_KEY_EXPIRED] = "the key has expired",
        [GRC_KEY_REVOKED] = "the key was revoked",
        [GRC_KEY_UNCERTAIN] = "the key cannot be checked at this moment",
    };
    struct hold *hold = grc_arena_alloc(arena, sizeof(*hold));
    const struct grc_api_key *key = NULL;
    enum grc_key_verdict verdict;

    if (!hold) {
        *ret_reason = "out of memory";
        return GRC_AUTH_UNAVAILABLE;
    }
    hold->keys = auth->keys;
    verdict = grc_keys_check(auth->keys, text, grc_now_ms(), &hold->set, &key);
    if (verdict != GRC_KEY_FOUND) {
        *ret_reason = reasons[verdict];
        return verdict == GRC_KEY_UNCERTAIN ? GRC_AUTH_UNAVAILABLE : GRC_AUTH_WRONG;
    }
    if (grc_arena_defer(arena, release, hold) != GR_OK) {
        *ret_reason = "out of memory";
        return GRC_AUTH_UNAVAILABLE;
    }
    *ret_caller = &key->caller;
    return GRC_AUTH_FOUND;
}

/* --- tokens --- */

/* A token, and what the providers that were tried found out about it. */
struct trial {
    const struct grc_credentials *credentials;
    int64_t now_s;
    enum grc_jwt_fault fault; /* of the provider that got furthest with the token */
    bool missing;             /* a provider lacks the key, and may find it in a newer set */
    bool unavailable;
    const struct grc_caller *caller;
    const char *reason;
};

/* Returns true when the trial is over, because this provider has verified the signature. */
static bool try_provider(struct trial *trial, struct grc_jwt_provider *provider)
{
    json_t *claims = NULL;
    enum grc_jwt_fault fault =
        grc_jwt_provider_check(provider, trial->credentials->bearer, trial->now_s, &claims);

    if (fault != GRC_JWT_OK) {
        if (fault > trial->fault)
            trial->fault = fault;
        trial->missing = trial->missing || fault == GRC_JWT_KEY;
        return false;
    }
    trial->caller =
        grc_jwt_caller(provider->settings, claims, trial->credentials->arena, &trial->reason);
    json_decref(claims);
    return true;
}

/* When the keys of a provider are old, one call fetches them again while the other calls use the
 * old ones. */
static void freshen(struct grc_auth *auth, struct trial *trial, struct grc_jwt_provider *provider)
{
    if (provider->source &&
        grc_jwks_source_stale(provider->source, grc_mono_ms(), provider->settings->jwks_refresh_ms))
        (void)grc_jwt_provider_refresh(provider, auth->upstreams, trial->credentials->request_id,
                                       false);
}

/* Called when no provider knows the key of this token: the key may be newer than the fetched sets.
 */
static bool try_fetched(struct grc_auth *auth, struct trial *trial,
                        struct grc_jwt_provider *provider)
{
    enum grc_jwks_refresh result;

    if (!provider->source)
        return false;
    result =
        grc_jwt_provider_refresh(provider, auth->upstreams, trial->credentials->request_id, true);
    if (result == GRC_JWKS_FETCHED)
        return try_provider(trial, provider);
    if (result == GRC_JWKS_BUSY || grc_jwt_provider_empty(provider))
        trial->unavailable = true;
    return false;
}

static void try_all(struct grc_auth *auth, struct trial *trial)
{
    for (size_t i = 0; i < auth->jwt_count; i++) {
        freshen(auth, trial, &auth->jwt[i]);
        if (try_provider(trial, &auth->jwt[i]))
            return;
    }
    for (size_t i = 0; trial->missing && i < auth->jwt_count; i++) {
        if (try_fetched(auth, trial, &auth->jwt[i]))
            return;
    }
}

static enum grc_auth_verdict check_token(struct grc_auth *auth,
                                         const struct grc_credentials *credentials,
                                         const struct grc_caller **ret_caller,
                                         const char **ret_reason)
{
    struct trial trial = {.credentials = credentials, .now_s = grc_now_ms() / 1000};

    try_all(auth, &trial);
    if (trial.caller) {
        *ret_caller = trial.caller;
        return GRC_AUTH_FOUND;
    }
    *ret_reason = trial.reason ? trial.reason : grc_jwt_fault_text(trial.fault);
    if (!trial.reason && trial.unavailable && trial.fault == GRC_JWT_KEY) {
        *ret_reason = "the issuer's keys cannot be fetched at this moment";
        return GRC_AUTH_UNAVAILABLE;
    }
    return GRC_AUTH_WRONG;
}

enum grc_auth_verdict grc_auth_identify(struct grc_auth *auth,
                                        const struct grc_credentials *credentials,
                                        const struct grc_caller **ret_caller,
                                        const char **ret_reason)
{
    gr_str bearer = credentials->bearer;
    gr_str key = credentials->api_key;

    if (!auth->open && auth->keys && (key.len || grc_key_looks_like(bearer)))
        return check_key(auth, key.len ? key : bearer, credentials->arena, ret_caller, ret_reason);
    if (!auth->open && auth->jwt_count && bearer.len)
        return check_token(auth, credentials, ret_caller, ret_reason);
    if (!auth->open && (key.len || bearer.len)) {
        *ret_reason = "no provider takes a credential of this kind";
        return GRC_AUTH_WRONG;
    }
    if (auth->open || auth->has_none) {
        *ret_caller = &auth->anonymous;
        return GRC_AUTH_FOUND;
    }
    *ret_reason = "a credential is needed";
    return GRC_AUTH_MISSING;
}
