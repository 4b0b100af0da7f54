/* The thread of an isolated group: it starts the group's process, serves it, and ends it. */
#include "base/clock.h"
#include "base/format.h"
#include "base/log.h"
#include "isolation/internal.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define START_MS 60000  /* for init and start */
#define QUIT_MS 10000   /* for stop and fini */
#define IDLE_MS 60000   /* between two looks when nothing happens */
#define STEADY_MS 10000 /* the end of a process that ran so long counts as a first failure */
#define PAUSE_MIN_MS 100
#define PAUSE_MAX_MS 10000

/* --- one process --- */

/* The lock is held. */
static void flush(struct grc_isolated *group)
{
    size_t left = group->out.len - group->sent;

    if (left == 0 || group->broken)
        return;
    ssize_t put = send(group->process.socket, group->out.ptr + group->sent, left,
                       MSG_DONTWAIT | MSG_NOSIGNAL);
    if (put > 0)
        group->sent += (size_t)put;
    if (group->sent == group->out.len) {
        grc_buf_done(&group->out);
        group->sent = 0;
    }
}

/* When the next call counts as hung. The lock is held. */
static int64_t next_hung(const struct grc_isolated *group)
{
    int64_t first = GRC_NEVER_MS;

    for (size_t i = 0; i < group->slot_count; i++) {
        if (group->slots[i].state == GRC_SLOT_ASKED && group->slots[i].hung_ms < first)
            first = group->slots[i].hung_ms;
    }
    return first;
}

/* Returns until when the process may go on without a frame. The lock is held. */
static int64_t patience(const struct grc_isolated *group, int64_t start_by_ms, int64_t quit_by_ms)
{
    int64_t until_ms = group->up ? next_hung(group) : start_by_ms;

    return group->quit && quit_by_ms < until_ms ? quit_by_ms : until_ms;
}

static int wait_for(struct grc_isolated *group, struct pollfd ready[3], int64_t until_ms)
{
    int64_t now_ms = grc_mono_ms();
    int64_t wait_ms = until_ms - now_ms < IDLE_MS ? until_ms - now_ms : IDLE_MS;

    wait_ms = wait_ms > 0 ? wait_ms : 0;
    group->wakes_ms = now_ms + wait_ms;
    bool writes = group->out.len > group->sent && !group->broken;
    ready[0] = (struct pollfd){group->process.socket, (short)(POLLIN | (writes ? POLLOUT : 0)), 0};
    ready[1] = (struct pollfd){group->wake, POLLIN, 0};
    ready[2] = (struct pollfd){group->process.watch, POLLIN, 0};
    return (int)wait_ms;
}

/* Serves the process until it has ended, or has to be ended. */
static void tend(struct grc_isolated *group)
{
    const int64_t start_by_ms = grc_mono_ms() + START_MS;
    int64_t quit_by_ms = GRC_NEVER_MS;
    struct pollfd ready[3];
    bool over = false;
    uint64_t woken;

    while (!over) {
        pthread_mutex_lock(&group->lock);
        int wait_ms = wait_for(group, ready, patience(group, start_by_ms, quit_by_ms));
        pthread_mutex_unlock(&group->lock);
        (void)poll(ready, 3, wait_ms);
        if (ready[1].revents)
            (void)!read(group->wake, &woken, sizeof(woken));
        if (ready[0].revents & (POLLIN | POLLHUP | POLLERR))
            over = !grc_isolated_take_in(group);
        over = over || ready[2].revents != 0;
        pthread_mutex_lock(&group->lock);
        flush(group);
        int64_t now_ms = grc_mono_ms();
        if (group->quit && quit_by_ms == GRC_NEVER_MS)
            quit_by_ms = group->up ? now_ms + QUIT_MS : now_ms;
        group->hung = !over && now_ms >= patience(group, start_by_ms, quit_by_ms);
        over = over || group->hung || group->broken;
        pthread_mutex_unlock(&group->lock);
    }
}

/* Ends the waits of all calls for an answer or a slot. Returns how many calls were in the process.
 * The lock is held. */
static size_t give_up(struct grc_isolated *group)
{
    size_t lost = 0;

    for (size_t i = 0; i < group->slot_count; i++) {
        struct grc_slot *slot = &group->slots[i];

        if (slot->state != GRC_SLOT_ASKED)
            continue;
        lost++;
        if (slot->abandoned) {
            grc_slot_leave(group, slot);
        } else {
            slot->state = GRC_SLOT_LOST;
            (void)grc_queue_wake(&slot->waiter);
        }
    }
    grc_queue_wake_all(&group->waiting);
    grc_buf_done(&group->out);
    group->sent = 0;
    group->broken = false;
    free(group->intake.payload);
    group->intake.payload = NULL;
    group->intake.have = 0;
    return lost;
}

/* --- how it ended --- */

struct ending {
    bool was_up;
    bool wanted;
    bool hung;
    int status; /* as waitpid() gives it */
    int64_t pid;
    size_t lost;
};

static struct ending settle(struct grc_isolated *group)
{
    struct ending ending;

