/*
 * Stacks of fibers, and the switch from one stack to another. A switch takes a few dozen
 * instructions on x86-64 and aarch64; elsewhere it uses <ucontext.h>, which makes a system call.
 * Used by fiber.c alone.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* The size of a stack without its guard page: 64 KiB for a handler, the rest for the host around it
 * and the libraries below it, such as a TLS handshake. Pages that are not touched cost no memory.
 * Sanitizers need more stack. */
#ifdef GRC_SANITIZED
#define GRC_STACK_BYTES ((size_t)512 * 1024)
#else
#define GRC_STACK_BYTES ((size_t)128 * 1024)
#endif

/* A memory mapping with a guard page at its lower end. */
struct grc_stack {
    char *base; /* the lowest usable byte; NULL without a mapping */
};

/* A place on a stack where execution continues. Opaque; grc_stack_begin() and grc_stack_switch()
 * fill it. */
struct grc_stack_place {
    void *at;
};

/* Returns false without memory, or when the process has vm.max_map_count mappings. */
bool grc_stack_new(struct grc_stack *ret_stack);
void grc_stack_free(struct grc_stack *stack);
/* Gives the memory of an unused stack back to the system. The mapping stays. */
void grc_stack_release(const struct grc_stack *stack);
/*
 * Prepares *ret_place so that the first switch to it calls entry(arg) on the stack. entry must not
 * return. Returns false without memory, which only happens with <ucontext.h>.
 */
bool grc_stack_begin(const struct grc_stack *stack, void (*entry)(void *arg), void *arg,
                     struct grc_stack_place *ret_place);
/* Saves the current place in *ret_from, and continues at `to`. */
void grc_stack_switch(struct grc_stack_place *ret_from, const struct grc_stack_place *to);
/* Releases a place that no switch will go to any more. */
void grc_stack_end(struct grc_stack_place *place);
