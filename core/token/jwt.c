#include "token/jwt_key.h"

#include "base/json.h"
#include "base/log.h"
#include "base/secure.h"

#include <openssl/crypto.h>
#include <stdlib.h>

/* Claims are mostly flat; a few levels are for claims such as permissions. */
#define DEPTH_MAX 32u

static const struct grc_jwt_alg algs[] = {
    {.name = "HS256", .family = GRC_JWT_HS, .bits = 256},
    {.name = "HS384", .family = GRC_JWT_HS, .bits = 384},
    {.name = "HS512", .family = GRC_JWT_HS, .bits = 512},
    {.name = "RS256", .family = GRC_JWT_RS, .bits = 256},
    {.name = "RS384", .family = GRC_JWT_RS, .bits = 384},
    {.name = "RS512", .family = GRC_JWT_RS, .bits = 512},
    {.name = "ES256", .family = GRC_JWT_ES, .bits = 256, .curve = "prime256v1", .number_bytes = 32},
    {.name = "ES384", .family = GRC_JWT_ES, .bits = 384, .curve = "secp384r1", .number_bytes = 48},
    {.name = "ES512", .family = GRC_JWT_ES, .bits = 512, .curve = "secp521r1", .number_bytes = 66},
};

static const struct grc_jwt_alg *alg_find(const char *name)
{
    for (size_t i = 0; name && i < sizeof(algs) / sizeof(algs[0]); i++)
        if (strcmp(algs[i].name, name) == 0)
            return &algs[i];
    return NULL;
}

/* --- keys --- */

static const char *secret_load(struct grc_jwt_key *key, gr_str text)
{
    if (text.len > 65536)
        return "a secret of more than 64 KiB";
    /* A public key as the secret would let any client sign tokens, since it is not secret. */
    if (memmem(text.ptr, text.len, "-----BEGIN ", 11))
        return "a PEM key, but the algorithm needs a secret";
    key->secret = malloc(text.len);
    if (!key->secret)
        return "out of memory";
    memcpy(key->secret, text.ptr, text.len);
    key->secret_bytes = text.len;
    key->can_sign = true;
    return NULL;
}

static const char *key_load(struct grc_jwt_key *made, const struct gr_jwt_key *key)
{
    made->alg = alg_find(key->alg);
    if (!made->alg)
        return "an unknown algorithm";
    if (key->key.len == 0)
        return "an empty key";
    if (key->kid) {
        made->kid = strdup(key->kid);
        if (!made->kid)
            return "out of memory";
    }
    return made->alg->family == GRC_JWT_HS ? secret_load(made, key->key)
                                           : grc_jwt_evp_load(made, key->key);
}

struct grc_jwt_key *grc_jwt_key_new(const struct gr_jwt_key *key, const char **ret_reason)
{
    struct grc_jwt_key *made = calloc(1, sizeof(*made));
    const char *reason = made ? key_load(made, key) : "out of memory";

    if (!reason)
        return made;
    grc_jwt_key_free(made);
    if (ret_reason)
        *ret_reason = reason;
    return NULL;
}

void grc_jwt_key_free(struct grc_jwt_key *key)
{
    if (!key)
        return;
    grc_wipe(key->secret, key->secret_bytes);
    free(key->secret);
    grc_jwt_evp_free(key);
    free(key->kid);
    free(key);
}

void grc_jwt_key_warn(const struct grc_jwt_key *key, const char *place)
{
    size_t wanted = key->alg->bits / 8;

    if (key->alg->family == GRC_JWT_HS && key->secret_bytes < wanted)
        grc_warn("%s: a secret of %zu bytes can be guessed; %s needs at least %zu (RFC 7518, "
                 "section 3.2)",
                 place, key->secret_bytes, key->alg->name, wanted);
}

/* --- signing --- */

/* Returns base64url of {"alg":…,"typ":"JWT","kid":…}, a dot, and base64url of the claims;
 * malloc'ed. */
static char *signing_input(const struct grc_jwt_key *key, const json_t *claims)
{
    json_t *head = json_pack("{s:s, s:s}", "alg", key->alg->name, "typ", "JWT");
    char *head_text = NULL;
    char *claims_text = json_dumps(claims, JSON_COMPACT | JSON_SORT_KEYS);
    char *input = NULL;

    if (head && (!key->kid || json_object_set_new(head, "kid", json_string(key->kid)) == 0))
        head_text = json_dumps(head, JSON_COMPACT);
    if (head_text && claims_text) {
        size_t head_len = strlen(head_text);
        size_t claims_len = strlen(claims_text);
        size_t dot = grc_b64url_len(head_len);

        input = malloc(dot + 1 + grc_b64url_len(claims_len) + 1);
        if (input) {
            grc_b64url(head_text, head_len, input);
            input[dot] = '.';
            grc_b64url(claims_text, claims_len, input + dot + 1);
        }
    }
    free(head_text);
    free(claims_text);
    json_decref(head);
    return input;
}

