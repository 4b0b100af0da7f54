/* Chunked bodies: the content is the same for every way to split the input, and wrong bodies are
 * refused. */
#include "http/chunks.h"

#include <setjmp.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define LIMIT 20u

/* Feeds the bytes in steps of so many. */
static enum gr_err decode(const char *wire, size_t step, struct grc_buf *body, size_t *ret_used,
                          enum grc_chunks_state *ret_state)
{
    struct grc_chunks chunks = {.state = GRC_CHUNKS_SIZE};
    size_t len = strlen(wire);
    enum gr_err err = GR_OK;

    grc_buf_init(body, LIMIT);
    *ret_used = 0;
    while (err == GR_OK && *ret_used < len && chunks.state != GRC_CHUNKS_DONE) {
        size_t count = len - *ret_used < step ? len - *ret_used : step;
        size_t used = 0;

        err = grc_chunks_take(&chunks, wire + *ret_used, count, body, &used);
        *ret_used += used;
    }
    *ret_state = chunks.state;
    return err;
}

static void test_bodies_however_they_are_cut(void **state)
{
    static const struct {
        const char *wire;
        const char *body;
        size_t rest; /* the bytes behind the body */
    } rows[] = {
        {"0\r\n\r\n", "", 0},
        {"5\r\nhello\r\n0\r\n\r\n", "hello", 0},
        {"5\r\nhello\r\n3\r\n\r\n!\r\n00\r\n\r\nGET /", "hello\r\n!", 5},
        {"a\r\n0123456789\r\n000A\r\n0123456789\r\n0\r\n\r\n\r\n", "01234567890123456789", 2},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        for (size_t step = 1; step <= strlen(rows[i].wire); step++) {
            enum grc_chunks_state end;
            struct grc_buf body;
            size_t used = 0;

            assert_int_equal(decode(rows[i].wire, step, &body, &used, &end), GR_OK);
            assert_int_equal(end, GRC_CHUNKS_DONE);
            assert_int_equal(used, strlen(rows[i].wire) - rows[i].rest);
            assert_true(gr_str_eq(grc_buf_view(&body), gr_str_of(rows[i].body)));
            grc_buf_done(&body);
        }
    }
}

static void test_what_is_no_chunk(void **state)
{
    static const struct {
        const char *wire;
        enum gr_err err;
    } rows[] = {
        {"\r\n", GR_ERR_BAD_REQUEST},
        {" 5\r\nhello\r\n", GR_ERR_BAD_REQUEST},
        {"5 \r\nhello\r\n", GR_ERR_BAD_REQUEST},
        {"5\nhello\r\n", GR_ERR_BAD_REQUEST},
        {"5\r\r\nhello\r\n", GR_ERR_BAD_REQUEST},
        {"5;a=b\r\nhello\r\n", GR_ERR_BAD_REQUEST},
        {"0x5\r\nhello\r\n", GR_ERR_BAD_REQUEST},
        {"-5\r\nhello\r\n", GR_ERR_BAD_REQUEST},
        {"+5\r\nhello\r\n", GR_ERR_BAD_REQUEST},
        {"g\r\n", GR_ERR_BAD_REQUEST},
        {"5\r\nhellooo\r\n", GR_ERR_BAD_REQUEST},
        {"5\r\nhello\n", GR_ERR_BAD_REQUEST},
        {"5\r\nhello\r\r", GR_ERR_BAD_REQUEST},
        {"0\r\nTrailer: x\r\n\r\n", GR_ERR_BAD_REQUEST},
        {"0\r\n\n", GR_ERR_BAD_REQUEST},
        {"0\r\n\rx", GR_ERR_BAD_REQUEST},
        {"00000000000000005\r\n", GR_ERR_BAD_REQUEST},
        {"15\r\n", GR_ERR_TOO_LARGE},
        {"8000000000000000\r\n", GR_ERR_BAD_REQUEST},
        {"7fffffffffffffff\r\n", GR_ERR_TOO_LARGE},
        {"14\r\n01234567890123456789\r\n1\r\n", GR_ERR_TOO_LARGE},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        for (size_t step = 1; step <= 32; step += 31) {
            enum grc_chunks_state end;
            struct grc_buf body;
            size_t used = 0;

            if (decode(rows[i].wire, step, &body, &used, &end) != rows[i].err)
                fail_msg("let through or refused wrongly: %s", rows[i].wire);
            grc_buf_done(&body);
        }
    }
}

static void test_the_end_is_not_guessed(void **state)
{
    static const char wire[] = "5\r\nhello\r\n0\r\n\r\n";

    (void)state;
    for (size_t len = 0; len < sizeof(wire) - 1; len++) {
        char cut[sizeof(wire)];
        enum grc_chunks_state end;
        struct grc_buf body;
        size_t used = 0;

        snprintf(cut, sizeof(cut), "%.*s", (int)len, wire);
        assert_int_equal(decode(cut, 4, &body, &used, &end), GR_OK);
        assert_true(end != GRC_CHUNKS_DONE);
        assert_int_equal(used, len);
        grc_buf_done(&body);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bodies_however_they_are_cut),
        cmocka_unit_test(test_what_is_no_chunk),
        cmocka_unit_test(test_the_end_is_not_guessed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
