/* Tokens: valid ones, and ones that are invalid in each possible way. */
#include "token/jwt.h"

#include "base/secure.h"

#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define NOW 1772500000
#define SECRET "a secret of some length, for tests only"

static struct grc_arena arena;
static EVP_PKEY *rsa;
static EVP_PKEY *ec;

static gr_str pem_of(EVP_PKEY *pkey, bool is_private)
{
    BIO *bio = BIO_new(BIO_s_mem());
    char *text = NULL;
    long len;

    assert_non_null(bio);
    if (is_private)
        assert_int_equal(PEM_write_bio_PKCS8PrivateKey(bio, pkey, NULL, NULL, 0, NULL, NULL), 1);
    else
        assert_int_equal(PEM_write_bio_PUBKEY(bio, pkey), 1);
    len = BIO_get_mem_data(bio, &text);
    char *copy = grc_arena_copy(&arena, (gr_str){text, (size_t)len});
    BIO_free(bio);
    return (gr_str){copy, (size_t)len};
}

static gr_str der_of(EVP_PKEY *pkey, bool is_private)
{
    unsigned char *der = NULL;
    int len;

    if (is_private) {
        PKCS8_PRIV_KEY_INFO *info = EVP_PKEY2PKCS8(pkey);
        len = i2d_PKCS8_PRIV_KEY_INFO(info, &der);
        PKCS8_PRIV_KEY_INFO_free(info);
    } else {
        len = i2d_PUBKEY(pkey, &der);
    }
    assert_true(len > 0);
    char *copy = grc_arena_copy(&arena, (gr_str){(char *)der, (size_t)len});
    OPENSSL_free(der);
    return (gr_str){copy, (size_t)len};
}

static struct grc_jwt_key *key_of(const char *alg, gr_str text, const char *kid)
{
    const char *reason = NULL;
    struct gr_jwt_key given = {.alg = alg, .key = text, .kid = kid};
    struct grc_jwt_key *key = grc_jwt_key_new(&given, &reason);

    if (!key)
        fail_msg("%s: %s", alg, reason);
    return key;
}

static const char *refused(const char *alg, gr_str text)
{
    const char *reason = NULL;
    struct gr_jwt_key given = {.alg = alg, .key = text};

    assert_null(grc_jwt_key_new(&given, &reason));
    assert_non_null(reason);
    return reason;
}

static char *sign_with(const struct grc_jwt_key *key, const char *claims_text)
{
    char *token = NULL;
    json_t *claims = json_loads(claims_text, 0, NULL);

    assert_non_null(claims);
    assert_int_equal(grc_jwt_sign(&arena, key, claims, NULL, &token), GR_OK);
    json_decref(claims);
    return token;
}

static enum grc_jwt_fault check(const struct grc_jwt_key *key, const struct gr_jwt_rules *rules,
                                const char *token)
{
    const struct grc_jwt_key *keys[] = {key};
    json_t *claims = NULL;
    enum grc_jwt_fault fault =
        grc_jwt_verify(keys, 1, rules, gr_str_of(token), (int64_t)NOW, &claims);

    assert_int_equal(claims != NULL, fault == GRC_JWT_OK);
    json_decref(claims);
    return fault;
}

static enum grc_jwt_fault check_claims(const struct gr_jwt_rules *rules, const char *claims)
{
    struct grc_jwt_key *key = key_of("HS256", GR_STR(SECRET), NULL);
    enum grc_jwt_fault fault = check(key, rules, sign_with(key, claims));

    grc_jwt_key_free(key);
    return fault;
}

/* A token of any header and payload, signed with HMAC-SHA256. */
static char *raw_token(const char *head, gr_str payload, gr_str secret)
{
    size_t head_len = strlen(head);
    size_t dot = grc_b64url_len(head_len);
    size_t len = dot + 1 + grc_b64url_len(payload.len);
    char *token = grc_arena_alloc(&arena, len + 1 + 44);
    unsigned char digest[32];

    assert_non_null(token);
    grc_b64url(head, head_len, token);
    token[dot] = '.';
    grc_b64url(payload.ptr, payload.len, token + dot + 1);
    grc_hmac_sha256(secret, (gr_str){token, len}, digest);
    token[len] = '.';
    grc_b64url(digest, sizeof(digest), token + len + 1);
    return token;
}

static enum grc_jwt_fault check_raw(const char *head, const char *payload)
{
    struct grc_jwt_key *key = key_of("HS256", GR_STR(SECRET), NULL);
    enum grc_jwt_fault fault =
        check(key, NULL, raw_token(head, gr_str_of(payload), GR_STR(SECRET)));

    grc_jwt_key_free(key);
    return fault;
}

/* --- round trips --- */

