/* The form of answers in the server of the shared cache: which values are read as answers, and
 * which are refused. */
#include "upstream/remote_value.h"

#include <setjmp.h>
#include <stdlib.h>

#include <cmocka.h>

#define NOW 1700000000000

static const unsigned char key[GRC_SEAL_KEY] = "a key of thirty-two characters.";
static const struct grc_remote_times times = {.ttl_ms = 60000, .stale_ms = 5000, .age_s = 7};

/* A sealed answer, and its length. */
static unsigned char *sealed(gr_str place, size_t *ret_len)
{
    const struct grc_exchange exchange = {.status = 200,
                                          .answer_type = GR_STR("application/json"),
                                          .answer = GR_STR("{\"id\":\"1\"}")};
    struct grc_answer *answer = grc_answer_new(&exchange);
    unsigned char *value = grc_remote_value_new(key, place, answer, &times, NOW, ret_len);

    assert_non_null(value);
    assert_int_equal(*ret_len, grc_remote_value_size(answer));
    grc_answer_unref(answer);
    return value;
}

/* True when the value is read as an answer. */
static bool is_read(const unsigned char *with, gr_str place, const unsigned char *value, size_t len,
                    int64_t now_ms)
{
    struct grc_remote_times found;
    struct grc_answer *answer =
        grc_remote_value_read(with, place, (gr_str){(const char *)value, len}, now_ms, &found);

    grc_answer_unref(answer);
    return answer != NULL;
}

static void what_was_kept_is_read(void **state)
{
    struct grc_remote_times found;
    size_t len;
    unsigned char *value = sealed(GR_STR("here"), &len);
    struct grc_answer *answer = grc_remote_value_read(
        key, GR_STR("here"), (gr_str){(const char *)value, len}, NOW + 1000, &found);

    (void)state;
    assert_non_null(answer);
    assert_int_equal(answer->status, 200);
    assert_int_equal(answer->err, GR_OK);
    assert_true(gr_str_eq(answer->body, GR_STR("{\"id\":\"1\"}")));
    assert_true(gr_str_eq(answer->type, GR_STR("application/json")));
    assert_int_equal(found.ttl_ms, times.ttl_ms);
    assert_int_equal(found.stale_ms, times.stale_ms);
    assert_int_equal(found.age_s, times.age_s);
    grc_answer_unref(answer);
    free(value);
}

static void nothing_else_is_read(void **state)
{
    static const unsigned char other[GRC_SEAL_KEY] = "another one of as many letters.";
    size_t len;
    unsigned char *value = sealed(GR_STR("here"), &len);

    (void)state;
    assert_true(is_read(key, GR_STR("here"), value, len, NOW));
    assert_false(is_read(key, GR_STR("there"), value, len, NOW));
    assert_false(is_read(key, GR_STR(""), value, len, NOW));
    assert_false(is_read(other, GR_STR("here"), value, len, NOW));
    for (size_t shorter = 0; shorter < len; shorter++)
        assert_false(is_read(key, GR_STR("here"), value, shorter, NOW));
    for (size_t i = 0; i < len; i++) {
        value[i] ^= 1;
        assert_false(is_read(key, GR_STR("here"), value, len, NOW));
        value[i] ^= 1;
    }
    assert_true(is_read(key, GR_STR("here"), value, len, NOW));
    free(value);
}

static void nothing_is_read_after_its_time(void **state)
{
    const int64_t end_ms = NOW + 60000 + 5000 + GRC_REMOTE_CLOCKS_MS;
    size_t len;
    unsigned char *value = sealed(GR_STR("here"), &len);

    (void)state;
    assert_true(is_read(key, GR_STR("here"), value, len, end_ms - 1));
    assert_false(is_read(key, GR_STR("here"), value, len, end_ms));
    free(value);
}

static void the_same_answer_never_looks_the_same(void **state)
{
    size_t len;
    size_t other_len;
    unsigned char *value = sealed(GR_STR("here"), &len);
    unsigned char *other = sealed(GR_STR("here"), &other_len);

    (void)state;
    assert_int_equal(len, other_len);
    assert_memory_not_equal(value, other, len);
    free(value);
    free(other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_kept_is_read),
        cmocka_unit_test(nothing_else_is_read),
        cmocka_unit_test(nothing_is_read_after_its_time),
        cmocka_unit_test(the_same_answer_never_looks_the_same),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
