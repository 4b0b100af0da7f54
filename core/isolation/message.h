/* Calls and answers as payloads of frames: the parts of a call that a plugin can see, and those
 * that it can change. */
#pragma once

#include "call/call.h"
#include "isolation/wire.h"

/* Which of the group's functions a call is for. */
enum grc_ask {
    GRC_ASK_AUTHENTICATE = 1,
    GRC_ASK_ADMIT,
    GRC_ASK_CHECK_PATH, /* these three: rows that have .check functions */
    GRC_ASK_CHECK_QUERY,
    GRC_ASK_CHECK_BODY,
    GRC_ASK_HANDLE,
    GRC_ASK_RENDER_ERROR,
    GRC_ASK_READY,
    GRC_ASK_STATUS,
};

/* The messages for a call whose process has ended, and for one that finds no process. */
#define GRC_PROCESS_ENDED "the process of this group ended while it was at work on the request"
#define GRC_PROCESS_AWAY "the process of this group is being started again"

/* The placeholder of the request id in the errors that the process renders when it starts. */
#define GRC_RENDERED_ID "00000000-0000-4000-8000-greenroomid0"

/* deadline_ms: monotonic, for the function. */
void grc_call_write(struct grc_wire *wire, const struct grc_call *call, enum grc_ask ask,
                    int64_t deadline_ms);
/* Fills a call that was begun for its plugin. Texts are slices of the payload, which must live as
 * long as the call. Returns false when the payload is malformed, and without memory. */
bool grc_call_read(struct grc_unwire *unwire, struct grc_call *call, enum grc_ask *ret_ask);

void grc_answer_write(struct grc_wire *wire, const struct grc_call *call, enum gr_err err);
/* Puts the answer into the call. The payload must live as long as the call's memory. Returns what
 * the function returned, or GR_ERR_UPSTREAM_BROKEN when the payload is malformed. */
enum gr_err grc_answer_read(struct grc_unwire *unwire, struct grc_call *call);