static void round_trip(const char *alg, gr_str private_key, gr_str public_key)
{
    struct grc_jwt_key *signer = key_of(alg, private_key, NULL);
    struct grc_jwt_key *reader = key_of(alg, public_key, NULL);
    const struct grc_jwt_key *keys[] = {reader};
    json_t *claims = NULL;
    char *token = sign_with(signer, "{\"sub\":\"x\",\"exp\":1772500060,\"n\":[1,{\"a\":null}]}");

    assert_int_equal(grc_jwt_verify(keys, 1, NULL, gr_str_of(token), (int64_t)NOW, &claims),
                     GRC_JWT_OK);
    assert_string_equal(json_string_value(json_object_get(claims, "sub")), "x");
    assert_int_equal(json_array_size(json_object_get(claims, "n")), 2);
    json_decref(claims);
    size_t len = strlen(token);
    /* The token is invalid when any character in any part is replaced by another one. */
    for (size_t i = 0; i < len; i += 7) {
        char was = token[i];
        token[i] = was == 'A' ? 'B' : 'A';
        assert_int_not_equal(check(reader, NULL, token), GRC_JWT_OK);
        token[i] = was;
    }
    assert_int_equal(check(reader, NULL, token), GRC_JWT_OK);
    grc_jwt_key_free(signer);
    grc_jwt_key_free(reader);
}

static void every_algorithm_reads_what_it_signs(void **state)
{
    static const char *const hs[] = {"HS256", "HS384", "HS512"};
    static const char *const rs[] = {"RS256", "RS384", "RS512"};

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        round_trip(hs[i], GR_STR(SECRET), GR_STR(SECRET));
        round_trip(rs[i], pem_of(rsa, true), pem_of(rsa, false));
    }
    round_trip("RS256", der_of(rsa, true), der_of(rsa, false));
    round_trip("ES256", pem_of(ec, true), pem_of(ec, false));
    round_trip("ES256", der_of(ec, true), der_of(ec, false));
    EVP_PKEY *p384 = EVP_EC_gen("P-384");
    EVP_PKEY *p521 = EVP_EC_gen("P-521");
    round_trip("ES384", pem_of(p384, true), pem_of(p384, false));
    round_trip("ES512", pem_of(p521, true), pem_of(p521, false));
    EVP_PKEY_free(p384);
    EVP_PKEY_free(p521);
}

static void es256_takes_the_bare_point(void **state)
{
    gr_str der = der_of(ec, false);
    gr_str point = {der.ptr + der.len - 65, 65};

    (void)state;
    round_trip("ES256", der_of(ec, true), point);
}

/* RFC 7515, appendix A.3. */
static void es256_reads_the_token_of_the_rfc(void **state)
{
    static const char token[] =
        "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFt"
        "cGxlLmNvbS9pc19yb290Ijp0cnVlfQ.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5dj"
        "xLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";
    unsigned char point[65] = {4};
    size_t count = 0;

    (void)state;
    assert_true(grc_b64url_decode(GR_STR("f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU"), point + 1,
                                  &count));
    assert_true(grc_b64url_decode(GR_STR("x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"), point + 33,
                                  &count));
    struct grc_jwt_key *key = key_of("ES256", (gr_str){(char *)point, sizeof(point)}, NULL);
    const struct grc_jwt_key *keys[] = {key};
    json_t *claims = NULL;
    assert_int_equal(grc_jwt_verify(keys, 1, NULL, gr_str_of(token), 1300819379, &claims),
                     GRC_JWT_OK);
    json_decref(claims);
    assert_int_equal(grc_jwt_verify(keys, 1, NULL, gr_str_of(token), 1300819380, &claims),
                     GRC_JWT_EXPIRED);
    grc_jwt_key_free(key);
}

static void es256_signatures_have_64_bytes(void **state)
{
    struct grc_jwt_key *key = key_of("ES256", pem_of(ec, true), NULL);

    (void)state;
    for (int i = 0; i < 40; i++) {
        char *token = sign_with(key, "{}");
        assert_int_equal(strlen(strrchr(token, '.') + 1), 86);
    }
    grc_jwt_key_free(key);
}

