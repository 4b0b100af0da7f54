/* base/memory.h: freed memory goes back to the system */
#include "base/memory.h"

/* cmocka.h needs these before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

#define COUNT 400000
#define BLOCK_BYTES 100
#define MIB ((size_t)1024 * 1024)

static void *blocks[COUNT];

/* Bytes of the process that are in memory, as the kernel counts them. */
static size_t resident(void)
{
    FILE *file = fopen("/proc/self/statm", "r");
    size_t all = 0;
    size_t pages = 0;

    assert_non_null(file);
    assert_int_equal(fscanf(file, "%zu %zu", &all, &pages), 2);
    assert_int_equal(fclose(file), 0);
    return pages * (size_t)sysconf(_SC_PAGESIZE);
}

/* A block that stays lies above the others, so that they cannot be returned by shrinking the heap.
 */
static void *fill(void)
{
    for (size_t i = 0; i < COUNT; i++) {
        blocks[i] = malloc(BLOCK_BYTES);
        assert_non_null(blocks[i]);
        *(volatile char *)blocks[i] = 1;
    }
    return malloc(BLOCK_BYTES);
}

static void drop(void)
{
    for (size_t i = 0; i < COUNT; i++)
        free(blocks[i]);
}

static void the_memory_of_large_work_goes_back(void **state)
{
    const size_t bytes = (size_t)COUNT * BLOCK_BYTES;
    const size_t before = resident();

    (void)state;
    grc_memory_taken(bytes);
    grc_memory_taken(bytes);
    void *above = fill();
    assert_true(resident() > before + bytes);
    drop();
    /* The memory is not returned while another large piece of work is in progress. */
    grc_memory_freed(bytes);
    assert_true(resident() > before + bytes);
    grc_memory_freed(bytes);
    assert_true(resident() < before + 8 * MIB);
    free(above);
}

static void small_work_does_not_count(void **state)
{
    const size_t before = resident();

    (void)state;
    grc_memory_taken(GRC_MEMORY_LARGE - 1);
    void *above = fill();
    drop();
    grc_memory_freed(GRC_MEMORY_LARGE - 1);
    assert_true(resident() > before + (size_t)COUNT * BLOCK_BYTES / 2);
    grc_memory_taken(GRC_MEMORY_LARGE);
    grc_memory_freed(GRC_MEMORY_LARGE);
    assert_true(resident() < before + 8 * MIB);
    free(above);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_memory_of_large_work_goes_back),
        cmocka_unit_test(small_work_does_not_count),
    };
    const char *sanitizer = getenv("GR_SANITIZE");

    if (sanitizer && *sanitizer)
        return 77; /* skipped: sanitizers keep memory that was freed */
    grc_memory_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
