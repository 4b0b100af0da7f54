#include "base/thread.h"

#include "base/altstack.h"

#include <fcntl.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define SLICE_NS 100000u /* the kernel accepts 0.1 to 100 ms */

/* The first version of the kernel's struct sched_attr. <linux/sched/types.h> declares it, but
 * cannot be included together with <sched.h>, since both define struct sched_param. */
struct attributes {
    uint32_t size;
    uint32_t policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t runtime; /* the slice in ns under SCHED_BATCH */
    uint64_t deadline;
    uint64_t period;
};
_Static_assert(sizeof(struct attributes) == 48, "SCHED_ATTR_SIZE_VER0");

struct start {
    void *(*run)(void *);
    void *arg;
};

static void *begin(void *arg)
{
    const struct start start = *(struct start *)arg;

    free(arg);
    (void)grc_altstack_use();
    return start.run(start.arg);
}

/* The C library refuses less than this: 16 KiB on x86-64, 128 KiB on aarch64. */
static size_t at_least_minimum(size_t bytes)
{
    long least = sysconf(_SC_THREAD_STACK_MIN);

    return least > 0 && (size_t)least > bytes ? (size_t)least : bytes;
}

bool grc_thread_start(pthread_t *ret_thread, size_t stack_bytes, void *(*run)(void *), void *arg)
{
    struct start *start = malloc(sizeof(*start));
    pthread_attr_t attributes;

    if (!start || pthread_attr_init(&attributes) != 0) {
        free(start);
        return false;
    }
    *start = (struct start){run, arg};
    bool started = pthread_attr_setstacksize(&attributes, at_least_minimum(stack_bytes)) == 0 &&
                   pthread_create(ret_thread, &attributes, begin, start) == 0;
    pthread_attr_destroy(&attributes);
    if (!started)
        free(start);
    return started;
}

bool grc_mutex_init_short(pthread_mutex_t *mutex)
{
    pthread_mutexattr_t attributes;

    if (pthread_mutexattr_init(&attributes) != 0)
        return false;
    bool made = pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_ADAPTIVE_NP) == 0 &&
                pthread_mutex_init(mutex, &attributes) == 0;
    pthread_mutexattr_destroy(&attributes);
    return made;
}

bool grc_thread_batch(void)
{
    const struct attributes batch = {
        .size = sizeof(batch), .policy = SCHED_BATCH, .runtime = SLICE_NS};
    const struct sched_param none = {.sched_priority = 0};

    /* Some sandboxes allow only the older call. */
    return syscall(SYS_sched_setattr, 0, &batch, 0) == 0 ||
           sched_setscheduler(0, SCHED_BATCH, &none) == 0;
}

enum grc_thread_state grc_thread_state(pid_t tid)
{
    char path[64], text[128];

    snprintf(path, sizeof(path), "/proc/self/task/%d/stat", (int)tid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return GRC_THREAD_UNKNOWN;
    ssize_t len = read(fd, text, sizeof(text) - 1);
    (void)close(fd);
    text[len > 0 ? len : 0] = '\0';

    /* "7 (name) S …"; the name is that of the thread, has at most 15 bytes and may have a ')' */
    const char *name_end = strrchr(text, ')');
    if (!name_end || name_end[1] != ' ')
        return GRC_THREAD_UNKNOWN;
    return name_end[2] == 'S' || name_end[2] == 'D' ? GRC_THREAD_SLEEPS : GRC_THREAD_RUNS;
}