static void es256_refuses_der_and_odd_signatures(void **state)
{
    struct grc_jwt_key *key = key_of("ES256", pem_of(ec, true), NULL);
    char *token = sign_with(key, "{}");
    size_t dot = (size_t)(strrchr(token, '.') - token);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    unsigned char der[80];
    size_t count = sizeof(der);
    char text[120];

    (void)state;
    assert_int_equal(EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, ec), 1);
    assert_int_equal(EVP_DigestSign(ctx, der, &count, (unsigned char *)token, dot), 1);
    EVP_MD_CTX_free(ctx);
    grc_b64url(der, count, text);
    token[dot] = '\0';
    assert_int_equal(check(key, NULL, grc_arena_format(&arena, "%s.%s", token, text)),
                     GRC_JWT_SIGNATURE);
    memset(der, 0, 64);
    grc_b64url(der, 64, text);
    assert_int_equal(check(key, NULL, grc_arena_format(&arena, "%s.%s", token, text)),
                     GRC_JWT_SIGNATURE);
    grc_b64url(der, 63, text);
    assert_int_equal(check(key, NULL, grc_arena_format(&arena, "%s.%s", token, text)),
                     GRC_JWT_SIGNATURE);
    grc_jwt_key_free(key);
}

static void hs256_token_has_the_expected_header(void **state)
{
    struct grc_jwt_key *key = key_of("HS256", GR_STR(SECRET), "k1");
    char *token = sign_with(key, "{\"a\":1}");
    char *dot = strchr(token, '.');
    unsigned char head[128];
    size_t count = 0;

    (void)state;
    assert_true(grc_b64url_decode((gr_str){token, (size_t)(dot - token)}, head, &count));
    json_t *parsed = json_loadb((char *)head, count, 0, NULL);
    assert_string_equal(json_string_value(json_object_get(parsed, "alg")), "HS256");
    assert_string_equal(json_string_value(json_object_get(parsed, "typ")), "JWT");
    assert_string_equal(json_string_value(json_object_get(parsed, "kid")), "k1");
    json_decref(parsed);
    grc_jwt_key_free(key);
}

/* --- keys --- */

static void keys_that_cannot_work_are_refused(void **state)
{
    EVP_PKEY *weak = EVP_RSA_gen(1024);
    EVP_PKEY *p384 = EVP_EC_gen("P-384");
    gr_str der = der_of(ec, false);
    char *broken = grc_arena_copy(&arena, (gr_str){der.ptr + der.len - 65, 65});

    (void)state;
    assert_string_equal(refused("HS256", (gr_str){NULL, 0}), "an empty key");
    assert_string_equal(refused("none", GR_STR("x")), "an unknown algorithm");
    assert_string_equal(refused(NULL, GR_STR("x")), "an unknown algorithm");
    refused("hs256", GR_STR(SECRET));
    refused("HS256", pem_of(rsa, false));
    refused("RS256", GR_STR(SECRET));
    refused("RS256", pem_of(ec, false));
    refused("ES256", pem_of(rsa, false));
    assert_string_equal(refused("RS256", pem_of(weak, false)), "an RSA key below 2048 bits");
    assert_string_equal(refused("ES256", pem_of(p384, false)),
                        "a key on another curve than the algorithm's");
    broken[20] = (char)(broken[20] ^ 1);
    refused("ES256", (gr_str){broken, 65});
    refused("ES256", (gr_str){der.ptr, der.len - 1});
    EVP_PKEY_free(weak);
    EVP_PKEY_free(p384);
}

static void own_claims_win(void **state)
{
    static const struct grc_jwt_claim own[] = {
        {"sub", "ours", 0}, {"exp", NULL, 4000000000}, {NULL, NULL, 0}};
    struct grc_jwt_key *key[] = {key_of("HS256", GR_STR(SECRET), NULL),
                                 key_of("RS256", pem_of(rsa, true), NULL)};
    json_t *claims = json_pack("{s:s, s:i, s:s}", "sub", "theirs", "exp", 5, "role", "host");

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        const struct grc_jwt_key *keys[] = {key[i]};
        json_t *read = NULL;
        char *token = NULL;

        assert_int_equal(grc_jwt_sign(&arena, key[i], claims, own, &token), GR_OK);
        assert_int_equal(grc_jwt_verify(keys, 1, NULL, gr_str_of(token), (int64_t)NOW, &read),
                         GRC_JWT_OK);
        assert_string_equal(json_string_value(json_object_get(read, "sub")), "ours");
        assert_int_equal(json_integer_value(json_object_get(read, "exp")), 4000000000);
        assert_string_equal(json_string_value(json_object_get(read, "role")), "host");
        assert_int_equal(json_object_size(read), 3);
        json_decref(read);
        grc_jwt_key_free(key[i]);
    }
    assert_string_equal(json_string_value(json_object_get(claims, "sub")), "theirs");
    json_decref(claims);
}

