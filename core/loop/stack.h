/*
 * Stacks of fibers, and the change from one stack to another. The change is a dozen instructions on
 * x86-64 and aarch64; elsewhere it goes through <ucontext.h>, which makes a system call each time.
 * Used by fiber.c alone.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* What a stack holds, without the guard page below it: 64 KiB for a handler, the rest for what is
 * around it and for the libraries below it, such as a TLS handshake. Pages that are not touched
 * cost nothing. Sanitizers put more on a stack. */
#ifdef GRC_SANITIZED
#define GRC_STACK_BYTES ((size_t)512 * 1024)
#else
#define GRC_STACK_BYTES ((size_t)128 * 1024)
#endif

/* A memory mapping with a guard page at its lower end. */
struct grc_stack {
    char *base; /* the lowest usable byte; NULL: there is none */
};

/* A place on some stack where execution goes on. Opaque: only grc_stack_switch() fills it. */
struct grc_stack_place {
    void *at;
};

/* false: no memory, or the process has as many mappings as it may (vm.max_map_count). */
bool grc_stack_new(struct grc_stack *ret_stack);
void grc_stack_free(struct grc_stack *stack);
/* Gives the memory of a stack that is not in use back to the system; it stays mapped. */
void grc_stack_release(const struct grc_stack *stack);
/*
 * Makes *ret_place such that the first switch to it calls entry(arg) on the stack. entry must not
 * return. false: no memory (only where <ucontext.h> is used).
 */
bool grc_stack_begin(const struct grc_stack *stack, void (*entry)(void *arg), void *arg,
                     struct grc_stack_place *ret_place);
/* Notes in *ret_from where to go on, and goes on at to. */
void grc_stack_switch(struct grc_stack_place *ret_from, const struct grc_stack_place *to);
/* Ends a place that will not be gone to any more. */
void grc_stack_end(struct grc_stack_place *place);
