/* Key sets: which keys are accepted, and how often a set is fetched. */
#include "token/jwks.h"

#include "base/secure.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

/* --- keys as their issuers publish them --- */

static char rsa_2048[2048];
static char rsa_1024[2048];
static char ec_256[2048];
static char ec_384[2048];

static void number(const EVP_PKEY *pkey, const char *name, int width, char ret_text[512])
{
    BIGNUM *value = NULL;
    unsigned char bytes[512];

    assert_int_equal(EVP_PKEY_get_bn_param(pkey, name, &value), 1);
    int len = width ? width : BN_num_bytes(value);
    assert_int_equal(BN_bn2binpad(value, bytes, len), len);
    grc_b64url(bytes, (size_t)len, ret_text);
    BN_free(value);
}

static void make_rsa(unsigned bits, char *ret, size_t size)
{
    EVP_PKEY *pkey = EVP_RSA_gen(bits);
    char n[512];
    char e[512];

    assert_non_null(pkey);
    number(pkey, OSSL_PKEY_PARAM_RSA_N, 0, n);
    number(pkey, OSSL_PKEY_PARAM_RSA_E, 0, e);
    snprintf(ret, size, "\"kty\":\"RSA\",\"kid\":\"r\",\"n\":\"%s\",\"e\":\"%s\"", n, e);
    EVP_PKEY_free(pkey);
}

static void make_ec(const char *curve, const char *crv, int width, char *ret, size_t size)
{
    EVP_PKEY *pkey = EVP_EC_gen(curve);
    char x[512];
    char y[512];

    assert_non_null(pkey);
    number(pkey, OSSL_PKEY_PARAM_EC_PUB_X, width, x);
    number(pkey, OSSL_PKEY_PARAM_EC_PUB_Y, width, y);
    snprintf(ret, size, "\"kty\":\"EC\",\"crv\":\"%s\",\"x\":\"%s\",\"y\":\"%s\"", crv, x, y);
    EVP_PKEY_free(pkey);
}

static int set_up(void **state)
{
    (void)state;
    make_rsa(2048, rsa_2048, sizeof(rsa_2048));
    make_rsa(1024, rsa_1024, sizeof(rsa_1024));
    make_ec("P-256", "P-256", 32, ec_256, sizeof(ec_256));
    make_ec("P-384", "P-384", 48, ec_384, sizeof(ec_384));
    return 0;
}

/* A set of one key with further members. */
static struct grc_jwks *parse_one(const char *key, const char *more, bool secrets_ok,
                                  const char **ret_reason)
{
    char text[4096];

    snprintf(text, sizeof(text), "{\"keys\":[{%s%s}]}", key, more);
    return grc_jwks_parse(gr_str_of(text), secrets_ok, ret_reason);
}

static void test_taken(void **state)
{
    static const struct {
        const char *key;
        const char *more;
    } rows[] = {
        {rsa_2048, ""},
        {rsa_2048, ",\"alg\":\"RS512\",\"use\":\"sig\""},
        {rsa_2048, ",\"key_ops\":[\"encrypt\",\"verify\"],\"x5c\":[\"zz\"]"},
        {ec_256, ""},
        {ec_256, ",\"alg\":\"ES256\""},
        {ec_384, ",\"kid\":\"e\""},
    };
    const char *reason = NULL;

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct grc_jwks *set = parse_one(rows[i].key, rows[i].more, false, &reason);

        assert_non_null(set);
        assert_int_equal(set->count, 1);
        grc_jwks_unref(set);
    }
}