static void claims_of_every_kind_are_signed(void **state)
{
    static const char text[] =
        "{\"\":0,\"a\\\"b\":\"c\\\\d\\n\",\"n\":{\"list\":[1,2.5,true,null]}}";
    static const char *const algs[] = {"HS256", "HS384", "HS512"};
    static const char *const texts[] = {text, "{}"};

    (void)state;
    for (size_t i = 0; i < 6; i++) {
        struct grc_jwt_key *key = key_of(algs[i / 2], GR_STR(SECRET), "a \"kid\"");
        const struct grc_jwt_key *keys[] = {key};
        json_t *wanted = json_loads(texts[i % 2], 0, NULL);
        json_t *read = NULL;

        assert_int_equal(grc_jwt_verify(keys, 1, NULL, gr_str_of(sign_with(key, texts[i % 2])),
                                        (int64_t)NOW, &read),
                         GRC_JWT_OK);
        assert_true(json_equal(read, wanted));
        json_decref(read);
        json_decref(wanted);
        grc_jwt_key_free(key);
    }
}

enum { SIGNERS = 4, SIGNATURES = 200 };

/* Each signature of the threads is that of its own text, though they share one key. */
static void *sign_many(void *arg)
{
    const struct grc_jwt_key *key = arg;
    const struct grc_jwt_key *keys[] = {key};
    struct grc_arena own;
    size_t good = 0;

    grc_arena_init(&own, 1 << 20);
    for (int i = 0; i < SIGNATURES; i++) {
        json_t *claims = json_object();
        json_t *read = NULL;
        char *token = NULL;

        json_object_set_new(claims, "n", json_integer(i));
        if (grc_jwt_sign(&own, key, claims, NULL, &token) == GR_OK &&
            grc_jwt_verify(keys, 1, NULL, gr_str_of(token), (int64_t)NOW, &read) == GRC_JWT_OK)
            good += (size_t)json_equal(read, claims);
        json_decref(read);
        json_decref(claims);
        grc_arena_reset(&own);
    }
    grc_arena_done(&own);
    return (void *)(uintptr_t)good;
}

static void threads_share_a_key(void **state)
{
    struct grc_jwt_key *key = key_of("HS256", GR_STR(SECRET), NULL);
    pthread_t threads[SIGNERS];

    (void)state;
    for (size_t i = 0; i < SIGNERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, sign_many, key), 0);
    for (size_t i = 0; i < SIGNERS; i++) {
        void *good = NULL;

        assert_int_equal(pthread_join(threads[i], &good), 0);
        assert_int_equal((uintptr_t)good, SIGNATURES);
    }
    grc_jwt_key_free(key);
}

static void ids_are_random_uuids(void **state)
{
    char ids[100][37];

    (void)state;
    for (size_t i = 0; i < 100; i++) {
        grc_uuid(ids[i]);
        assert_int_equal(strlen(ids[i]), 36);
        for (size_t at = 0; at < 36; at++) {
            if (at == 8 || at == 13 || at == 18 || at == 23)
                assert_int_equal(ids[i][at], '-');
            else
                assert_true(strchr("0123456789abcdef", ids[i][at]));
        }
        assert_int_equal(ids[i][14], '4');       /* the version */
        assert_true(strchr("89ab", ids[i][19])); /* the variant */
        for (size_t other = 0; other < i; other++)
            assert_string_not_equal(ids[i], ids[other]);
    }
}

static void a_public_key_cannot_sign(void **state)
{
    struct grc_jwt_key *key = key_of("RS256", pem_of(rsa, false), NULL);
    json_t *claims = json_object();
    char *token = NULL;

    (void)state;
    assert_int_equal(grc_jwt_sign(&arena, key, claims, NULL, &token), GR_ERR_INTERNAL);
    assert_null(token);
    json_decref(claims);
    grc_jwt_key_free(key);
}

/* --- attacks --- */

static void public_key_as_hmac_secret_is_refused(void **state)
{
    gr_str pem = pem_of(rsa, false);
    struct grc_jwt_key *key = key_of("RS256", pem, NULL);
    char *token = raw_token("{\"alg\":\"HS256\",\"typ\":\"JWT\"}", GR_STR("{\"sub\":\"x\"}"), pem);

    (void)state;
    assert_int_equal(check(key, NULL, token), GRC_JWT_ALGORITHM);
    grc_jwt_key_free(key);
}

static void alg_none_is_refused(void **state)
{
    static const char *const heads[] = {"{\"alg\":\"none\"}", "{\"alg\":\"None\"}",
                                        "{\"alg\":\"NONE\"}", "{\"alg\":\"\"}"};
    struct grc_jwt_key *key = key_of("HS256", GR_STR(SECRET), NULL);

    (void)state;
    for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++) {
        char *token = raw_token(heads[i], GR_STR("{}"), GR_STR(""));
        assert_int_equal(check(key, NULL, token), GRC_JWT_ALGORITHM);
        *(strrchr(token, '.') + 1) = '\0';
        assert_int_equal(check(key, NULL, token), GRC_JWT_MALFORMED);
    }
    grc_jwt_key_free(key);
}

