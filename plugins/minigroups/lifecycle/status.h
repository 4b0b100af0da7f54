/*
 * The life of a class: its status, which is computed and never stored, and what each message means
 * in each status. Pure functions, so that every cell of the table has a test.
 */
#pragma once

#include <greenroom/plugin.h>

enum mini_status {
    MINI_REAL_TIME = 0, /* no live recording, the end is open or ahead */
    MINI_CLOSED,        /* no live recording, the end has passed */
    MINI_FINISHED,      /* recorded */
    MINI_ADJUSTED,      /* event rooms cut to the recording */
    MINI_TRANSCODED,    /* ready to be watched */
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
    MINI_IGNORE = 0, /* late or repeated: answered as handled, nothing changes */
    MINI_APPLY,
    MINI_REFUSE, /* too early: the sender may try again */
};

/* What the status is computed from. */
struct mini_life {
    bool has_end;
    int64_t end_ms;
    bool recorded; /* there is a live recording; the next two are of the first one */
    bool adjusted;
    bool transcoded;
};

/* What tells a first message from a repeated one. */
struct mini_facts {
    enum mini_status status;
    bool stopped;     /* a room.close was handled in this life */
    bool unadjusted;  /* some live recording is not adjusted */
    bool same_rooms;  /* the message names the rooms the class already has */
    bool transcoding; /* a transcode task was asked for and has not come back */
};

enum mini_status mini_status_of(const struct mini_life *life, int64_t now_ms);
const char *mini_status_name(enum mini_status status);
enum mini_decision mini_decide(enum mini_message message, const struct mini_facts *facts);
