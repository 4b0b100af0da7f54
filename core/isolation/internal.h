/* Private to core/isolation: the parts of a group. */
#pragma once

#include "isolation/group.h"
#include "isolation/process.h"
#include "loop/wait.h"

#include <stdatomic.h>

#define GRC_SLOTS_MAX 256u
#define GRC_RENDERED_MAX 64u

/* How a process ended. */
#define GRC_ENDS(X)                                                                                \
    X(EXIT, "exit")   /* it ended by itself */                                                     \
    X(CRASH, "crash") /* a signal: a fault, or a limit of its resources */                         \
    X(HANG, "hang")   /* the gateway ended it, since a call did not come back */                   \
    X(START, "start") /* it did not get through init and start */

enum grc_ends {
#define GRC_ENDS_ENUM(id, name) GRC_ENDS_##id,
    GRC_ENDS(GRC_ENDS_ENUM)
#undef GRC_ENDS_ENUM
        GRC_ENDS_COUNT
};

/* Counts of one group. They outlive it, so that a reload does not reset them. */
struct grc_tally {
    struct grc_tally *next;
    char *group;
    _Atomic int64_t up; /* how many take calls: two while a reload is under way */
    _Atomic int64_t starts;
    _Atomic int64_t ends[GRC_ENDS_COUNT];
    _Atomic int64_t lost; /* calls that were in it when it ended */
};
/* Finds or makes the counts of a group; NULL without memory. */
struct grc_tally *grc_tally_of(const char *group);

/* What a process has added to gauges so far. Used by one thread. */
struct grc_gauge;
struct grc_gauges {
    struct grc_gauge *first;
    size_t count;
};
void grc_gauges_note(struct grc_gauges *gauges, const struct grc_plugin *plugin, const char *name,
                     const char *label, int64_t delta);
/* Subtracts from the gauges what the process has added, when it has ended. */
void grc_gauges_take_back(struct grc_gauges *gauges, const struct grc_plugin *plugin);

enum grc_slot_state { GRC_SLOT_FREE = 0, GRC_SLOT_ASKED, GRC_SLOT_ANSWERED, GRC_SLOT_LOST };

/* One call in the process. */
struct grc_slot {
    struct grc_queue waiter;
    enum grc_slot_state state;
    bool abandoned; /* the client left; the answer is dropped */
    uint32_t turn;  /* distinguishes a late answer to an earlier call */
    int64_t hung_ms;
    char *answer;
    size_t answer_len;
};

/* Reads frames of a socket that does not block. */
struct grc_intake {
    char bytes[32768];
    size_t have;
    char *payload; /* of a frame that did not fit */
    struct grc_frame head;
    size_t got;
};

struct grc_isolated {
    struct grc_plugin *plugin;
    struct grc_tally *tally;
    int config; /* sealed memory */
    int wake;   /* an eventfd, for the thread */
    pthread_t thread;
    pthread_mutex_t lock; /* of all below; held for a few instructions at a time */
    pthread_cond_t changed;
    struct grc_process process;
    bool up;     /* it takes calls */
    bool over;   /* the thread will not start it any more */
    bool quiet;  /* it is not to be started again */
    bool quit;   /* it is to end */
    bool broken; /* nothing more can be sent to it */
    bool hung;
    int64_t wakes_ms;   /* when the thread looks for hung calls next */
    struct grc_buf out; /* the bytes from sent on are not sent yet */
    size_t sent;
    struct grc_queue waiting; /* for a slot */
    size_t slot_count;
    struct grc_slot slots[GRC_SLOTS_MAX];
    gr_str rendered[GRC_RENDERED_MAX]; /* by negated enum gr_err; malloc'ed */
    struct grc_intake intake;          /* used by the thread only, like the next */
    struct grc_gauges gauges;
};

/* The id of the call in a slot. */
static inline uint32_t grc_slot_id(const struct grc_isolated *group, const struct grc_slot *slot)
{
    return slot->turn * GRC_SLOTS_MAX + (uint32_t)(slot - group->slots);
}

/* --- group.c, with the lock held --- */

/* Sends a frame, or leaves it to the thread. Returns GR_ERR_OVERLOAD when too much is waiting
 * already. */
enum gr_err grc_isolated_send(struct grc_isolated *group, gr_str frame);
/* Sends a frame without payload, if it can be sent. */
void grc_isolated_tell(struct grc_isolated *group, enum grc_frame_kind kind);
void grc_isolated_wake(const struct grc_isolated *group);
/* Makes room for the next call. */
void grc_slot_leave(struct grc_isolated *group, struct grc_slot *slot);

/* --- intake.c --- */

/* Reads until there is nothing more for now. Returns false when the process has closed the socket,
 * or sent something malformed. Called by the thread only. */
bool grc_isolated_take_in(struct grc_isolated *group);

/* --- supervise.c --- */

/* The thread: arg is the group. */
void *grc_isolated_supervise(void *arg);