static void another_algorithm_of_the_same_family_is_refused(void **state)
{
    struct grc_jwt_key *hs512 = key_of("HS512", GR_STR(SECRET), NULL);
    struct grc_jwt_key *hs256 = key_of("HS256", GR_STR(SECRET), NULL);

    (void)state;
    assert_int_equal(check(hs256, NULL, sign_with(hs512, "{}")), GRC_JWT_ALGORITHM);
    grc_jwt_key_free(hs512);
    grc_jwt_key_free(hs256);
}

static void the_secret_decides(void **state)
{
    struct grc_jwt_key *ours = key_of("HS256", GR_STR(SECRET), NULL);
    struct grc_jwt_key *theirs = key_of("HS256", GR_STR("another secret"), NULL);

    (void)state;
    assert_int_equal(check(ours, NULL, sign_with(theirs, "{}")), GRC_JWT_SIGNATURE);
    grc_jwt_key_free(ours);
    grc_jwt_key_free(theirs);
}

static void the_kid_chooses_the_key(void **state)
{
    struct grc_jwt_key *one = key_of("HS256", GR_STR("secret one"), "one");
    struct grc_jwt_key *two = key_of("ES256", pem_of(ec, true), "two");
    struct grc_jwt_key *bare = key_of("HS256", GR_STR("secret three"), NULL);
    struct grc_jwt_key *stray = key_of("HS256", GR_STR("secret one"), "stray");
    const struct grc_jwt_key *keys[] = {one, two, bare};
    const struct grc_jwt_key *named[] = {one, two};
    gr_str token;

    (void)state;
    token = gr_str_of(sign_with(two, "{}"));
    assert_int_equal(grc_jwt_verify(keys, 3, NULL, token, (int64_t)NOW, NULL), GRC_JWT_OK);
    token = gr_str_of(sign_with(bare, "{}"));
    assert_int_equal(grc_jwt_verify(keys, 3, NULL, token, (int64_t)NOW, NULL), GRC_JWT_OK);
    assert_int_equal(grc_jwt_verify(named, 2, NULL, token, (int64_t)NOW, NULL), GRC_JWT_KEY);
    token = gr_str_of(sign_with(stray, "{}"));
    assert_int_equal(grc_jwt_verify(keys, 3, NULL, token, (int64_t)NOW, NULL), GRC_JWT_KEY);
    assert_int_equal(grc_jwt_verify(keys, 0, NULL, token, (int64_t)NOW, NULL), GRC_JWT_KEY);
    /* The token names an ES256 key by its kid, and has another algorithm. */
    token = gr_str_of(
        raw_token("{\"alg\":\"HS256\",\"kid\":\"two\"}", GR_STR("{}"), GR_STR("secret one")));
    assert_int_equal(grc_jwt_verify(keys, 3, NULL, token, (int64_t)NOW, NULL), GRC_JWT_ALGORITHM);
    grc_jwt_key_free(one);
    grc_jwt_key_free(two);
    grc_jwt_key_free(bare);
    grc_jwt_key_free(stray);
}

static void two_keys_of_one_kid_are_both_tried(void **state)
{
    struct grc_jwt_key *old_key = key_of("HS256", GR_STR("old"), NULL);
    struct grc_jwt_key *new_key = key_of("HS256", GR_STR("new"), NULL);
    const struct grc_jwt_key *keys[] = {new_key, old_key};

    (void)state;
    gr_str token = gr_str_of(sign_with(old_key, "{}"));
    assert_int_equal(grc_jwt_verify(keys, 2, NULL, token, (int64_t)NOW, NULL), GRC_JWT_OK);
    grc_jwt_key_free(old_key);
    grc_jwt_key_free(new_key);
}

static void malformed_tokens_are_refused(void **state)
{
    static const char *const tokens[] = {"",
                                         ".",
                                         "..",
                                         "a.b",
                                         "a.b.c.d",
                                         "e30.e30.",
                                         ".e30.AAAA",
                                         "e30..AAAA",
                                         "e30=.e30.AAAA",
                                         "e30.e30.AA AA",
                                         "eyJhbGciOiJIUzI1NiJ9.e30.A",
                                         "eyJhbGciOiJIUzI1NiJ9.e30.AA==",
                                         "eyJhbGciOiJIUzI1NiJ9.e30.A+A/",
                                         "W10.e30.AAAA",
                                         "e30.e30.AAAA",
                                         "bnVsbA.e30.AAAA"};
    struct grc_jwt_key *key = key_of("HS256", GR_STR(SECRET), NULL);

    (void)state;
    for (size_t i = 0; i < sizeof(tokens) / sizeof(tokens[0]); i++)
        assert_int_equal(check(key, NULL, tokens[i]), GRC_JWT_MALFORMED);
    const struct grc_jwt_key *keys[] = {key};
    assert_int_equal(grc_jwt_verify(keys, 1, NULL, (gr_str){NULL, 0}, (int64_t)NOW, NULL),
                     GRC_JWT_MALFORMED);
    grc_jwt_key_free(key);
}

