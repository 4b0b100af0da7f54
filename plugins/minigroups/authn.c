#include "authn.h"

#include "secret.h"

#include <jansson.h>

#include <stdlib.h>

const struct gr_field mg_authn_shape[] = {
    GR_FIELD("issuer", GR_STRING, "Value of the claim iss", .flags = GR_REQUIRED,
             .range = GR_MIN(1)),
    GR_FIELD("audience", GR_ARRAY, "Accepted claims aud, up to their first colon",
             .flags = GR_REQUIRED, .items = GR_ITEM(GR_STRING)),
    GR_FIELD("algorithm", GR_STRING, "The only algorithm this issuer may use",
             .values = GR_LIST("HS256", "RS256", "ES256"), .fallback = "\"HS256\""),
    GR_FIELD("key", GR_STRING, "Shared secret, or public key as PEM", .flags = GR_SECRET),
    GR_FIELD("key_file", GR_STRING, "File with the key: secret, PEM, DER or bare ES256 point"),
    GR_END,
};

static gr_str dup_bytes(gr_str s)
{
    char *copy = malloc(s.len + 1);

    if (!copy)
        return (gr_str){NULL, 0};
    if (s.len)
        memcpy(copy, s.ptr, s.len);
    copy[s.len] = '\0';
    return (gr_str){copy, s.len};
}

static const char *member(const json_t *object, const char *name)
{
    return json_string_value(json_object_get(object, name));
}

static bool read_issuer(struct mg_issuer *issuer, struct gr_self *self, const json_t *row,
                        gr_str fallback_key)
{
    const char *path = member(row, "key_file");
    const char *text = member(row, "key");
    const char *alg = member(row, "algorithm");

    issuer->issuer = member(row, "issuer");
    issuer->audiences = json_object_get(row, "audience");
    issuer->key.alg = alg ? alg : "HS256";
    if (path && *path) {
        if (!mg_read_file(path, &issuer->key.key)) {
            gr_log_self(self, GR_LOG_ERROR, "authn of '%s': cannot read key file '%s'",
                        issuer->issuer, path);
            return false;
        }
        return true;
    }
    if (!text || !*text) {
        if (strcmp(issuer->key.alg, "HS256") != 0) {
            gr_log_self(self, GR_LOG_ERROR, "authn of '%s': no key for %s", issuer->issuer,
                        issuer->key.alg);
            return false;
        }
        issuer->key.key = dup_bytes(fallback_key);
    } else {
        issuer->key.key = dup_bytes(gr_str_of(text));
    }
    if (issuer->key.key.len == 0)
        gr_log_self(self, GR_LOG_ERROR, "authn of '%s': the key is empty", issuer->issuer);
    return issuer->key.key.len != 0;
}

bool mg_authn_init(struct mg_authn *authn, struct gr_self *self, const json_t *config,
                   gr_str fallback_key)
{
    size_t count = json_array_size(config);

    *authn = (struct mg_authn){calloc(count + 1, sizeof(struct mg_issuer)), 0};
    if (!authn->issuers)
        return false;
    for (size_t i = 0; i < count; i++) {
        authn->count = i + 1;
        if (!read_issuer(&authn->issuers[i], self, json_array_get(config, i), fallback_key)) {
            mg_authn_done(authn, self);
            return false;
        }
    }
    return true;
}

void mg_authn_done(struct mg_authn *authn, struct gr_self *self)
{
    for (size_t i = 0; i < authn->count; i++) {
        gr_str key = authn->issuers[i].key.key;
        char *bytes;

        /* The key is ours; the type of the slice just does not say so. */
        memcpy(&bytes, &key.ptr, sizeof(bytes));
        if (bytes)
            self->host->wipe(bytes, key.len);
        free(bytes);
    }
    free(authn->issuers);
    *authn = (struct mg_authn){NULL, 0};
}

static int digit_of(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    if (c == '-')
        return 62;
    return c == '_' ? 63 : -1;
}

