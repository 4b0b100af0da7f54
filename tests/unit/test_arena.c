/* base/arena.h: the memory of one request, its limit and alignment, that it is zeroed, and the
 * functions that run at its end. */
#include "base/arena.h"

#include <setjmp.h>
#include <stdalign.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#define MAX_BYTES 100000u

static int begin(void **state)
{
    struct grc_arena *arena = calloc(1, sizeof(*arena));

    if (!arena)
        return -1;
    grc_arena_init(arena, MAX_BYTES);
    *state = arena;
    return 0;
}

static int end(void **state)
{
    grc_arena_done(*state);
    free(*state);
    return 0;
}

static void every_piece_is_aligned_zero_and_its_own(void **state)
{
    unsigned char *pieces[200];

    for (size_t i = 0; i < 200; i++) {
        size_t bytes = i % 50;
        pieces[i] = grc_arena_alloc(*state, bytes);
        assert_non_null(pieces[i]);
        assert_int_equal((uintptr_t)pieces[i] % alignof(max_align_t), 0);
        for (size_t at = 0; at < bytes; at++)
            assert_int_equal(pieces[i][at], 0);
        memset(pieces[i], (int)i + 1, bytes);
    }
    for (size_t i = 0; i < 200; i++) {
        for (size_t at = 0; at < i % 50; at++)
            assert_int_equal(pieces[i][at], (unsigned char)(i + 1));
    }
}

static void the_limit_counts_what_is_in_use(void **state)
{
    struct grc_arena *arena = *state;

    assert_null(grc_arena_alloc(arena, MAX_BYTES + 1));
    assert_null(grc_arena_alloc(arena, SIZE_MAX));
    assert_null(grc_arena_copy(arena, (gr_str){"", SIZE_MAX}));
    assert_int_equal(arena->used_bytes, 0);
    assert_non_null(grc_arena_alloc(arena, MAX_BYTES / 2));
    assert_null(grc_arena_alloc(arena, MAX_BYTES / 2 + 1));
    assert_non_null(grc_arena_alloc(arena, MAX_BYTES / 2 - 16));
    grc_arena_reset(arena);
    assert_int_equal(arena->used_bytes, 0);
    assert_non_null(grc_arena_alloc(arena, MAX_BYTES));
    assert_null(grc_arena_alloc(arena, 1));
}

static void memory_that_is_used_again_is_zero_again(void **state)
{
    for (int round = 0; round < 3; round++) {
        char *small = grc_arena_alloc(*state, 64);
        char *large = grc_arena_alloc(*state, 20000);
        char *after = grc_arena_alloc(*state, 64);
        assert_true(small && large && after);
        for (size_t at = 0; at < 64; at++)
            assert_true(small[at] == 0 && after[at] == 0);
        memset(small, 0xff, 64);
        memset(large, 0xff, 20000);
        memset(after, 0xff, 64);
        grc_arena_reset(*state);
    }
}

static void texts_end_with_a_zero(void **state)
{
    const char bytes[] = {'a', '\0', 'b'};
    const char *copy = grc_arena_copy(*state, (gr_str){bytes, sizeof(bytes)});
    char *long_text = calloc(1, 9001);

    assert_memory_equal(copy, "a\0b", 4);
    assert_string_equal(grc_arena_copy(*state, (gr_str){NULL, 0}), "");
    assert_string_equal(grc_arena_format(*state, "%s-%d", "room", 7), "room-7");
    assert_non_null(long_text);
    memset(long_text, 'x', 9000);
    assert_string_equal(grc_arena_format(*state, "%s", long_text), long_text);
    assert_null(grc_arena_format(*state, "%*s", (int)MAX_BYTES, ""));
    free(long_text);
}

/* A text is first written into what is left of a block, where the text before it has ended. */
static void texts_do_not_overlap(void **state)
{
    const char *texts[600];

    for (int i = 0; i < 600; i++)
        texts[i] = grc_arena_format(*state, "%0*d", i % 40 + 1, i % 9);
    for (int i = 0; i < 600; i++) {
        assert_int_equal(strlen(texts[i]), i % 40 + 1);
        assert_int_equal(texts[i][i % 40], '0' + i % 9);
    }
}

static void numbers_are_written_in_full(void **state)
{
    assert_string_equal(grc_arena_int(*state, 0), "0");
    assert_string_equal(grc_arena_int(*state, -7), "-7");
    assert_string_equal(grc_arena_int(*state, INT64_MAX), "9223372036854775807");
    assert_string_equal(grc_arena_int(*state, INT64_MIN), "-9223372036854775808");
}

static char order[8];

static void note(void *arg)
{
    size_t len = strlen(order);

    order[len] = *(const char *)arg;
}

static void deferred_functions_run_once_last_first(void **state)
{
    memset(order, 0, sizeof(order));
    assert_int_equal(grc_arena_defer(*state, note, (void *)(uintptr_t) "1"), GR_OK);
    assert_int_equal(grc_arena_defer(*state, note, (void *)(uintptr_t) "2"), GR_OK);
    assert_string_equal(order, "");
    grc_arena_reset(*state);
    assert_string_equal(order, "21");
    grc_arena_reset(*state);
    assert_string_equal(order, "21");
    /* When there is no memory to keep a function for later, it runs immediately, so that nothing
     * leaks. */
    assert_non_null(grc_arena_alloc(*state, MAX_BYTES));
    assert_int_equal(grc_arena_defer(*state, note, (void *)(uintptr_t) "3"), GR_ERR_NO_MEMORY);
    assert_string_equal(order, "213");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_piece_is_aligned_zero_and_its_own, begin, end),
        cmocka_unit_test_setup_teardown(the_limit_counts_what_is_in_use, begin, end),
        cmocka_unit_test_setup_teardown(memory_that_is_used_again_is_zero_again, begin, end),
        cmocka_unit_test_setup_teardown(texts_end_with_a_zero, begin, end),
        cmocka_unit_test_setup_teardown(texts_do_not_overlap, begin, end),
        cmocka_unit_test_setup_teardown(numbers_are_written_in_full, begin, end),
        cmocka_unit_test_setup_teardown(deferred_functions_run_once_last_first, begin, end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