    pthread_mutex_lock(&group->lock);
    ending = (struct ending){.was_up = group->up,
                             .wanted = group->quit,
                             .hung = group->hung && !group->quit,
                             .pid = group->process.pid};
    group->up = false;
    ending.lost = give_up(group);
    pthread_mutex_unlock(&group->lock);
    atomic_fetch_sub(&group->tally->up, ending.was_up ? 1 : 0);
    ending.status = grc_process_end(&group->process);
    grc_gauges_take_back(&group->gauges, group->plugin);
    return ending;
}

static enum grc_ends kind_of(const struct ending *ending)
{
    if (!ending->was_up)
        return GRC_ENDS_START;
    if (ending->hung)
        return GRC_ENDS_HANG;
    return WIFSIGNALED(ending->status) ? GRC_ENDS_CRASH : GRC_ENDS_EXIT;
}

static void say_ended(const struct grc_isolated *group, const struct ending *ending,
                      int64_t pause_ms)
{
    char how[96];
    char next[64] = "";

    if (!ending->was_up && ending->hung)
        snprintf(how, sizeof(how), "was not ready after %d s and was ended", START_MS / 1000);
    else if (!ending->was_up)
        snprintf(how, sizeof(how), "ended before it was ready");
    else if (ending->hung)
        snprintf(how, sizeof(how), "had a call that did not come back, and was ended");
    else if (WIFSIGNALED(ending->status))
        snprintf(how, sizeof(how), "ended by SIG%s",
                 sigabbrev_np(WTERMSIG(ending->status)) ? sigabbrev_np(WTERMSIG(ending->status))
                                                        : "?");
    else
        snprintf(how, sizeof(how), "ended with status %d", WEXITSTATUS(ending->status));
    if (pause_ms >= 0)
        snprintf(next, sizeof(next), "; it is started again in %lld ms", (long long)pause_ms);
    char *line = grc_format("the process of the group %s%s", how, next);
    grc_log_fields(GR_LOG_ERROR, line ? line : "the process of the group ended",
                   GRC_LOG_FIELDS(GRC_LT("plugin", group->plugin->self.name),
                                  GRC_LI("process", ending->pid),
                                  GRC_LI("calls_lost", ending->lost)));
    free(line);
}

/* --- the thread --- */

/* Waits before the next start. Returns false when there will be none. */
static bool pause_for(struct grc_isolated *group, int64_t pause_ms)
{
    const int64_t until_ms = grc_mono_ms() + pause_ms;
    struct pollfd ready = {.fd = group->wake, .events = POLLIN};
    int64_t left_ms = pause_ms;
    bool go_on = true;
    uint64_t woken;

    while (go_on && left_ms > 0) {
        (void)poll(&ready, 1, (int)left_ms);
        (void)!read(group->wake, &woken, sizeof(woken));
        left_ms = until_ms - grc_mono_ms();
        pthread_mutex_lock(&group->lock);
        go_on = !group->quit && !group->quiet;
        pthread_mutex_unlock(&group->lock);
    }
    return go_on;
}

static int64_t pause_after(unsigned failures)
{
    int64_t pause_ms = PAUSE_MIN_MS;

    while (--failures > 0 && pause_ms < PAUSE_MAX_MS)
        pause_ms *= 2;
    return pause_ms < PAUSE_MAX_MS ? pause_ms : PAUSE_MAX_MS;
}

static bool start(struct grc_isolated *group)
{
    struct grc_process process;

    if (!grc_process_start(group->plugin, group->config, &process)) {
        grc_error("%s: its process cannot be started: %s", group->plugin->self.name,
                  strerror(errno));
        return false;
    }
    atomic_fetch_add(&group->tally->starts, 1);
    pthread_mutex_lock(&group->lock);
    group->process = process;
    group->hung = false;
    pthread_mutex_unlock(&group->lock);
    return true;
}

/* Runs one process from its start to its end. Returns true when another one has to follow, after
 * *ret_pause_ms. */
static bool run_one(struct grc_isolated *group, bool first, unsigned *failures,
                    int64_t *ret_pause_ms)
{
    const int64_t began_ms = grc_mono_ms();
    struct ending ending = {.status = 0};

    bool started = start(group);
    if (started) {
        tend(group);
        ending = settle(group);
    }
    pthread_mutex_lock(&group->lock);
    bool goes_on = !group->quit && !group->quiet && (ending.was_up || !first);
    pthread_mutex_unlock(&group->lock);
    *failures = ending.was_up && grc_mono_ms() - began_ms >= STEADY_MS ? 1 : *failures + 1;
    *ret_pause_ms = pause_after(*failures);
    if (started && !ending.wanted) {
        atomic_fetch_add(&group->tally->ends[kind_of(&ending)], 1);
        atomic_fetch_add(&group->tally->lost, (int64_t)ending.lost);
        say_ended(group, &ending, goes_on ? *ret_pause_ms : -1);
    }
    return goes_on;
}

void *grc_isolated_supervise(void *arg)
{
    struct grc_isolated *group = arg;
    unsigned failures = 0;
    int64_t pause_ms = 0;
    bool first = true;

    while (run_one(group, first, &failures, &pause_ms) && pause_for(group, pause_ms))
        first = false;
    pthread_mutex_lock(&group->lock);
    group->over = true;
    pthread_cond_broadcast(&group->changed);
    pthread_mutex_unlock(&group->lock);
    return NULL;
}
