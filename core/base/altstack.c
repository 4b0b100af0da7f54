#include "base/altstack.h"

#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <sys/mman.h>

/* The kernel saves up to 3 KiB of registers there, and the handler needs about as much again. */
#define STACK_BYTES ((size_t)32 * 1024)

static pthread_key_t stack_key;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static bool has_key;

static void release(void *stack)
{
    const stack_t none = {.ss_flags = SS_DISABLE};

    (void)sigaltstack(&none, NULL);
    (void)munmap(stack, STACK_BYTES);
}

static void make_key(void)
{
    has_key = pthread_key_create(&stack_key, release) == 0;
}

bool grc_altstack_use(void)
{
    stack_t current;

    pthread_once(&once, make_key);
    if (!has_key || sigaltstack(NULL, &current) != 0)
        return false;
    if (!(current.ss_flags & SS_DISABLE))
        return true;
    void *stack = mmap(NULL, STACK_BYTES, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK | MAP_NORESERVE, -1, 0);
    if (stack == MAP_FAILED)
        return false;
    const stack_t mine = {.ss_sp = stack, .ss_size = STACK_BYTES};
    if (sigaltstack(&mine, NULL) == 0 && pthread_setspecific(stack_key, stack) == 0)
        return true;
    release(stack);
    return false;
}