static void odd_headers_and_payloads_are_refused(void **state)
{
    (void)state;
    assert_int_equal(check_raw("{\"alg\":\"HS256\"}", "{}"), GRC_JWT_OK);
    assert_int_equal(check_raw("{\"alg\":\"HS256\",\"crit\":[\"b64\"]}", "{}"), GRC_JWT_MALFORMED);
    assert_int_equal(check_raw("{\"alg\":\"HS256\",\"kid\":7}", "{}"), GRC_JWT_MALFORMED);
    assert_int_equal(check_raw("{\"alg\":\"HS256\",\"alg\":\"HS256\"}", "{}"), GRC_JWT_MALFORMED);
    assert_int_equal(check_raw("{\"alg\":[\"HS256\"]}", "{}"), GRC_JWT_MALFORMED);
    assert_int_equal(check_raw("{\"typ\":\"JWT\"}", "{}"), GRC_JWT_MALFORMED);
    assert_int_equal(check_raw("{\"alg\":\"HS256\"}", "[]"), GRC_JWT_MALFORMED);
    assert_int_equal(check_raw("{\"alg\":\"HS256\"}", "{\"a\":1,\"a\":2}"), GRC_JWT_MALFORMED);
    assert_int_equal(check_raw("{\"alg\":\"HS256\"}", "{} {}"), GRC_JWT_MALFORMED);
}

static void deep_json_in_a_token_is_refused(void **state)
{
    struct grc_jwt_key *key = key_of("HS256", GR_STR(SECRET), NULL);
    char payload[5001];

    (void)state;
    memset(payload, '[', 2500);
    memset(payload + 2500, ']', 2500);
    payload[5000] = '\0';
    char *object = grc_arena_format(&arena, "{\"a\":%s}", payload);
    assert_int_equal(
        check(key, NULL, raw_token("{\"alg\":\"HS256\"}", gr_str_of(object), GR_STR(SECRET))),
        GRC_JWT_MALFORMED);
    char *head = grc_arena_format(&arena, "{\"alg\":\"HS256\",\"a\":%s}", payload);
    assert_int_equal(check(key, NULL, raw_token(head, GR_STR("{}"), GR_STR(SECRET))),
                     GRC_JWT_MALFORMED);
    grc_jwt_key_free(key);
}

static void a_token_over_8_kib_is_refused(void **state)
{
    char *filler = grc_arena_alloc(&arena, 9001);

    (void)state;
    memset(filler, 'x', 9000);
    assert_int_equal(check_claims(NULL, grc_arena_format(&arena, "{\"a\":\"%s\"}", filler)),
                     GRC_JWT_MALFORMED);
    filler[5000] = '\0';
    assert_int_equal(check_claims(NULL, grc_arena_format(&arena, "{\"a\":\"%s\"}", filler)),
                     GRC_JWT_OK);
}

/* --- claims --- */

static void times_are_checked_with_leeway(void **state)
{
    const struct gr_jwt_rules strict = {.need_exp = true};
    const struct gr_jwt_rules loose = {.leeway_s = 30};
    const struct gr_jwt_rules careless = {.ignore_nbf = true};

    (void)state;
    assert_int_equal(check_claims(&strict, "{}"), GRC_JWT_CLAIM);
    assert_int_equal(check_claims(NULL, "{}"), GRC_JWT_OK);
    assert_int_equal(check_claims(&strict, "{\"exp\":1772500001}"), GRC_JWT_OK);
    assert_int_equal(check_claims(&strict, "{\"exp\":1772500000}"), GRC_JWT_EXPIRED);
    assert_int_equal(check_claims(&strict, "{\"exp\":-1}"), GRC_JWT_EXPIRED);
    assert_int_equal(check_claims(&strict, "{\"exp\":0}"), GRC_JWT_EXPIRED);
    assert_int_equal(check_claims(NULL, "{\"exp\":0}"), GRC_JWT_EXPIRED);
    assert_int_equal(check_claims(&strict, "{\"exp\":9223372036854775807}"), GRC_JWT_OK);
    assert_int_equal(check_claims(&loose, "{\"exp\":1772499971}"), GRC_JWT_OK);
    assert_int_equal(check_claims(&loose, "{\"exp\":1772499970}"), GRC_JWT_EXPIRED);
    assert_int_equal(check_claims(NULL, "{\"nbf\":1772500000}"), GRC_JWT_OK);
    assert_int_equal(check_claims(NULL, "{\"nbf\":1772500001}"), GRC_JWT_NOT_YET);
    assert_int_equal(check_claims(NULL, "{\"iat\":1772500001}"), GRC_JWT_NOT_YET);
    assert_int_equal(check_claims(&loose, "{\"nbf\":1772500030,\"iat\":1772500030}"), GRC_JWT_OK);
    assert_int_equal(check_claims(&loose, "{\"nbf\":1772500031}"), GRC_JWT_NOT_YET);
    assert_int_equal(check_claims(&careless, "{\"nbf\":1872500031,\"iat\":\"x\"}"), GRC_JWT_OK);
}

