/* Verifies any bytes as a token. A token that is accepted must have the algorithm of its key, and
 * its signature must be the one that a second computation finds. */
#include "base/secure.h"
#include "token/jwt.h"

#include <stdlib.h>
#include <string.h>

#define NOW 1700000000
#define SECRET "a secret of thirty-two bytes, at least"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char rsa_key[] = "-----BEGIN PUBLIC KEY-----\n"
                              "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEA0kvk05OZoruE7rrtvBuQ\n"
                              "Zy0FLSy6AHzwYqLETmeWxyJyDTXBQa+60FnQDAhU/y73EYYZPI9slgEmawQF8cyt\n"
                              "+EcbJpnS/vQkRR0RdlTMvztaRYgYLtZhPAwgGwXtxZOGImIj9sHOuH1S8qtFerT/\n"
                              "MRo7ae/IfwU02S45sO2wyT1kOHNgYPNWBEVt+hzYYMFEbRIt1R2al9vsrS4TEPM9\n"
                              "HQZbL+huQ2R/pEaexe5Mf1Sz5GsW+DpzjpzlGLJ6YzIpbV9I6gtxaxXpxAOYpA2N\n"
                              "Tfmjucm8BtsY0s0CA0BukPexw9P4jEL21Q3apzdYaFLLT7LR2fD1eExboDmTnjlI\n"
                              "8QIDAQAB\n"
                              "-----END PUBLIC KEY-----\n";
static const char ec_key[] = "-----BEGIN PUBLIC KEY-----\n"
                             "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEuq/Aezcy1c/jjn3wwk2vhCIoPt6I\n"
                             "Wc/yCxc9tIgnZbdPQiywceHOYYXZEhyJu58h+kwAy41bDifJ3vK63KlrFw==\n"
                             "-----END PUBLIC KEY-----\n";

static const struct gr_jwt_key described[] = {
    {"HS256", {SECRET, sizeof(SECRET) - 1}, "hs"},
    {"RS256", {rsa_key, sizeof(rsa_key) - 1}, "rs"},
    {"ES256", {ec_key, sizeof(ec_key) - 1}, "es"},
    {"HS256", {SECRET "!", sizeof(SECRET)}, NULL}, /* for tokens without a key id */
};
#define KEYS (sizeof(described) / sizeof(described[0]))

static struct grc_jwt_key **load(void)
{
    static struct grc_jwt_key *keys[KEYS];

    for (size_t i = 0; i < KEYS && !keys[i]; i++) {
        const char *reason = NULL;

        keys[i] = grc_jwt_key_new(&described[i], &reason);
        if (!keys[i])
            abort();
    }
    return keys;
}

/* Returns the first part of a token as JSON. */
static json_t *head_of(gr_str token, const char *dot)
{
    gr_str part = {token.ptr, (size_t)(dot - token.ptr)};
    unsigned char *bytes = malloc(part.len + 1);
    size_t count = 0;

    if (!bytes || !grc_b64url_decode(part, bytes, &count))
        abort();
    json_t *head = json_loadb((const char *)bytes, count, 0, NULL);
    free(bytes);
    if (!head)
        abort();
    return head;
}

static void check_hmac(gr_str token, const struct gr_jwt_key *key)
{
    const char *last = token.ptr + token.len;
    unsigned char digest[32];
    char text[48];

    while (last[-1] != '.')
        last--;
    grc_hmac_sha256(key->key, (gr_str){token.ptr, (size_t)(last - token.ptr) - 1}, digest);
    grc_b64url(digest, sizeof(digest), text);
    if (!gr_str_eq(gr_str_of(text), (gr_str){last, (size_t)(token.ptr + token.len - last)}))
        abort();
}

static void check(gr_str token)
{
    const char *dot = memchr(token.ptr, '.', token.len);
    json_t *head = dot ? head_of(token, dot) : NULL;
    const char *alg = json_string_value(json_object_get(head, "alg"));
    const char *kid = json_string_value(json_object_get(head, "kid"));
    const struct gr_jwt_key *key = NULL;

    for (size_t i = 0; i < KEYS; i++) {
        bool same = kid && described[i].kid && strcmp(kid, described[i].kid) == 0;

        if (same || (!kid && !described[i].kid))
            key = &described[i];
    }
    if (!key || !alg || strcmp(alg, key->alg) != 0)
        abort();
    if (strcmp(alg, "HS256") == 0)
        check_hmac(token, key);
    json_decref(head);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct gr_jwt_rules rules[] = {
        {.issuer = NULL, .leeway_s = 10},
        {.issuer = "fuzz", .audience = "greenroom", .leeway_s = 0, .need_exp = true},
        {.ignore_nbf = true},
    };
    struct grc_jwt_key *const *keys = load();
    gr_str token = {(const char *)data, size};

    for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
        json_t *claims = NULL;
        enum grc_jwt_fault fault = grc_jwt_verify((const struct grc_jwt_key *const *)keys, KEYS,
                                                  &rules[i], token, NOW, &claims);

        if ((fault == GRC_JWT_OK) != (claims != NULL) || !grc_jwt_fault_text(fault))
            abort();
        if (fault == GRC_JWT_OK)
            check(token);
        json_decref(claims);
    }
    return 0;
}
