/*
 * The status of a class, which is computed and never stored, and the decision on each message in
 * each status. The functions are pure, so that a test covers every cell of the table.
 */
#pragma once

#include <greenroom/plugin.h>

enum mini_status {
    MINI_REAL_TIME = 0, /* no live recording; the end is open or in the future */
    MINI_CLOSED,        /* no live recording; the end has passed */
    MINI_FINISHED,      /* recorded */
    MINI_ADJUSTED,      /* the event rooms are cut to the recording */
    MINI_TRANSCODED,    /* can be watched */
    MINI_STATUS_COUNT
};

enum mini_message {
    MINI_ROOM_CLOSE = 0,
    MINI_ROOM_UPLOAD,
    MINI_TASK_CONVERTED, /* task.complete of a convert task */
    MINI_ROOM_ADJUST,
    MINI_ROOM_DUMP_EVENTS,
    MINI_TASK_TRANSCODED, /* task.complete of the transcode task */
    MINI_EDITION_COMMIT,
    MINI_MESSAGE_COUNT
};

enum mini_decision {
    MINI_IGNORE = 0, /* late or repeated: answered with success, without effect */
    MINI_APPLY,
    MINI_REFUSE, /* too early: the sender may try again */
};

/* The input for the status. */
struct mini_life {
    bool has_end;
    int64_t end_ms;
    bool recorded; /* the class has a live recording; the next two describe the first one */
    bool adjusted;
    bool transcoded;
};

/* The facts that distinguish a first message from a repeated one. */
struct mini_facts {
    enum mini_status status;
    bool stopped;     /* a room.close was handled since the last create or recreate */
    bool unadjusted;  /* at least one live recording is not adjusted */
    bool same_rooms;  /* the class already has the rooms of the message */
    bool transcoding; /* a transcode task was requested and has not completed */
};

enum mini_status mini_status_of(const struct mini_life *life, int64_t now_ms);
const char *mini_status_name(enum mini_status status);
enum mini_decision mini_decide(enum mini_message message, const struct mini_facts *facts);
