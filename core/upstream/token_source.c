#include "upstream/token_source.h"

#include "base/clock.h"
#include "base/secure.h"
#include "token/jwt.h"

#include <pthread.h>
#include <stdlib.h>

/* nbf is set back by this, since a verifier with a slow clock refuses a token with a later nbf. */
#define BACK_S 10
#define LIFETIME_MIN_S 20
#define MARGIN_MAX_S 1800
#define REFUSAL_PAUSE_MS 10000
#define CLAIMS_VERSION 2
#define BEARER "Authorization: Bearer "

struct grc_token_source {
    const struct grc_credential *settings;
    struct grc_jwt_key *key; /* 100ms */
    pthread_mutex_t lock;
    struct grc_token *current; /* NULL before the first call */
    _Atomic unsigned minted;
};

static const char *settings_check(const struct grc_credential *settings)
{
    if (settings->kind != GRC_CREDENTIAL_100MS && settings->kind != GRC_CREDENTIAL_BEARER)
        return "a credential of unknown kind";
    if (!settings->secret || settings->secret[0] == '\0')
        return "an empty secret";
    if (settings->kind == GRC_CREDENTIAL_100MS &&
        (!settings->access_key || settings->access_key[0] == '\0'))
        return "an empty access_key";
    /* A bearer token becomes a part of a header line. */
    for (const char *at = settings->secret; settings->kind == GRC_CREDENTIAL_BEARER && *at; at++) {
        if (*at <= ' ' || *at > '~')
            return "a token with blanks or control characters";
    }
    return NULL;
}

struct grc_token_source *grc_token_source_new(const struct grc_credential *settings,
                                              const char **ret_reason)
{
    const char *reason = settings_check(settings);
    struct grc_token_source *token_source = reason ? NULL : calloc(1, sizeof(*token_source));

    if (!token_source) {
        *ret_reason = reason ? reason : "out of memory";
        return NULL;
    }
    token_source->settings = settings;
    if (settings->kind == GRC_CREDENTIAL_100MS) {
        struct gr_jwt_key key = {.alg = "HS256", .key = gr_str_of(settings->secret)};
        token_source->key = grc_jwt_key_new(&key, ret_reason);
    }
    if ((settings->kind == GRC_CREDENTIAL_100MS && !token_source->key) ||
        pthread_mutex_init(&token_source->lock, NULL) != 0) {
        grc_jwt_key_free(token_source->key);
        free(token_source);
        return NULL;
    }
    return token_source;
}

void grc_token_source_free(struct grc_token_source *token_source)
{
    if (!token_source)
        return;
    grc_token_unref(token_source->current);
    grc_jwt_key_free(token_source->key);
    pthread_mutex_destroy(&token_source->lock);
    free(token_source);
}

const char *grc_token_source_name(const struct grc_token_source *token_source)
{
    return token_source->settings->name;
}

void grc_token_unref(struct grc_token *token)
{
    if (token && atomic_fetch_sub_explicit(&token->refs, 1, memory_order_acq_rel) == 1) {
        grc_wipe(token->header, strlen(token->header));
        free(token);
    }
}

unsigned grc_token_source_minted(const struct grc_token_source *token_source)
{
    return atomic_load_explicit(&token_source->minted, memory_order_relaxed);
}

/* --- claims --- */

/* Signs the claims together with those that the host sets, which replace any of the same name. */
static enum gr_err sign(const struct grc_token_source *token_source, struct grc_arena *arena,
                        const json_t *claims, const char *type, int64_t from_s, int64_t lifetime_s,
                        char **ret_token)
{
    char jti[37];
    const struct grc_jwt_claim own[] = {
        {"access_key", token_source->settings->access_key, 0},
        {"version", NULL, CLAIMS_VERSION},
        {"jti", jti, 0},
        {"iat", NULL, from_s},
        {"nbf", NULL, from_s},
        {"exp", NULL, from_s + lifetime_s},
        {type ? "type" : NULL, type, 0},
        {NULL, NULL, 0},
    };

    grc_uuid(jti);
    return grc_jwt_sign(arena, token_source->key, claims, own, ret_token);
}