/* Decodes base64url without padding (RFC 7515, section 2) into call memory. */
static bool decode(struct gr_call *call, gr_str text, gr_str *ret_bytes)
{
    char *bytes = gr_alloc(call, text.len + 1);
    unsigned long bits = 0;
    unsigned held = 0;
    size_t len = 0;

    if (!bytes || text.len % 4 == 1)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        int digit = digit_of(text.ptr[i]);

        if (digit < 0)
            return false;
        bits = (bits << 6 | (unsigned long)digit) & 0xfffffful;
        held += 6;
        if (held >= 8) {
            held -= 8;
            bytes[len++] = (char)(unsigned char)(bits >> held & 0xffu);
        }
    }
    *ret_bytes = (gr_str){bytes, len};
    return true;
}

/* The n-th dot-separated part as a JSON object; NULL when it is none. */
static const json_t *peek(struct gr_call *call, gr_str token, unsigned part)
{
    gr_str bytes;
    const json_t *json;

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
    if (!decode(call, token, &bytes))
        return NULL;
    json = gr_parse_json(call, bytes);
    return json_is_object(json) ? json : NULL;
}

static const struct mg_issuer *find_issuer(const struct mg_authn *authn, const char *name)
{
    for (size_t i = 0; i < authn->count; i++) {
        if (strcmp(authn->issuers[i].issuer, name) == 0)
            return &authn->issuers[i];
    }
    return NULL;
}

static bool audience_listed(const struct mg_issuer *issuer, const char *audience)
{
    size_t len = strcspn(audience, ":");

    for (size_t i = 0; i < json_array_size(issuer->audiences); i++) {
        const char *known = json_string_value(json_array_get(issuer->audiences, i));

        if (known && strlen(known) == len && memcmp(known, audience, len) == 0)
            return true;
    }
    return false;
}

const char *mg_authn_check(struct gr_call *call, const struct mg_authn *authn, gr_str token,
                           gr_str *ret_account)
{
    const json_t *header = peek(call, token, 0);
    const json_t *claims = peek(call, token, 1);
    const char *iss = member(claims, "iss");
    const char *aud = member(claims, "aud");
    const char *sub = member(claims, "sub");

    if (!header || !iss || !aud || !sub || !*sub || !*aud)
        return "the token's claims iss, aud and sub cannot be read";
    const struct mg_issuer *issuer = find_issuer(authn, iss);
    if (!issuer)
        return "the token's issuer is not known";
    if (!audience_listed(issuer, aud))
        return "the token's audience is not accepted from its issuer";
    struct gr_jwt_key key = issuer->key;
    key.kid = member(header, "kid"); /* one key per issuer, whatever the token calls it */
    const struct gr_jwt_rules rules = {.issuer = iss, .ignore_nbf = true};
    if (gr_jwt_verify(call, &key, 1, &rules, token, &claims) != GR_OK)
        return "the token is expired or its signature is wrong";
    char *account = gr_format(call, "%s.%s", sub, aud);
    if (!account)
        return "the token is too large";
    *ret_account = gr_str_of(account);
    return NULL;
}

gr_str mg_authn_token(struct gr_call *call, bool *ret_malformed)
{
    static const char scheme[] = "bearer ";
    const size_t scheme_len = sizeof(scheme) - 1;
    gr_str header = gr_header(call, "Authorization");

    *ret_malformed = false;
    if (header.len == 0)
        return gr_query(call, "access_token");
    for (size_t i = 0; i < scheme_len; i++) {
        char c = i < header.len ? header.ptr[i] : '\0';

        if (c >= 'A' && c <= 'Z')
            c = (char)(c - 'A' + 'a');
        if (c != scheme[i]) {
            *ret_malformed = true;
            return (gr_str){NULL, 0};
        }
    }
    header.ptr += scheme_len;
    header.len -= scheme_len;
    while (header.len && *header.ptr == ' ') {
        header.ptr++;
        header.len--;
    }
    return header;
}
