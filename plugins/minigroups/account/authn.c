#include "authn.h"

#include "base/json.h"
#include "base/key_file.h"
#include "base/secret.h"

#include <jansson.h>

#include <errno.h>
#include <stdlib.h>

#define LEEWAY_S 30 /* for nbf and iat */

struct issuer {
    const char *name;        /* borrowed from the config */
    const json_t *audiences; /* an array of strings, borrowed from the config */
    const char *alg;         /* borrowed from the config */
    char *key;               /* owned */
    size_t key_len;
    bool need_exp;
    bool ignore_nbf;
};

struct mini_authn {
    json_t *config;
    struct issuer *issuers;
    size_t count;
};

/* --- set-up --- */

/* Returns the bytes of the key, malloc'ed; NULL with a reason. */
static char *key_bytes(const json_t *row, const char *alg, gr_str fallback, size_t *ret_len,
                       const char **ret_reason)
{
    const char *path = mini_json_member(row, "key_file");
    const char *text = mini_json_member(row, "key");

    if (path && *path) {
        char *bytes = mini_key_file_read(path, ret_len);

        *ret_reason = bytes ? NULL : strerror(errno);
        return bytes;
    }
    if (text && *text)
        fallback = gr_str_of(text);
    else if (strcmp(alg, "HS256") != 0)
        fallback.len = 0; /* the fallback is a shared secret, not a public key */
    if (fallback.len == 0) {
        *ret_reason = "there is no key";
        return NULL;
    }
    char *copy = malloc(fallback.len);
    *ret_reason = "out of memory";
    if (copy) {
        memcpy(copy, fallback.ptr, fallback.len);
        *ret_len = fallback.len;
    }
    return copy;
}

static bool read_issuer(struct issuer *issuer, struct gr_self *self, const json_t *row,
                        gr_str fallback)
{
    const char *alg = mini_json_member(row, "algorithm");
    const char *reason = "";

    issuer->name = mini_json_member(row, "issuer");
    issuer->audiences = json_object_get(row, "audience");
    issuer->ignore_nbf = json_is_false(json_object_get(row, "nbf_checked"));
    issuer->need_exp = !json_is_false(json_object_get(row, "exp_required"));
    issuer->alg = alg ? alg : "HS256";
    if (!issuer->name || !json_is_array(issuer->audiences)) {
        gr_log_self(self, GR_LOG_ERROR,
                    "authn: an entry needs an issuer and an array of audiences");
        return false;
    }
    issuer->key = key_bytes(row, issuer->alg, fallback, &issuer->key_len, &reason);
    if (issuer->key) {
        const struct gr_jwt_key key = {.alg = issuer->alg, .key = {issuer->key, issuer->key_len}};

        reason = gr_jwt_key_fault(self->host, &key);
        mini_secret_warn(self, issuer->name, &key);
    }
    if (reason)
        gr_log_self(self, GR_LOG_ERROR, "authn of '%s': cannot use its key for %s: %s",
                    issuer->name, issuer->alg, reason);
    return !reason;
}

struct mini_authn *mini_authn_new(struct gr_self *self, const json_t *config, gr_str fallback_key)
{
    size_t count = json_array_size(config);
    struct mini_authn *authn = calloc(1, sizeof(*authn));

    if (!authn)
        return NULL;
    authn->config = json_deep_copy(config);
    authn->issuers = calloc(count + 1, sizeof(*authn->issuers));
    bool good = authn->issuers && (authn->config || !config);
    for (size_t i = 0; i < count && good; i++) {
        const json_t *row = json_array_get(authn->config, i);

        good = read_issuer(&authn->issuers[i], self, row, fallback_key);
        authn->count = i + 1;
    }
    if (good)
        return authn;
    mini_authn_free(self, authn);
    return NULL;
}

void mini_authn_free(struct gr_self *self, struct mini_authn *authn)
{
    if (!authn)
        return;
    for (size_t i = 0; i < authn->count; i++) {
        if (authn->issuers[i].key)
            gr_wipe(self->host, authn->issuers[i].key, authn->issuers[i].key_len);
        free(authn->issuers[i].key);
    }
    free(authn->issuers);
    json_decref(authn->config);
    free(authn);
}

/* --- checking --- */

static const struct issuer *find_issuer(const struct mini_authn *authn, const char *name)
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
static bool signature_holds(struct gr_call *call, const struct issuer *issuer, gr_str token,
                            const json_t *header)
{
    const struct gr_jwt_rules rules = {
        .issuer = issuer->name,
        .leeway_s = LEEWAY_S,
        .need_exp = issuer->need_exp,
        .ignore_nbf = issuer->ignore_nbf,
    };
    const struct gr_jwt_key key = {
        .alg = issuer->alg,
        .key = {issuer->key, issuer->key_len},
        .kid = mini_json_member(header, "kid"),
    };
    const json_t *claims = NULL;

    return gr_jwt_verify(call, &key, 1, &rules, token, &claims) == GR_OK;
}

/* The characters that separate the parts of an account id and of an agent id. A label with one of
 * them could be read as the account of another audience. */
#define SEPARATORS ".:"

/* Returns NULL, or what is wrong. */
static const char *judge(struct gr_call *call, const struct mini_authn *authn, gr_str token,
                         struct gr_account *ret_account)
{
    int64_t now_s = gr_now_ms(call->host) / 1000;
    const json_t *header = NULL;
    const json_t *claims = NULL;

    if (gr_jwt_peek(call, token, &header, &claims) != GR_OK)
        return "the token cannot be read";
    const char *iss = mini_json_member(claims, "iss");
    const char *aud = mini_json_member(claims, "aud");
    const char *sub = mini_json_member(claims, "sub");
    if (!iss || !aud || !sub || !*sub || !*aud)
        return "the token's claims iss, aud and sub cannot be read";
    if (strpbrk(sub, SEPARATORS))
        return "the token's claim sub holds a dot or a colon";
    const struct issuer *issuer = find_issuer(authn, iss);
    if (!issuer)
        return "the token's issuer is not known";
    if (!audience_listed(issuer, aud))
        return "the token's audience is not accepted from its issuer";
    if (is_expired(claims, now_s) || !signature_holds(call, issuer, token, header))
        return "the token is not valid at this time, or its signature is wrong";
    *ret_account = (struct gr_account){gr_str_of(sub), gr_str_of(aud)};
    return NULL;
}

enum gr_err mini_authn_check(struct gr_call *call, const struct mini_authn *authn, gr_str token,
                             struct gr_account *ret_account, const char **ret_reason)
{
    const char *reason = judge(call, authn, token, ret_account);

    if (reason && ret_reason)
        *ret_reason = reason;
    return reason ? GR_ERR_UNAUTHORIZED : GR_OK;
}
