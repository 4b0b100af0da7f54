/* Tells AddressSanitizer and ThreadSanitizer about switches between stacks. Without them these
 * functions do nothing. Used by fiber.c alone. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#if defined(__SANITIZE_ADDRESS__)
#define GRC_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define GRC_ASAN 1
#endif
#endif
#if defined(__SANITIZE_THREAD__)
#define GRC_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define GRC_TSAN 1
#endif
#endif

#ifdef GRC_ASAN
#include <sanitizer/common_interface_defs.h>
#endif
#ifdef GRC_TSAN
#include <sanitizer/tsan_interface.h>
#endif

/* One side of a switch: a fiber, or the thread that resumes it. */
struct grc_sanitizer_side {
    void *fake_stack;   /* AddressSanitizer's, while the side does not run */
    const void *bottom; /* of its stack */
    size_t size;
    void *thread; /* ThreadSanitizer's handle of it */
};

static inline void grc_sanitizer_new(struct grc_sanitizer_side *side, const void *bottom,
                                     size_t size)
{
    *side = (struct grc_sanitizer_side){.bottom = bottom, .size = size};
#ifdef GRC_TSAN
    side->thread = __tsan_create_fiber(0);
#endif
}

static inline void grc_sanitizer_end(struct grc_sanitizer_side *side)
{
#ifdef GRC_TSAN
    if (side->thread)
        __tsan_destroy_fiber(side->thread);
#endif
    side->thread = NULL;
}

/* Makes the current thread a side. */
static inline void grc_sanitizer_here(struct grc_sanitizer_side *side)
{
    *side = (struct grc_sanitizer_side){0};
#ifdef GRC_TSAN
    side->thread = __tsan_get_current_fiber();
#endif
}

/* Called just before a switch. ends: `from` will not run again. */
static inline void grc_sanitizer_leave(struct grc_sanitizer_side *from,
                                       const struct grc_sanitizer_side *to, bool ends)
{
    (void)from;
    (void)to;
    (void)ends;
#ifdef GRC_ASAN
    __sanitizer_start_switch_fiber(ends ? NULL : &from->fake_stack, to->bottom, to->size);
#endif
#ifdef GRC_TSAN
    __tsan_switch_to_fiber(to->thread, 0);
#endif
}

/* Called just after a switch, on the side that now runs. Notes the stack of the side that was left.
 */
static inline void grc_sanitizer_arrive(struct grc_sanitizer_side *here,
                                        struct grc_sanitizer_side *left)
{
    (void)here;
    (void)left;
#ifdef GRC_ASAN
    __sanitizer_finish_switch_fiber(here->fake_stack, &left->bottom, &left->size);
#endif
}
