#include "loop/stack.h"

#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

static size_t page_bytes(void)
{
    return (size_t)sysconf(_SC_PAGESIZE);
}

bool grc_stack_new(struct grc_stack *ret_stack)
{
    size_t guard = page_bytes();
    char *mapping = mmap(NULL, guard + GRC_STACK_BYTES, PROT_NONE,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);

    if (mapping == MAP_FAILED)
        return false;
    if (mprotect(mapping + guard, GRC_STACK_BYTES, PROT_READ | PROT_WRITE) != 0) {
        munmap(mapping, guard + GRC_STACK_BYTES);
        return false;
    }
    ret_stack->base = mapping + guard;
    return true;
}

void grc_stack_free(struct grc_stack *stack)
{
    size_t guard = page_bytes();

    if (stack->base)
        munmap(stack->base - guard, guard + GRC_STACK_BYTES);
    stack->base = NULL;
}

void grc_stack_release(const struct grc_stack *stack)
{
    /* A failure only costs memory. */
    (void)madvise(stack->base, GRC_STACK_BYTES, MADV_DONTNEED);
}

#if defined(__x86_64__) || defined(__aarch64__)

/*
 * grc_stack_swap() saves the registers that a function must preserve (System V ABI for x86-64,
 * 3.2.1; AAPCS64, 6.1) on the stack that it leaves. The first switch to a new stack finds entry and
 * arg in two of them, and returns into grc_stack_first, which calls entry(arg).
 */
void grc_stack_swap(void **ret_from, void *to);
void grc_stack_first(void);

#if defined(__x86_64__)
__asm__(".text\n"
        ".p2align 4\n"
        ".globl grc_stack_swap\n"
        ".hidden grc_stack_swap\n"
        ".type grc_stack_swap,@function\n"
        "grc_stack_swap:\n"
        ".cfi_startproc\n"
        "endbr64\n"
        "pushq %rbp\n"
        ".cfi_adjust_cfa_offset 8\n"
        ".cfi_rel_offset %rbp, 0\n"
        "pushq %rbx\n"
        ".cfi_adjust_cfa_offset 8\n"
        ".cfi_rel_offset %rbx, 0\n"
        "pushq %r12\n"
        ".cfi_adjust_cfa_offset 8\n"
        "pushq %r13\n"
        ".cfi_adjust_cfa_offset 8\n"
        "pushq %r14\n"
        ".cfi_adjust_cfa_offset 8\n"
        "pushq %r15\n"
        ".cfi_adjust_cfa_offset 8\n"
        "subq $8, %rsp\n"
        ".cfi_adjust_cfa_offset 8\n"
        "stmxcsr (%rsp)\n"
        "fnstcw 4(%rsp)\n"
        "movq %rsp, (%rdi)\n"
        "movq %rsi, %rsp\n"
        "ldmxcsr (%rsp)\n"
        "fldcw 4(%rsp)\n"
        "addq $8, %rsp\n"
        ".cfi_adjust_cfa_offset -8\n"
        "popq %r15\n"
        ".cfi_adjust_cfa_offset -8\n"
        "popq %r14\n"
        ".cfi_adjust_cfa_offset -8\n"
        "popq %r13\n"
        ".cfi_adjust_cfa_offset -8\n"
        "popq %r12\n"
        ".cfi_adjust_cfa_offset -8\n"
        "popq %rbx\n"
        ".cfi_adjust_cfa_offset -8\n"
        "popq %rbp\n"
        ".cfi_adjust_cfa_offset -8\n"
        "ret\n"
        ".cfi_endproc\n"
        ".size grc_stack_swap, . - grc_stack_swap\n"
        ".p2align 4\n"
        ".globl grc_stack_first\n"
        ".hidden grc_stack_first\n"
        ".type grc_stack_first,@function\n"
        "grc_stack_first:\n"
        ".cfi_startproc\n"
        ".cfi_undefined %rip\n" /* a backtrace ends here */
        "endbr64\n"
        "movq %r12, %rdi\n"
        "callq *%r13\n"
        "ud2\n"
        ".cfi_endproc\n"
        ".size grc_stack_first, . - grc_stack_first\n");

