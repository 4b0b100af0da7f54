/*
 * The life of a class: its status, which is computed and never stored, and what each message means
 * in each status. Pure functions, so that every cell of the table has a test.
 */
#pragma once

#include <greenroom/plugin.h>

enum mg_status {
    MG_REAL_TIME = 0, /* no live recording, the end is open or ahead */
    MG_CLOSED,        /* no live recording, the end has passed */
    MG_FINISHED,      /* recorded */
    MG_ADJUSTED,      /* event rooms cut to the recording */
    MG_TRANSCODED,    /* ready to be watched */
    MG_STATUS_COUNT
};

enum mg_message {
    MG_ROOM_CLOSE = 0,
    MG_ROOM_UPLOAD,
    MG_TASK_CONVERTED, /* task.complete of a convert task */
    MG_ROOM_ADJUST,
    MG_ROOM_DUMP_EVENTS,
    MG_TASK_TRANSCODED, /* task.complete of the transcode task */
    MG_EDITION_COMMIT,
    MG_MESSAGE_COUNT
};

enum mg_decision {
    MG_IGNORE = 0, /* late or repeated: answered as handled, nothing changes */
    MG_APPLY,
    MG_REFUSE, /* too early: the sender may try again */
};

/* What the status is computed from. */
struct mg_life {
    bool has_end;
    int64_t end_ms;
    bool recorded; /* there is a live recording; the next two are of the first one */
    bool adjusted;
    bool transcoded;
};

/* What tells a first message from a repeated one. */
struct mg_facts {
    enum mg_status status;
    bool stopped;     /* a room.close was handled in this life */
    bool unadjusted;  /* some live recording is not adjusted */
    bool same_rooms;  /* the message names the rooms the class already has */
    bool transcoding; /* a transcode task was asked for and has not come back */
};

enum mg_status mg_status_of(const struct mg_life *life, int64_t now_ms);
const char *mg_status_name(enum mg_status status);
enum mg_decision mg_decide(enum mg_message message, const struct mg_facts *facts);
