#include "upstream/credential.h"

#include "auth/jwt.h"
#include "base/clock.h"
#include "base/secure.h"

#include <pthread.h>
#include <stdlib.h>

/* Clocks differ: a token whose nbf lies ahead of the verifier's clock is not valid there. */
#define BACK_S 10
#define LIFETIME_MIN_S 20
#define MARGIN_MAX_S 1800
#define REFUSAL_PAUSE_MS 10000
#define CLAIMS_VERSION 2
#define BEARER "Authorization: Bearer "

struct grc_keeper {
    const struct grc_credential *settings;
    struct grc_jwt_key *key; /* 100ms */
    pthread_mutex_t lock;
    struct grc_token *current; /* NULL before the first call */
    _Atomic unsigned minted;
};

static const char *keeper_check(const struct grc_credential *settings)
{
    if (settings->kind != GRC_CREDENTIAL_100MS && settings->kind != GRC_CREDENTIAL_BEARER)
        return "a credential of unknown kind";
    if (!settings->secret || settings->secret[0] == '\0')
        return "an empty secret";
    if (settings->kind == GRC_CREDENTIAL_100MS &&
        (!settings->access_key || settings->access_key[0] == '\0'))
        return "an empty access_key";
    /* A bearer token becomes a header line. */
    for (const char *at = settings->secret; settings->kind == GRC_CREDENTIAL_BEARER && *at; at++) {
        if (*at <= ' ' || *at > '~')
            return "a token with blanks or control characters";
    }
    return NULL;
}

struct grc_keeper *grc_keeper_new(const struct grc_credential *settings, const char **ret_reason)
{
    const char *reason = keeper_check(settings);
    struct grc_keeper *keeper = reason ? NULL : calloc(1, sizeof(*keeper));

    if (!keeper) {
        *ret_reason = reason ? reason : "out of memory";
        return NULL;
    }
    keeper->settings = settings;
    if (settings->kind == GRC_CREDENTIAL_100MS) {
        struct gr_jwt_key key = {.alg = "HS256", .key = gr_str_of(settings->secret)};
        keeper->key = grc_jwt_key_new(&key, ret_reason);
    }
    if ((settings->kind == GRC_CREDENTIAL_100MS && !keeper->key) ||
        pthread_mutex_init(&keeper->lock, NULL) != 0) {
        grc_jwt_key_free(keeper->key);
        free(keeper);
        return NULL;
    }
    return keeper;
}

void grc_keeper_free(struct grc_keeper *keeper)
{
    if (!keeper)
        return;
    grc_token_unref(keeper->current);
    grc_jwt_key_free(keeper->key);
    pthread_mutex_destroy(&keeper->lock);
    free(keeper);
}

const char *grc_keeper_name(const struct grc_keeper *keeper)
{
    return keeper->settings->name;
}

void grc_token_unref(struct grc_token *token)
{
    if (token && atomic_fetch_sub_explicit(&token->refs, 1, memory_order_acq_rel) == 1) {
        grc_wipe(token->header, strlen(token->header));
        free(token);
    }
}

unsigned grc_keeper_minted(const struct grc_keeper *keeper)
{
    return atomic_load_explicit(&keeper->minted, memory_order_relaxed);
}

/* --- claims --- */

/* Signs the claims with what the host alone decides, which counts over anything they hold. */
static enum gr_err sign(const struct grc_keeper *keeper, struct grc_arena *arena,
                        const json_t *claims, const char *type, int64_t from_s, int64_t lifetime_s,
                        char **ret_token)
{
    char jti[37];
    const struct grc_jwt_claim own[] = {
        {"access_key", keeper->settings->access_key, 0},
        {"version", NULL, CLAIMS_VERSION},
        {"jti", jti, 0},
        {"iat", NULL, from_s},
        {"nbf", NULL, from_s},
        {"exp", NULL, from_s + lifetime_s},
        {type ? "type" : NULL, type, 0},
        {NULL, NULL, 0},
    };

    grc_uuid(jti);
    return grc_jwt_sign(arena, keeper->key, claims, own, ret_token);
}

