#include "status.h"

#define I MINI_IGNORE
#define A MINI_APPLY
#define R MINI_REFUSE

/* The decision on a message that is not a repeat, by status. */
static const enum mini_decision first_time[MINI_MESSAGE_COUNT][MINI_STATUS_COUNT] = {
    /*                     real-time closed finished adjusted transcoded */
    [MINI_ROOM_CLOSE] = {A, A, A, A, A},       [MINI_ROOM_UPLOAD] = {A, A, A, A, A},
    [MINI_TASK_CONVERTED] = {I, I, A, A, A},   [MINI_ROOM_ADJUST] = {R, R, A, A, A},
    [MINI_ROOM_DUMP_EVENTS] = {I, I, A, A, A}, [MINI_TASK_TRANSCODED] = {R, R, A, A, A},
    [MINI_EDITION_COMMIT] = {R, R, R, A, A},
};

#undef I
#undef A
#undef R

enum mini_status mini_status_of(const struct mini_life *life, int64_t now_ms)
{
    if (!life->recorded)
        return life->has_end && life->end_ms <= now_ms ? MINI_CLOSED : MINI_REAL_TIME;
    if (life->transcoded)
        return MINI_TRANSCODED;
    return life->adjusted ? MINI_ADJUSTED : MINI_FINISHED;
}

const char *mini_status_name(enum mini_status status)
{
    static const char *const names[MINI_STATUS_COUNT] = {
        [MINI_REAL_TIME] = "real-time",   [MINI_CLOSED] = "closed",
        [MINI_FINISHED] = "finished",     [MINI_ADJUSTED] = "adjusted",
        [MINI_TRANSCODED] = "transcoded",
    };

    return names[status];
}

/* Senders deliver at least once. A repeated message is handled again only while the work that it
 * asks for is unfinished. */
static bool is_repeat(enum mini_message message, const struct mini_facts *facts)
{
    switch (message) {
    case MINI_ROOM_CLOSE:
        return facts->stopped;
    case MINI_TASK_CONVERTED:
        return !facts->unadjusted;
    case MINI_ROOM_ADJUST:
    case MINI_EDITION_COMMIT:
        return facts->same_rooms && (facts->transcoding || facts->status == MINI_TRANSCODED);
    case MINI_TASK_TRANSCODED:
        return facts->status == MINI_TRANSCODED && !facts->transcoding;
    case MINI_ROOM_UPLOAD:      /* compares stream by stream */
    case MINI_ROOM_DUMP_EVENTS: /* writes the same text again */
    case MINI_MESSAGE_COUNT:
        break;
    }
    return false;
}

enum mini_decision mini_decide(enum mini_message message, const struct mini_facts *facts)
{
    enum mini_decision decision = first_time[message][facts->status];

    if (decision == MINI_APPLY && is_repeat(message, facts))
        return MINI_IGNORE;
    return decision;
}