static void test_not_taken(void **state)
{
    static const struct {
        const char *key;
        const char *more;
    } rows[] = {
        {rsa_1024, ""},
        {rsa_2048, ",\"use\":\"enc\""},
        {rsa_2048, ",\"use\":5"},
        {rsa_2048, ",\"key_ops\":[\"encrypt\"]"},
        {rsa_2048, ",\"key_ops\":\"verify\""},
        {rsa_2048, ",\"alg\":\"HS256\""},
        {rsa_2048, ",\"alg\":\"PS256\""},
        {rsa_2048, ",\"alg\":\"none\""},
        {rsa_2048, ",\"alg\":\"ES256\""},
        {rsa_2048, ",\"d\":\"AQAB\""},
        {ec_256, ",\"alg\":\"ES384\""},
        {ec_256, ",\"alg\":\"HS256\""},
        {"\"kty\":\"RSA\",\"n\":\"AQAB\",\"e\":\"AQAB\"", ""},
        {"\"kty\":\"RSA\",\"n\":\"\",\"e\":\"\"", ""},
        {"\"kty\":\"RSA\",\"e\":\"AQAB\"", ""},
        {"\"kty\":\"RSA\",\"n\":5,\"e\":\"AQAB\"", ""},
        {"\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"AAAA\",\"y\":\"AAAA\"", ""},
        {"\"kty\":\"EC\",\"crv\":\"secp256k1\",\"x\":\"AAAA\",\"y\":\"AAAA\"", ""},
        {"\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"AAAA\"", ""},
        {"\"kty\":\"oct\",\"alg\":\"HS256\",\"k\":\"MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY\"",
         ""},
        {"\"kid\":\"no type\"", ""},
    };
    const char *reason;

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        reason = NULL;
        assert_null(parse_one(rows[i].key, rows[i].more, false, &reason));
        assert_non_null(reason);
    }
}

/* RFC 7517, section 5: unknown keys are skipped, and the rest of the set is used. */
static void test_odd_members_beside_a_good_one(void **state)
{
    static const char *const odd[] = {
        "{\"kid\":\"z\"}",
        "{}",
        "5",
        "null",
        "\"text\"",
        "[]",
        "{\"kty\":7}",
        "{\"kty\":\"LWE\"}",
        "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"\",\"y\":5}",
    };
    char text[4096];
    const char *reason;

    (void)state;
    for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
        snprintf(text, sizeof(text), "{\"keys\":[%s,{%s},%s]}", odd[i], ec_256, odd[i]);
        reason = NULL;
        struct grc_jwks *set = grc_jwks_parse(gr_str_of(text), false, &reason);
        assert_null(reason);
        assert_non_null(set);
        assert_int_equal(set->count, 1);
        assert_int_equal(set->skipped, 2);
        grc_jwks_unref(set);
    }
}

/* The modulus of a published RSA key must not be accepted as a secret. */
static void test_secrets(void **state)
{
    static const char key[] =
        "\"kty\":\"oct\",\"k\":\"MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY\"";
    const char *reason = NULL;
    struct grc_jwks *set = parse_one(key, ",\"alg\":\"HS256\"", true, &reason);

    (void)state;
    assert_non_null(set);
    grc_jwks_unref(set);
    assert_null(parse_one(key, "", true, &reason));
    assert_null(parse_one(key, ",\"alg\":\"RS256\"", true, &reason));
    assert_null(
        parse_one("\"kty\":\"oct\",\"alg\":\"HS256\",\"k\":\"c2hvcnQ\"", "", true, &reason));
}

static void test_wrong_sets(void **state)
{
    static const char *const wrong[] = {
        "",
        "[]",
        "{}",
        "{\"keys\":{}}",
        "{\"keys\":[]}",
        "{\"keys\":[5]}",
        "{\"keys\":[[]]}",
        "{\"keys\":[],\"keys\":[]}",
    };
    const char *reason;
    char *large = malloc(GRC_JWKS_BYTES_MAX + 2);

    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        reason = NULL;
        assert_null(grc_jwks_parse(gr_str_of(wrong[i]), false, &reason));
        assert_non_null(reason);
    }
    assert_non_null(large);
    memset(large, '[', GRC_JWKS_BYTES_MAX + 1);
    assert_null(grc_jwks_parse((gr_str){large, GRC_JWKS_BYTES_MAX + 1}, false, &reason));
    assert_string_equal(reason, "larger than 256 KiB");
    assert_null(grc_jwks_parse((gr_str){large, GRC_JWKS_BYTES_MAX}, false, &reason));
    free(large);
}

/* --- fetching --- */

struct issuer {
    atomic_int calls;
    bool down;
    long slow_ms;
};