enum gr_err grc_keeper_sign(struct grc_keeper *keeper, struct grc_arena *arena,
                            const json_t *claims, int64_t lifetime_s, int64_t now_s,
                            char **ret_token)
{
    int64_t max_s = keeper->settings->join_lifetime_max_ms / 1000;

    if (!keeper->key || !json_is_object(claims))
        return GR_ERR_INTERNAL;
    if (lifetime_s <= 0)
        return GR_ERR_INVALID;
    if (max_s > 0 && lifetime_s > max_s)
        lifetime_s = max_s;
    const char *type = json_object_get(claims, "type") ? NULL : "app";
    return sign(keeper, arena, claims, type, now_s - BACK_S, lifetime_s, ret_token);
}

/* --- the shared token --- */

static struct grc_token *token_new(const char *text)
{
    size_t len = strlen(text);
    struct grc_token *token = calloc(1, sizeof(*token) + sizeof(BEARER) + len);

    if (!token)
        return NULL;
    atomic_init(&token->refs, 1);
    memcpy(token->header, BEARER, sizeof(BEARER) - 1);
    memcpy(token->header + sizeof(BEARER) - 1, text, len + 1);
    token->minted_ms = grc_mono_ms();
    return token;
}

static struct grc_token *mint_100ms(struct grc_keeper *keeper, int64_t now_s)
{
    int64_t lifetime_s = keeper->settings->lifetime_ms / 1000;
    json_t *claims = json_object();
    struct grc_token *token = NULL;
    struct grc_arena arena;
    char *text = NULL;

    if (lifetime_s < LIFETIME_MIN_S)
        lifetime_s = LIFETIME_MIN_S;
    grc_arena_init(&arena, 65536);
    if (claims &&
        sign(keeper, &arena, claims, "management", now_s - BACK_S, lifetime_s, &text) == GR_OK)
        token = token_new(text);
    if (text)
        grc_wipe(text, strlen(text));
    grc_arena_done(&arena);
    json_decref(claims);
    if (token) {
        int64_t margin_s = lifetime_s / 5 < MARGIN_MAX_S ? lifetime_s / 5 : MARGIN_MAX_S;
        token->from_s = now_s - BACK_S;
        token->renew_s = token->from_s + lifetime_s - margin_s;
    }
    return token;
}

static struct grc_token *mint(struct grc_keeper *keeper, int64_t now_s)
{
    struct grc_token *token;

    if (keeper->key) {
        token = mint_100ms(keeper, now_s);
    } else {
        token = token_new(keeper->settings->secret);
        if (token) {
            token->from_s = INT64_MIN;
            token->renew_s = INT64_MAX;
        }
    }
    if (token)
        atomic_fetch_add_explicit(&keeper->minted, 1, memory_order_relaxed);
    return token;
}

/* Puts a token in the place of the current one. */
static void replace(struct grc_keeper *keeper, struct grc_token *token)
{
    grc_token_unref(keeper->current);
    keeper->current = token;
}

struct grc_token *grc_keeper_token(struct grc_keeper *keeper, int64_t now_s)
{
    struct grc_token *token;

    pthread_mutex_lock(&keeper->lock);
    token = keeper->current;
    /* A clock that was set back makes a token one of the future. */
    if (!token || now_s >= token->renew_s || now_s < token->from_s) {
        struct grc_token *fresh = mint(keeper, now_s);
        if (fresh)
            replace(keeper, fresh);
        token = fresh ? fresh : token;
    }
    if (token)
        atomic_fetch_add_explicit(&token->refs, 1, memory_order_relaxed);
    pthread_mutex_unlock(&keeper->lock);
    return token;
}

static bool renew_locked(struct grc_keeper *keeper, const struct grc_token *token, int64_t now_s)
{
    if (keeper->current != token)
        return true; /* somebody else was faster */
    if (token->after_refusal && !atomic_load_explicit(&token->proved, memory_order_relaxed) &&
        grc_mono_ms() - token->minted_ms < REFUSAL_PAUSE_MS)
        return false;
    struct grc_token *fresh = mint(keeper, now_s);
    if (!fresh)
        return false;
    fresh->after_refusal = true;
    replace(keeper, fresh);
    return true;
}

bool grc_keeper_refused(struct grc_keeper *keeper, const struct grc_token *token, int64_t now_s)
{
    if (!keeper->key)
        return false; /* a fixed token cannot be renewed */
    pthread_mutex_lock(&keeper->lock);
    bool renewed = renew_locked(keeper, token, now_s);
    pthread_mutex_unlock(&keeper->lock);
    return renewed;
}