static enum gr_err evp_token(const struct grc_jwt_key *key, const json_t *claims, char **ret_token)
{
    char *input = signing_input(key, claims);
    unsigned char *signature = NULL;
    size_t count = 0;

    if (!input)
        return GR_ERR_NO_MEMORY;
    size_t len = strlen(input);
    enum gr_err err = grc_jwt_evp_sign(key, (gr_str){input, len}, &signature, &count);
    char *token = err == GR_OK ? realloc(input, len + 1 + grc_b64url_len(count) + 1) : NULL;
    if (!token) {
        free(input);
        free(signature);
        return err == GR_OK ? GR_ERR_NO_MEMORY : err;
    }
    token[len] = '.';
    grc_b64url(signature, count, token + len + 1);
    free(signature);
    *ret_token = token;
    return GR_OK;
}

/* Returns a shallow copy of the claims with those in own added. */
static json_t *joined(const json_t *claims, const struct grc_jwt_claim *own)
{
    /* json_copy() wants a mutable object, though it changes nothing. */
    json_t *all = json_copy((json_t *)(uintptr_t)claims);

    for (; all && own->name; own++) {
        json_t *value = own->text ? json_string(own->text) : json_integer(own->number);

        if (json_object_set_new(all, own->name, value) != 0) {
            json_decref(all);
            return NULL;
        }
    }
    return all;
}

static enum gr_err evp_sign(const struct grc_jwt_key *key, const json_t *claims,
                            const struct grc_jwt_claim *own, char **ret_token)
{
    json_t *all = joined(claims, own);
    enum gr_err err = all ? evp_token(key, all, ret_token) : GR_ERR_NO_MEMORY;

    json_decref(all);
    return err;
}

enum gr_err grc_jwt_sign(struct grc_arena *arena, const struct grc_jwt_key *key,
                         const json_t *claims, const struct grc_jwt_claim *own, char **ret_token)
{
    static const struct grc_jwt_claim none = {.name = NULL};
    char *token = NULL;

    if (!json_is_object(claims) || !key->can_sign)
        return GR_ERR_INTERNAL;
    own = own ? own : &none;
    enum gr_err err = key->alg->family == GRC_JWT_HS ? grc_jwt_hs_sign(key, claims, own, &token)
                                                     : evp_sign(key, claims, own, &token);
    if (err != GR_OK)
        return err;
    char *copy = grc_arena_copy(arena, gr_str_of(token));
    grc_wipe_free(token);
    if (!copy)
        return GR_ERR_NO_MEMORY;
    *ret_token = copy;
    return GR_OK;
}

/* --- verifying --- */

/* The parts of a token, all in one block of memory. */
struct parts {
    char *text; /* the token, NUL-terminated */
    size_t signed_len;
    unsigned char *head;
    size_t head_len;
    unsigned char *claims;
    size_t claims_len;
    unsigned char *signature;
    size_t signature_len;
};

static bool decode_part(gr_str part, unsigned char *ret_bytes, size_t *ret_count)
{
    return part.len > 0 && grc_b64url_decode(part, ret_bytes, ret_count);
}

/* Returns false unless the token has three parts of strict base64url. The caller frees parts->text.
 */
static bool split(struct parts *parts, gr_str token)
{
    if (token.len == 0 || token.len > GRC_JWT_TOKEN_MAX)
        return false;
    const char *end = token.ptr + token.len;
    const char *first = memchr(token.ptr, '.', token.len);
    const char *second = first ? memchr(first + 1, '.', (size_t)(end - first - 1)) : NULL;
    if (!second)
        return false;
    /* Decoded parts are shorter than their text, so this holds the token and all of them. */
    parts->text = malloc(2 * token.len + 1);
    if (!parts->text)
        return false;
    memcpy(parts->text, token.ptr, token.len);
    parts->text[token.len] = '\0';
    parts->signed_len = (size_t)(second - token.ptr);

    gr_str head = {token.ptr, (size_t)(first - token.ptr)};
    gr_str claims = {first + 1, (size_t)(second - first - 1)};
    gr_str signature = {second + 1, (size_t)(end - second - 1)};
    parts->head = (unsigned char *)parts->text + token.len + 1;
    parts->claims = parts->head + head.len;
    parts->signature = parts->claims + claims.len;
    return decode_part(head, parts->head, &parts->head_len) &&
           decode_part(claims, parts->claims, &parts->claims_len) &&
           decode_part(signature, parts->signature, &parts->signature_len);
}

static json_t *parse_object(const unsigned char *text, size_t len)
{
    json_t *value = grc_json_parse((gr_str){(const char *)text, len}, DEPTH_MAX, NULL);

    if (value && !json_is_object(value)) {
        json_decref(value);
        value = NULL;
    }
    return value;
}

static bool same_kid(const struct grc_jwt_key *key, const char *kid)
{
    if (!key->kid || !kid)
        return !key->kid && !kid;
    return strcmp(key->kid, kid) == 0;
}