static char *fetch(void *arg, size_t *ret_len, const char **ret_reason)
{
    struct issuer *issuer = arg;
    struct timespec pause = {.tv_nsec = issuer->slow_ms * 1000000L};
    char *text = NULL;
    int len;

    atomic_fetch_add(&issuer->calls, 1);
    nanosleep(&pause, NULL);
    if (issuer->down) {
        *ret_reason = "down";
        return NULL;
    }
    len = asprintf(&text, "{\"keys\":[{%s}]}", ec_256);
    assert_true(len > 0);
    *ret_len = (size_t)len;
    return text;
}

static void test_refresh(void **state)
{
    struct issuer issuer = {.down = true};
    struct grc_jwks_source *source = grc_jwks_source_get("http://a/keys");
    struct grc_jwks *set;

    (void)state;
    assert_ptr_equal(grc_jwks_source_get("http://a/keys"), source);
    assert_null(grc_jwks_source_set(source));
    assert_int_equal(grc_jwks_source_refresh(source, 1000, true, fetch, &issuer), GRC_JWKS_FAILED);
    issuer.down = false;
    assert_int_equal(grc_jwks_source_refresh(source, 30999, true, fetch, &issuer),
                     GRC_JWKS_TOO_SOON);
    assert_int_equal(atomic_load(&issuer.calls), 1);
    assert_int_equal(grc_jwks_source_refresh(source, 31000, true, fetch, &issuer),
                     GRC_JWKS_FETCHED);
    set = grc_jwks_source_set(source);
    assert_int_equal(set->count, 1);
    assert_false(grc_jwks_source_stale(source, 32000, 1000));
    assert_true(grc_jwks_source_stale(source, 32001, 1000));
    /* After a failure the old set stays in use, and a reader keeps the set that it has. */
    issuer.down = true;
    assert_int_equal(grc_jwks_source_refresh(source, 70000, true, fetch, &issuer), GRC_JWKS_FAILED);
    struct grc_jwks *again = grc_jwks_source_set(source);
    assert_ptr_equal(again, set);
    grc_jwks_unref(again);
    issuer.down = false;
    assert_int_equal(grc_jwks_source_refresh(source, 110000, true, fetch, &issuer),
                     GRC_JWKS_FETCHED);
    again = grc_jwks_source_set(source);
    assert_ptr_not_equal(again, set);
    grc_jwks_unref(again);
    grc_jwks_unref(set);
    grc_jwks_source_put(source);
    grc_jwks_source_put(source);
    grc_jwks_source_put(NULL);
}

struct asker {
    struct grc_jwks_source *source;
    struct issuer *issuer;
    enum grc_jwks_refresh result;
};

static void *ask(void *arg)
{
    struct asker *asker = arg;

    asker->result = grc_jwks_source_refresh(asker->source, 1000, true, fetch, asker->issuer);
    return NULL;
}

/* Of many readers at the same time, one fetches the set, some wait for the result, and the others
 * do not wait. */
static void test_crowd(void **state)
{
    enum { CROWD = 40 };
    struct issuer issuer = {.slow_ms = 200};
    struct grc_jwks_source *source = grc_jwks_source_get("http://b/keys");
    struct asker askers[CROWD];
    pthread_t threads[CROWD];
    size_t counts[5] = {0};

    (void)state;
    for (size_t i = 0; i < CROWD; i++) {
        askers[i] = (struct asker){.source = source, .issuer = &issuer};
        assert_int_equal(pthread_create(&threads[i], NULL, ask, &askers[i]), 0);
    }
    for (size_t i = 0; i < CROWD; i++) {
        pthread_join(threads[i], NULL);
        counts[askers[i].result]++;
    }
    assert_int_equal(atomic_load(&issuer.calls), 1);
    assert_true(counts[GRC_JWKS_FETCHED] >= 1 && counts[GRC_JWKS_FETCHED] <= 17);
    assert_int_equal(counts[GRC_JWKS_FAILED], 0);
    grc_jwks_source_put(source);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_taken),
        cmocka_unit_test(test_not_taken),
        cmocka_unit_test(test_odd_members_beside_a_good_one),
        cmocka_unit_test(test_secrets),
        cmocka_unit_test(test_wrong_sets),
        cmocka_unit_test(test_refresh),
        cmocka_unit_test(test_crowd),
    };

    return cmocka_run_group_tests(tests, set_up, NULL);
}
