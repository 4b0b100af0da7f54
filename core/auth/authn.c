#include "auth/authn.h"

#include "base/file.h"
#include "base/format.h"
#include "base/json.h"
#include "base/log.h"
#include "base/secure.h"
#include "token/jwt_key.h"

#include <stdlib.h>

#define KEY_FILE_MAX 16384
#define DEPTH_MAX 64
#define LEEWAY_S 30 /* for nbf and iat, like the default of auth.jwt.NAME.leeway */

struct issuer {
    const char *name;        /* borrowed from the config */
    const json_t *audiences; /* an array of strings, borrowed from the config */
    struct grc_jwt_key *key; /* without a kid */
    bool need_exp;
    bool ignore_nbf;
};

struct gr_authn {
    json_t *config;
    struct issuer *issuers;
    size_t count;
};

static const char *member(const json_t *object, const char *name)
{
    return json_string_value(json_object_get(object, name));
}

/* --- set-up --- */

/* Returns the bytes of the key, malloc'ed; NULL with a reason. */
static char *key_bytes(const json_t *row, const char *alg, gr_str fallback, size_t *ret_len,
                       const char **ret_reason)
{
    const char *path = member(row, "key_file");
    const char *text = member(row, "key");
    char *copy;

    if (path && *path)
        return grc_file_read(path, KEY_FILE_MAX, ret_len, ret_reason);
    if (text && *text)
        fallback = gr_str_of(text);
    else if (strcmp(alg, "HS256") != 0)
        fallback.len = 0; /* the fallback is a shared secret, not a public key */
    if (fallback.len == 0) {
        *ret_reason = "there is no key";
        return NULL;
    }
    copy = malloc(fallback.len + 1);
    *ret_reason = "out of memory";
    if (copy) {
        memcpy(copy, fallback.ptr, fallback.len);
        copy[fallback.len] = '\0';
        *ret_len = fallback.len;
    }
    return copy;
}

static bool read_issuer(struct issuer *issuer, const char *owner, const json_t *row,
                        gr_str fallback)
{
    const char *alg = member(row, "algorithm");
    const char *reason = "";
    size_t len = 0;

    issuer->name = member(row, "issuer");
    issuer->audiences = json_object_get(row, "audience");
    issuer->ignore_nbf = json_is_false(json_object_get(row, "nbf_checked"));
    issuer->need_exp = !json_is_false(json_object_get(row, "exp_required"));
    if (!issuer->name || !json_is_array(issuer->audiences)) {
        grc_error("%s: authn: an entry needs an issuer and an array of audiences", owner);
        return false;
    }
    alg = alg ? alg : "HS256";
    char *bytes = key_bytes(row, alg, fallback, &len, &reason);
    if (bytes) {
        const struct gr_jwt_key key = {.alg = alg, .key = {bytes, len}};

        issuer->key = grc_jwt_key_new(&key, &reason);
        grc_wipe(bytes, len);
        free(bytes);
    }
    char *place = grc_format("%s: authn of '%s'", owner, issuer->name);
    if (issuer->key && place)
        grc_jwt_key_warn(issuer->key, place);
    free(place);
    if (!issuer->key)
        grc_error("%s: authn of '%s': cannot use its key for %s: %s", owner, issuer->name, alg,
                  reason ? reason : "");
    return issuer->key != NULL;
}

struct gr_authn *grc_authn_new(const char *owner, const json_t *config, gr_str fallback_key)
{
    size_t count = json_array_size(config);
    struct gr_authn *authn = calloc(1, sizeof(*authn));

    if (!authn)
        return NULL;
    authn->config = json_deep_copy(config);
    authn->issuers = calloc(count + 1, sizeof(*authn->issuers));
    bool good = authn->issuers && (authn->config || !config);
    for (size_t i = 0; i < count && good; i++) {
        const json_t *row = json_array_get(authn->config, i);

        good = read_issuer(&authn->issuers[i], owner, row, fallback_key);
        authn->count = i + 1;
    }
    if (good)
        return authn;
    grc_authn_free(authn);
    return NULL;
}

void grc_authn_free(struct gr_authn *authn)
{
    if (!authn)
        return;
    for (size_t i = 0; i < authn->count; i++)
        grc_jwt_key_free(authn->issuers[i].key);
    free(authn->issuers);
    json_decref(authn->config);
    free(authn);
}

/* --- checking --- */

/* Returns a dot-separated part of the token, counted from 0, as JSON. New reference; NULL when it
 * is not JSON. */