/* From the lower end: control words, r15, r14, r13, r12, rbx, rbp, the address to return to. */
enum { SAVED_CONTROL, SAVED_ENTRY = 3, SAVED_ARG = 4, SAVED_RETURN = 7, SAVED_WORDS = 8 };
#define CONTROL_WORDS ((UINT64_C(0x037f) << 32) | UINT64_C(0x1f80)) /* those of a new process */
#else
__asm__(".text\n"
        ".p2align 4\n"
        ".globl grc_stack_swap\n"
        ".hidden grc_stack_swap\n"
        ".type grc_stack_swap,%function\n"
        "grc_stack_swap:\n"
        ".cfi_startproc\n"
        "hint #34\n" /* bti c */
        "sub sp, sp, #160\n"
        ".cfi_adjust_cfa_offset 160\n"
        "stp x19, x20, [sp, #0]\n"
        "stp x21, x22, [sp, #16]\n"
        "stp x23, x24, [sp, #32]\n"
        "stp x25, x26, [sp, #48]\n"
        "stp x27, x28, [sp, #64]\n"
        "stp x29, x30, [sp, #80]\n"
        ".cfi_rel_offset x29, 80\n"
        ".cfi_rel_offset x30, 88\n"
        "stp d8, d9, [sp, #96]\n"
        "stp d10, d11, [sp, #112]\n"
        "stp d12, d13, [sp, #128]\n"
        "stp d14, d15, [sp, #144]\n"
        "mov x9, sp\n"
        "str x9, [x0]\n"
        "mov sp, x1\n"
        "ldp x19, x20, [sp, #0]\n"
        "ldp x21, x22, [sp, #16]\n"
        "ldp x23, x24, [sp, #32]\n"
        "ldp x25, x26, [sp, #48]\n"
        "ldp x27, x28, [sp, #64]\n"
        "ldp x29, x30, [sp, #80]\n"
        "ldp d8, d9, [sp, #96]\n"
        "ldp d10, d11, [sp, #112]\n"
        "ldp d12, d13, [sp, #128]\n"
        "ldp d14, d15, [sp, #144]\n"
        "add sp, sp, #160\n"
        ".cfi_adjust_cfa_offset -160\n"
        "ret\n"
        ".cfi_endproc\n"
        ".size grc_stack_swap, . - grc_stack_swap\n"
        ".p2align 4\n"
        ".globl grc_stack_first\n"
        ".hidden grc_stack_first\n"
        ".type grc_stack_first,%function\n"
        "grc_stack_first:\n"
        ".cfi_startproc\n"
        "hint #34\n"           /* bti c */
        ".cfi_undefined x30\n" /* a backtrace ends here */
        "mov x0, x20\n"
        "blr x19\n"
        "brk #1\n"
        ".cfi_endproc\n"
        ".size grc_stack_first, . - grc_stack_first\n");

/* From the lower end: x19 to x30, d8 to d15. */
enum { SAVED_CONTROL, SAVED_ENTRY = 0, SAVED_ARG = 1, SAVED_RETURN = 11, SAVED_WORDS = 20 };
#define CONTROL_WORDS 0
#endif

bool grc_stack_begin(const struct grc_stack *stack, void (*entry)(void *arg), void *arg,
                     struct grc_stack_place *ret_place)
{
    /* Sixteen bytes stay free above, so that the stack pointer is aligned to 16 at the first call.
     */
    uint64_t *saved = (uint64_t *)(void *)(stack->base + GRC_STACK_BYTES - 16) - SAVED_WORDS;

    for (unsigned i = 0; i < SAVED_WORDS; i++)
        saved[i] = 0;
    saved[SAVED_CONTROL] = CONTROL_WORDS;
    saved[SAVED_ENTRY] = (uintptr_t)entry;
    saved[SAVED_ARG] = (uintptr_t)arg;
    saved[SAVED_RETURN] = (uintptr_t)grc_stack_first;
    ret_place->at = saved;
    return true;
}

void grc_stack_switch(struct grc_stack_place *ret_from, const struct grc_stack_place *to)
{
    grc_stack_swap(&ret_from->at, to->at);
}

void grc_stack_end(struct grc_stack_place *place)
{
    place->at = NULL;
}

#else
#include <ucontext.h>

/* makecontext() passes only int arguments, so a pointer is passed in two halves. */
static void first(unsigned high, unsigned low);

struct context {
    ucontext_t context;
    void (*entry)(void *arg);
    void *arg;
};

static void first(unsigned high, unsigned low)
{
    const struct context *context =
        (const struct context *)(uintptr_t)((uint64_t)high << 32 | (uint64_t)low);

    context->entry(context->arg);
    abort();
}

bool grc_stack_begin(const struct grc_stack *stack, void (*entry)(void *arg), void *arg,
                     struct grc_stack_place *ret_place)
{
    struct context *context = calloc(1, sizeof(*context));
    uint64_t address = (uintptr_t)context;

    if (!context || getcontext(&context->context) != 0) {
        free(context);
        return false;
    }
    context->entry = entry;
    context->arg = arg;
    context->context.uc_stack.ss_sp = stack->base;
    context->context.uc_stack.ss_size = GRC_STACK_BYTES;
    makecontext(&context->context, (void (*)(void))first, 2, (unsigned)(address >> 32),
                (unsigned)address);
    ret_place->at = context;
    return true;
}

void grc_stack_switch(struct grc_stack_place *ret_from, const struct grc_stack_place *to)
{
    struct context here;
    struct context *from = ret_from->at ? ret_from->at : &here;
    struct context *next = to->at;

    ret_from->at = from;
    swapcontext(&from->context, &next->context);
    if (from == &here)
        ret_from->at = NULL;
}

void grc_stack_end(struct grc_stack_place *place)
{
    free(place->at);
    place->at = NULL;
}
#endif
