#include "status.h"

#define I MG_IGNORE
#define A MG_APPLY
#define R MG_REFUSE

/* What a message that has not been seen before means, by status. */
static const enum mg_decision first_time[MG_MESSAGE_COUNT][MG_STATUS_COUNT] = {
    /*                     real-time closed finished adjusted transcoded */
    [MG_ROOM_CLOSE] = {A, A, A, A, A},       [MG_ROOM_UPLOAD] = {A, A, A, A, A},
    [MG_TASK_CONVERTED] = {I, I, A, A, A},   [MG_ROOM_ADJUST] = {R, R, A, A, A},
    [MG_ROOM_DUMP_EVENTS] = {I, I, A, A, A}, [MG_TASK_TRANSCODED] = {R, R, A, A, A},
    [MG_EDITION_COMMIT] = {R, R, R, A, A},
};

#undef I
#undef A
#undef R

enum mg_status mg_status_of(const struct mg_life *life, int64_t now_ms)
{
    if (!life->recorded)
        return life->has_end && life->end_ms <= now_ms ? MG_CLOSED : MG_REAL_TIME;
    if (life->transcoded)
        return MG_TRANSCODED;
    return life->adjusted ? MG_ADJUSTED : MG_FINISHED;
}

const char *mg_status_name(enum mg_status status)
{
    static const char *const names[MG_STATUS_COUNT] = {
        [MG_REAL_TIME] = "real-time", [MG_CLOSED] = "closed",         [MG_FINISHED] = "finished",
        [MG_ADJUSTED] = "adjusted",   [MG_TRANSCODED] = "transcoded",
    };

    return names[status];
}

/* Senders deliver at least once. A repeat is worked on again only while its work is unfinished. */
static bool is_repeat(enum mg_message message, const struct mg_facts *facts)
{
    switch (message) {
    case MG_ROOM_CLOSE:
        return facts->stopped;
    case MG_TASK_CONVERTED:
        return !facts->unadjusted;
    case MG_ROOM_ADJUST:
    case MG_EDITION_COMMIT:
        return facts->same_rooms && (facts->transcoding || facts->status == MG_TRANSCODED);
    case MG_TASK_TRANSCODED:
        return facts->status == MG_TRANSCODED && !facts->transcoding;
    case MG_ROOM_UPLOAD:      /* compares stream by stream */
    case MG_ROOM_DUMP_EVENTS: /* writes the same text again */
    case MG_MESSAGE_COUNT:
        break;
    }
    return false;
}

enum mg_decision mg_decide(enum mg_message message, const struct mg_facts *facts)
{
    enum mg_decision decision = first_time[message][facts->status];

    if (decision == MG_APPLY && is_repeat(message, facts))
        return MG_IGNORE;
    return decision;
}