static bool signature_holds(const struct grc_jwt_key *key, const struct parts *parts)
{
    if (key->alg->family == GRC_JWT_HS)
        return grc_jwt_hs_verify(key, parts->text);
    return grc_jwt_evp_verify(key, (gr_str){parts->text, parts->signed_len}, parts->signature,
                              parts->signature_len);
}

/* Looks for a key of that kid and algorithm that verifies the signature. */
static enum grc_jwt_fault signature_check(const struct grc_jwt_key *const *keys, size_t count,
                                          const char *alg, const char *kid,
                                          const struct parts *parts)
{
    enum grc_jwt_fault fault = GRC_JWT_KEY;

    for (size_t i = 0; i < count; i++) {
        if (!same_kid(keys[i], kid))
            continue;
        if (strcmp(keys[i]->alg->name, alg) != 0) {
            if (fault == GRC_JWT_KEY)
                fault = GRC_JWT_ALGORITHM;
            continue;
        }
        if (signature_holds(keys[i], parts))
            return GRC_JWT_OK;
        fault = GRC_JWT_SIGNATURE;
    }
    return fault;
}

static enum grc_jwt_fault head_check(const json_t *head, const char **ret_alg, const char **ret_kid)
{
    const json_t *kid = json_object_get(head, "kid");
    const char *alg = json_string_value(json_object_get(head, "alg"));

    /* Extensions in "crit" must be refused when they are not understood (RFC 7515, 4.1.11). */
    if (!alg || (kid && !json_is_string(kid)) || json_object_get(head, "crit"))
        return GRC_JWT_MALFORMED;
    if (!alg_find(alg))
        return GRC_JWT_ALGORITHM;
    *ret_alg = alg;
    *ret_kid = json_string_value(kid);
    return GRC_JWT_OK;
}

static enum grc_jwt_fault verify_parts(const struct grc_jwt_key *const *keys, size_t count,
                                       const struct parts *parts, json_t **ret_claims)
{
    const char *alg = NULL;
    const char *kid = NULL;
    json_t *head = parse_object(parts->head, parts->head_len);
    enum grc_jwt_fault fault = head ? head_check(head, &alg, &kid) : GRC_JWT_MALFORMED;
    json_t *claims = NULL;

    /* The claims are parsed before the signature is checked, because libjwt parses them while it
     * checks, without a limit on nesting. */
    if (fault == GRC_JWT_OK) {
        claims = parse_object(parts->claims, parts->claims_len);
        fault = claims ? signature_check(keys, count, alg, kid, parts) : GRC_JWT_MALFORMED;
    }
    json_decref(head);
    if (fault != GRC_JWT_OK) {
        json_decref(claims);
        return fault;
    }
    *ret_claims = claims;
    return GRC_JWT_OK;
}

enum grc_jwt_fault grc_jwt_verify(const struct grc_jwt_key *const *keys, size_t count,
                                  const struct gr_jwt_rules *rules, gr_str token, int64_t now_s,
                                  json_t **ret_claims)
{
    struct parts parts = {0};
    json_t *claims = NULL;
    enum grc_jwt_fault fault = GRC_JWT_MALFORMED;

    if (split(&parts, token))
        fault = verify_parts(keys, count, &parts, &claims);
    free(parts.text);
    if (fault == GRC_JWT_OK)
        fault = grc_jwt_claims_check(claims, rules, now_s);
    if (fault != GRC_JWT_OK) {
        json_decref(claims);
        return fault;
    }
    if (ret_claims)
        *ret_claims = claims;
    else
        json_decref(claims);
    return GRC_JWT_OK;
}

bool grc_jwt_peek(gr_str token, json_t **ret_header, json_t **ret_claims)
{
    struct parts parts = {0};
    json_t *header = NULL;
    json_t *claims = NULL;

    if (split(&parts, token)) {
        header = parse_object(parts.head, parts.head_len);
        claims = parse_object(parts.claims, parts.claims_len);
    }
    free(parts.text);
    if (!header || !claims) {
        json_decref(header);
        json_decref(claims);
        return false;
    }
    *ret_header = header;
    *ret_claims = claims;
    return true;
}

const char *grc_jwt_fault_text(enum grc_jwt_fault fault)
{
    static const char *const texts[] = {
        [GRC_JWT_OK] = "valid",
        [GRC_JWT_MALFORMED] = "not a well-formed token",
        [GRC_JWT_ALGORITHM] = "not signed with the algorithm of the key",
        [GRC_JWT_KEY] = "no key for its kid",
        [GRC_JWT_SIGNATURE] = "the signature does not match",
        [GRC_JWT_EXPIRED] = "expired",
        [GRC_JWT_NOT_YET] = "not valid yet",
        [GRC_JWT_ISSUER] = "from another issuer",
        [GRC_JWT_AUDIENCE] = "for another audience",
        [GRC_JWT_CLAIM] = "a claim is missing or of the wrong type",
    };

    if ((size_t)fault >= sizeof(texts) / sizeof(texts[0]))
        return "unknown fault";
    return texts[fault];
}

const char *grc_jwt_library(void)
{
    return OpenSSL_version(OPENSSL_VERSION);
}