static json_t *peek(struct grc_arena *arena, gr_str token, unsigned part)
{
    size_t len = 0;

    for (; part > 0; part--) {
        const char *dot = token.len ? memchr(token.ptr, '.', token.len) : NULL;

        if (!dot)
            return NULL;
        token.len -= (size_t)(dot + 1 - token.ptr);
        token.ptr = dot + 1;
    }
    const char *end = token.len ? memchr(token.ptr, '.', token.len) : NULL;
    if (!end)
        return NULL;
    token.len = (size_t)(end - token.ptr);
    char *bytes = grc_arena_alloc(arena, token.len + 1);
    if (!bytes || !grc_b64url_decode(token, (unsigned char *)bytes, &len))
        return NULL;
    return grc_json_parse((gr_str){bytes, len}, DEPTH_MAX, NULL);
}

static const struct issuer *find_issuer(const struct gr_authn *authn, const char *name)
{
    for (size_t i = 0; i < authn->count; i++) {
        if (strcmp(authn->issuers[i].name, name) == 0)
            return &authn->issuers[i];
    }
    return NULL;
}

/* Unlike nbf, which is set by the clock of the issuer, exp gets no leeway. */
static bool is_expired(const json_t *claims, int64_t now_s)
{
    const json_t *exp = json_object_get(claims, "exp");

    return json_is_number(exp) && json_number_value(exp) <= (double)now_s;
}

static bool audience_listed(const struct issuer *issuer, const char *audience)
{
    size_t len = strcspn(audience, ":");

    for (size_t i = 0; i < json_array_size(issuer->audiences); i++) {
        const char *known = json_string_value(json_array_get(issuer->audiences, i));

        if (known && strlen(known) == len && memcmp(known, audience, len) == 0)
            return true;
    }
    return false;
}

/* Verifies the token with the issuer's only key, whatever kid the token has. */
static bool signature_holds(struct grc_arena *arena, const struct issuer *issuer, gr_str token,
                            const json_t *header, int64_t now_s)
{
    const struct gr_jwt_rules rules = {
        .issuer = issuer->name,
        .leeway_s = LEEWAY_S,
        .need_exp = issuer->need_exp,
        .ignore_nbf = issuer->ignore_nbf,
    };
    const char *kid = member(header, "kid");
    struct grc_jwt_key key = *issuer->key;
    const struct grc_jwt_key *keys[] = {&key};
    json_t *claims = NULL;

    key.kid = kid ? grc_arena_copy(arena, gr_str_of(kid)) : NULL;
    if (grc_jwt_verify(keys, 1, &rules, token, now_s, &claims) != GRC_JWT_OK)
        return false;
    json_decref(claims);
    return true;
}

/* The characters that separate the parts of an account id and of an agent id. A label with one of
 * them could be read as the account of another audience. */
#define SEPARATORS ".:"

/* Returns NULL, or what is wrong. */
static const char *judge(const struct gr_authn *authn, struct grc_arena *arena, gr_str token,
                         int64_t now_s, const json_t *header, const json_t *claims,
                         struct gr_account *ret_account)
{
    const char *iss = member(claims, "iss");
    const char *aud = member(claims, "aud");
    const char *sub = member(claims, "sub");

    if (!json_is_object(header) || !iss || !aud || !sub || !*sub || !*aud)
        return "the token's claims iss, aud and sub cannot be read";
    if (strpbrk(sub, SEPARATORS))
        return "the token's claim sub holds a dot or a colon";
    const struct issuer *issuer = find_issuer(authn, iss);
    if (!issuer)
        return "the token's issuer is not known";
    if (!audience_listed(issuer, aud))
        return "the token's audience is not accepted from its issuer";
    if (is_expired(claims, now_s) || !signature_holds(arena, issuer, token, header, now_s))
        return "the token is not valid at this time, or its signature is wrong";
    const struct gr_account account = {gr_str_of(grc_arena_copy(arena, gr_str_of(sub))),
                                       gr_str_of(grc_arena_copy(arena, gr_str_of(aud)))};
    if (!account.label.ptr || !account.audience.ptr)
        return "the token is too large";
    *ret_account = account;
    return NULL;
}

enum gr_err grc_authn_check(const struct gr_authn *authn, struct grc_arena *arena, gr_str token,
                            int64_t now_s, struct gr_account *ret_account, const char **ret_reason)
{
    const char *reason = "the token is too large";

    if (token.len <= GRC_JWT_TOKEN_MAX) {
        json_t *header = peek(arena, token, 0);
        json_t *claims = peek(arena, token, 1);

        reason = judge(authn, arena, token, now_s, header, claims, ret_account);
        json_decref(header);
        json_decref(claims);
    }
    if (reason && ret_reason)
        *ret_reason = reason;
    return reason ? GR_ERR_UNAUTHORIZED : GR_OK;
}