/* The clock of these tests is fixed at 1772500000. */
static void times_may_have_a_fraction_or_an_exponent(void **state)
{
    static const struct {
        const char *claims;
        enum grc_jwt_fault fault;
    } cases[] = {
        {"{\"exp\":1872500000.5}", GRC_JWT_OK},
        {"{\"exp\":1772500000.25}", GRC_JWT_OK},
        {"{\"exp\":1772499999.75}", GRC_JWT_EXPIRED},
        {"{\"exp\":1.8725e9}", GRC_JWT_OK},
        {"{\"exp\":1.7e9}", GRC_JWT_EXPIRED},
        {"{\"exp\":0.0}", GRC_JWT_EXPIRED},
        {"{\"exp\":1e300}", GRC_JWT_OK},
        {"{\"exp\":-1e300}", GRC_JWT_EXPIRED},
        {"{\"nbf\":1772500000.0}", GRC_JWT_OK},
        {"{\"nbf\":1772499999.5}", GRC_JWT_OK},
        {"{\"nbf\":1772500000.5}", GRC_JWT_NOT_YET},
        {"{\"nbf\":1e300}", GRC_JWT_NOT_YET},
        {"{\"iat\":1772500000.5}", GRC_JWT_NOT_YET},
        {"{\"iat\":-1e300}", GRC_JWT_OK},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_int_equal(check_claims(NULL, cases[i].claims), cases[i].fault);
}

static void times_must_be_numbers(void **state)
{
    static const char *const claims[] = {
        "{\"exp\":\"1872500000\"}", "{\"exp\":null}", "{\"exp\":true}",
        "{\"nbf\":\"1.0\"}",        "{\"iat\":[]}",   "{\"nbf\":{}}"};

    (void)state;
    for (size_t i = 0; i < sizeof(claims) / sizeof(claims[0]); i++)
        assert_int_equal(check_claims(NULL, claims[i]), GRC_JWT_CLAIM);
}

static void issuer_and_audience_are_checked(void **state)
{
    const struct gr_jwt_rules rules = {.issuer = "us", .audience = "them"};

    (void)state;
    assert_int_equal(check_claims(&rules, "{\"iss\":\"us\",\"aud\":\"them\"}"), GRC_JWT_OK);
    assert_int_equal(check_claims(&rules, "{\"iss\":\"us\",\"aud\":[\"x\",\"them\"]}"), GRC_JWT_OK);
    assert_int_equal(check_claims(&rules, "{\"iss\":\"us\",\"aud\":[\"x\",\"the\"]}"),
                     GRC_JWT_AUDIENCE);
    assert_int_equal(check_claims(&rules, "{\"iss\":\"us\",\"aud\":[]}"), GRC_JWT_AUDIENCE);
    assert_int_equal(check_claims(&rules, "{\"iss\":\"us\"}"), GRC_JWT_AUDIENCE);
    assert_int_equal(check_claims(&rules, "{\"iss\":\"us\",\"aud\":7}"), GRC_JWT_CLAIM);
    assert_int_equal(check_claims(&rules, "{\"iss\":\"us\",\"aud\":[\"them\",7]}"), GRC_JWT_CLAIM);
    assert_int_equal(check_claims(&rules, "{\"iss\":\"uS\",\"aud\":\"them\"}"), GRC_JWT_ISSUER);
    assert_int_equal(check_claims(&rules, "{\"aud\":\"them\"}"), GRC_JWT_ISSUER);
    assert_int_equal(check_claims(&rules, "{\"iss\":[\"us\"],\"aud\":\"them\"}"), GRC_JWT_CLAIM);
}

static void every_fault_has_a_text(void **state)
{
    (void)state;
    for (int i = GRC_JWT_OK; i <= GRC_JWT_CLAIM; i++)
        assert_true(strlen(grc_jwt_fault_text((enum grc_jwt_fault)i)) > 0);
    assert_string_equal(grc_jwt_fault_text((enum grc_jwt_fault)99), "unknown fault");
}

static int begin(void **state)
{
    (void)state;
    grc_arena_init(&arena, 16u << 20);
    rsa = EVP_RSA_gen(2048);
    ec = EVP_EC_gen("P-256");
    return rsa && ec ? 0 : -1;
}

static int end(void **state)
{
    (void)state;
    EVP_PKEY_free(rsa);
    EVP_PKEY_free(ec);
    grc_arena_done(&arena);
    return 0;
}

/* Only the form is judged: neither the signature nor a time. */
static void a_token_is_read_before_it_is_verified(void **unused)
{
    static const char *const malformed[] = {"",           "e30",        "e30.e30",  "e30.e30.x",
                                            "e30.W10.AA", "W10.e30.AA", "e30.e3.AA"};
    json_t *header = NULL;
    json_t *claims = NULL;

    (void)unused;
    /* {"kid":"a"} and {"iss":"b","exp":1} */
    assert_true(
        grc_jwt_peek(GR_STR("eyJraWQiOiJhIn0.eyJpc3MiOiJiIiwiZXhwIjoxfQ.AAAA"), &header, &claims));
    assert_string_equal(json_string_value(json_object_get(header, "kid")), "a");
    assert_string_equal(json_string_value(json_object_get(claims, "iss")), "b");
    json_decref(header);
    json_decref(claims);
    for (size_t i = 0; i < sizeof(malformed) / sizeof(malformed[0]); i++)
        assert_false(grc_jwt_peek(gr_str_of(malformed[i]), &header, &claims));
}

/* Otherwise several texts would be the same token. */
static void bytes_have_one_base64url(void **state)
{
    static const struct {
        const char *text;
        int count; /* -1: refused */
    } cases[] = {
        {"", 0},      {"AA", 1},    {"AQ", 1},     {"AB", -1},   {"AP", -1},
        {"AAA", 2},   {"AAE", 2},   {"AAB", -1},   {"AAD", -1},  {"AAAA", 3},
        {"AAAB", 3},  {"A", -1},    {"AAAAA", -1}, {"AA==", -1}, {"AA=", -1},
        {"+AAA", -1}, {"/AAA", -1}, {"-_-_", 3},   {"A A", -1},
    };
    unsigned char bytes[16];

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        size_t count = 0;
        bool good = grc_b64url_decode(gr_str_of(cases[i].text), bytes, &count);

        if (good != (cases[i].count >= 0) || (good && count != (size_t)cases[i].count))
            fail_msg("'%s'", cases[i].text);
        if (good) {
            char text[24];

            assert_int_equal(grc_b64url_len(count), strlen(cases[i].text));
            grc_b64url(bytes, count, text);
            assert_string_equal(text, cases[i].text);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_have_one_base64url),
        cmocka_unit_test(every_algorithm_reads_what_it_signs),
        cmocka_unit_test(es256_takes_the_bare_point),
        cmocka_unit_test(es256_reads_the_token_of_the_rfc),
        cmocka_unit_test(es256_signatures_have_64_bytes),
        cmocka_unit_test(es256_refuses_der_and_odd_signatures),
        cmocka_unit_test(hs256_token_has_the_expected_header),
        cmocka_unit_test(keys_that_cannot_work_are_refused),
        cmocka_unit_test(own_claims_win),
        cmocka_unit_test(claims_of_every_kind_are_signed),
        cmocka_unit_test(threads_share_a_key),
        cmocka_unit_test(ids_are_random_uuids),
        cmocka_unit_test(a_public_key_cannot_sign),
        cmocka_unit_test(public_key_as_hmac_secret_is_refused),
        cmocka_unit_test(alg_none_is_refused),
        cmocka_unit_test(another_algorithm_of_the_same_family_is_refused),
        cmocka_unit_test(the_secret_decides),
        cmocka_unit_test(the_kid_chooses_the_key),
        cmocka_unit_test(two_keys_of_one_kid_are_both_tried),
        cmocka_unit_test(malformed_tokens_are_refused),
        cmocka_unit_test(odd_headers_and_payloads_are_refused),
        cmocka_unit_test(deep_json_in_a_token_is_refused),
        cmocka_unit_test(a_token_over_8_kib_is_refused),
        cmocka_unit_test(times_are_checked_with_leeway),
        cmocka_unit_test(times_may_have_a_fraction_or_an_exponent),
        cmocka_unit_test(times_must_be_numbers),
        cmocka_unit_test(issuer_and_audience_are_checked),
        cmocka_unit_test(every_fault_has_a_text),
        cmocka_unit_test(a_token_is_read_before_it_is_verified),
    };

    return cmocka_run_group_tests(tests, begin, end);
}
