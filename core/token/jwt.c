#include "token/jwt_key.h"

#include "base/format.h"
#include "base/json.h"
#include "base/log.h"
#include "base/secure.h"

#include <openssl/crypto.h>
#include <stdlib.h>

/* Claims are mostly flat; a few levels are for claims such as permissions. */
#define DEPTH_MAX 32u
/* The longest claims that are signed; services accept far shorter tokens. */
#define CLAIMS_BYTES_MAX ((size_t)1 << 20)
#define HEAD_BYTES_MAX ((size_t)1 << 16)

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

/* Makes key->head of {"alg":…,"typ":"JWT","kid":…}. Returns false without memory, and for a kid
 * that is too long. */
static bool head_make(struct grc_jwt_key *key)
{
    struct grc_buf text;

    grc_buf_init(&text, HEAD_BYTES_MAX);
    bool good = grc_buf_format(&text, "{\"alg\":\"%s\",\"typ\":\"JWT\"", key->alg->name) == GR_OK;
    if (good && key->kid)
        good = grc_buf_text(&text, ",\"kid\":") == GR_OK &&
               grc_buf_json_string(&text, gr_str_of(key->kid)) == GR_OK;
    good = good && grc_buf_char(&text, '}') == GR_OK;
    if (good) {
        key->head_len = grc_b64url_len(text.len) + 1;
        key->head = malloc(key->head_len + 1);
    }
    if (key->head) {
        grc_b64url(text.ptr, text.len, key->head);
        memcpy(key->head + key->head_len - 1, ".", 2);
    }
    grc_buf_done(&text);
    return key->head != NULL;
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
    if (!head_make(made))
        return "out of memory, or a kid of more than 64 KiB";
    return made->alg->family == GRC_JWT_HS ? grc_jwt_hs_load(made, key->key)
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
    grc_jwt_hs_free(key);
    grc_jwt_evp_free(key);
    free(key->head);
    free(key->kid);
    free(key);
}

void grc_jwt_key_warn(const struct grc_jwt_key *key, const char *place)
{
    size_t wanted = key->alg->bits / 8;

    if (key->alg->family == GRC_JWT_HS && key->secret_bytes < wanted)
        grc_warn("%s: a secret of %zu byte%s can be guessed; %s needs at least %zu (RFC 7518, "
                 "section 3.2)",
                 place, key->secret_bytes, grc_plural(key->secret_bytes), key->alg->name, wanted);
}

/* --- signing --- */

static bool is_own(const struct grc_jwt_claim *own, const char *name)
{
    while (own->name && strcmp(own->name, name) != 0)
        own++;
    return own->name != NULL;
}

/* Appends the name of a claim, with what stands before it. */
static enum gr_err write_name(struct grc_buf *text, gr_str name)
{
    enum gr_err err = grc_buf_char(text, text->len ? ',' : '{');

    if (err == GR_OK)
        err = grc_buf_json_string(text, name);
    return err == GR_OK ? grc_buf_char(text, ':') : err;
}

static enum gr_err write_own(struct grc_buf *text, const struct grc_jwt_claim *own)
{
    enum gr_err err = GR_OK;

    for (; err == GR_OK && own->name; own++) {
        err = write_name(text, gr_str_of(own->name));
        if (err == GR_OK)
            err = own->text ? grc_buf_json_string(text, gr_str_of(own->text))
                            : grc_buf_int(text, own->number);
    }
    return err;
}

/* Writes the claims, and those in own instead of others of the same name, as one object. */
static enum gr_err write_claims(struct grc_buf *text, const json_t *claims,
                                const struct grc_jwt_claim *own)
{
    /* jansson's iterator wants a mutable object, though it changes nothing. */
    json_t *object = (json_t *)(uintptr_t)claims;
    enum gr_err err = GR_OK;

    for (void *at = json_object_iter(object); err == GR_OK && at;
         at = json_object_iter_next(object, at)) {
        gr_str name = {json_object_iter_key(at), json_object_iter_key_len(at)};

        if (is_own(own, name.ptr))
            continue;
        err = write_name(text, name);
        if (err == GR_OK)
            err = grc_json_write(text, json_object_iter_value(at));
    }
    if (err == GR_OK)
        err = write_own(text, own);
    if (err == GR_OK && text->len == 0)
        err = grc_buf_char(text, '{');
    return err == GR_OK ? grc_buf_char(text, '}') : err;
}

/* Makes the token of the text of its claims. */
static enum gr_err token_of(struct grc_arena *arena, const struct grc_jwt_key *key, gr_str claims,
                            char **ret_token)
{
    const size_t input_len = key->head_len + grc_b64url_len(claims.len);
    char *token = grc_arena_alloc(arena, input_len + 1 + grc_b64url_len(key->signature_bytes) + 1);
    unsigned char *signature = grc_arena_alloc(arena, key->signature_bytes);

    if (!token || !signature)
        return GR_ERR_NO_MEMORY;
    memcpy(token, key->head, key->head_len);
    grc_b64url(claims.ptr, claims.len, token + key->head_len);
    enum gr_err err = key->alg->family == GRC_JWT_HS
                          ? grc_jwt_hs_sign(key, (gr_str){token, input_len}, signature)
                          : grc_jwt_evp_sign(key, (gr_str){token, input_len}, signature);
    if (err != GR_OK)
        return err;
    token[input_len] = '.';
    grc_b64url(signature, key->signature_bytes, token + input_len + 1);
    *ret_token = token;
    return GR_OK;
}

enum gr_err grc_jwt_sign(struct grc_arena *arena, const struct grc_jwt_key *key,
                         const json_t *claims, const struct grc_jwt_claim *own, char **ret_token)
{
    static const struct grc_jwt_claim none = {.name = NULL};
    struct grc_buf text;

    if (!json_is_object(claims) || !key->can_sign)
        return GR_ERR_INTERNAL;
    grc_buf_init(&text, CLAIMS_BYTES_MAX);
    enum gr_err err = write_claims(&text, claims, own ? own : &none);
    if (err == GR_OK)
        err = token_of(arena, key, grc_buf_view(&text), ret_token);
    grc_buf_done(&text);
    return err;
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