enum gr_err grc_token_source_sign(struct grc_token_source *token_source, struct grc_arena *arena,
                                  const json_t *claims, int64_t lifetime_s, int64_t now_s,
                                  char **ret_token)
{
    int64_t max_s = token_source->settings->join_lifetime_max_ms / 1000;

    if (!token_source->key || !json_is_object(claims))
        return GR_ERR_INTERNAL;
    if (lifetime_s <= 0)
        return GR_ERR_INVALID;
    if (max_s > 0 && lifetime_s > max_s)
        lifetime_s = max_s;
    const char *type = json_object_get(claims, "type") ? NULL : "app";
    return sign(token_source, arena, claims, type, now_s - BACK_S, lifetime_s, ret_token);
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

static struct grc_token *mint_100ms(struct grc_token_source *token_source, int64_t now_s)
{
    int64_t lifetime_s = token_source->settings->lifetime_ms / 1000;
    json_t *claims = json_object();
    struct grc_token *token = NULL;
    struct grc_arena arena;
    char *text = NULL;

    if (lifetime_s < LIFETIME_MIN_S)
        lifetime_s = LIFETIME_MIN_S;
    grc_arena_init(&arena, 65536);
    if (claims && sign(token_source, &arena, claims, "management", now_s - BACK_S, lifetime_s,
                       &text) == GR_OK)
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

static struct grc_token *mint(struct grc_token_source *token_source, int64_t now_s)
{
    struct grc_token *token;

    if (token_source->key) {
        token = mint_100ms(token_source, now_s);
    } else {
        token = token_new(token_source->settings->secret);
        if (token) {
            token->from_s = INT64_MIN;
            token->renew_s = INT64_MAX;
        }
    }
    if (token)
        atomic_fetch_add_explicit(&token_source->minted, 1, memory_order_relaxed);
    return token;
}

/* Replaces the current token. */
static void replace(struct grc_token_source *token_source, struct grc_token *token)
{
    grc_token_unref(token_source->current);
    token_source->current = token;
}

struct grc_token *grc_token_source_token(struct grc_token_source *token_source, int64_t now_s)
{
    struct grc_token *token;

    pthread_mutex_lock(&token_source->lock);
    token = token_source->current;
    /* When the clock was set back, the token may not be valid yet. */
    if (!token || now_s >= token->renew_s || now_s < token->from_s) {
        struct grc_token *fresh = mint(token_source, now_s);
        if (fresh)
            replace(token_source, fresh);
        token = fresh ? fresh : token;
    }
    if (token)
        atomic_fetch_add_explicit(&token->refs, 1, memory_order_relaxed);
    pthread_mutex_unlock(&token_source->lock);
    return token;
}

static bool renew_locked(struct grc_token_source *token_source, const struct grc_token *token,
                         int64_t now_s)
{
    if (token_source->current != token)
        return true; /* another call was faster */
    if (token->after_refusal && !atomic_load_explicit(&token->proved, memory_order_relaxed) &&
        grc_mono_ms() - token->minted_ms < REFUSAL_PAUSE_MS)
        return false;
    struct grc_token *fresh = mint(token_source, now_s);
    if (!fresh)
        return false;
    fresh->after_refusal = true;
    replace(token_source, fresh);
    return true;
}

bool grc_token_source_refused(struct grc_token_source *token_source, const struct grc_token *token,
                              int64_t now_s)
{
    if (!token_source->key)
        return false; /* a fixed token cannot be renewed */
    pthread_mutex_lock(&token_source->lock);
    bool renewed = renew_locked(token_source, token, now_s);
    pthread_mutex_unlock(&token_source->lock);
    return renewed;
}
