/*
 * The frames on the socket between the gateway and the process of a group: each is a head and a
 * payload of integers and texts. Both sides are the same program on the same machine, so numbers
 * are in its byte order. The reader trusts no length.
 */
#pragma once

#include "base/buf.h"

enum grc_frame_kind {
    GRC_FRAME_CALL = 1, /* to the process: run one function */
    GRC_FRAME_QUIET,    /* to the process: end the timers */
    GRC_FRAME_QUIT,     /* to the process: end */
    GRC_FRAME_READY,    /* from the process, once: init and start are done */
    GRC_FRAME_ANSWER,   /* from the process: the answer to a call */
    GRC_FRAME_COUNT,    /* from the process: a count to add */
    GRC_FRAME_SPANS,    /* from the process: how many spans, and their text */
    GRC_FRAME_WROTE, /* from the process: a write to an upstream has ended; its name, the target */
};

struct grc_frame {
    uint32_t kind;
    uint32_t id; /* of the call */
    uint32_t size;
};

/* What a COUNT frame counts, and what its name, label and three numbers are. */
enum grc_count {
    GRC_COUNT_PLUGIN = 1, /* metric, label; delta */
    GRC_COUNT_EXCHANGE,   /* upstream; enum gr_err, status, microseconds */
    GRC_COUNT_EVENT,      /* upstream; enum grc_upstream_event */
};

/* Largest payload that the gateway takes from a process. */
#define GRC_FRAME_MAX_BYTES ((size_t)64 * 1024 * 1024)

/* --- writing --- */

struct grc_wire {
    struct grc_buf buf;
    enum gr_err err; /* the first failure; nothing is written after it */
};

/* Begins a frame. Release it with grc_wire_done(). */
void grc_wire_begin(struct grc_wire *wire, size_t max_bytes);
void grc_wire_int(struct grc_wire *wire, int64_t value);
/* A text whose ptr is NULL arrives with a NULL ptr. */
void grc_wire_text(struct grc_wire *wire, gr_str text);
void grc_wire_pairs(struct grc_wire *wire, const struct gr_pair *pairs, size_t count);
/* Completes the head. Returns the whole frame, which lives as long as the wire; the empty slice
 * when something failed. */
gr_str grc_wire_frame(struct grc_wire *wire, enum grc_frame_kind kind, uint32_t id);
void grc_wire_done(struct grc_wire *wire);

/* --- reading --- */

struct grc_unwire {
    const char *at;
    const char *end;
    bool broken; /* the payload ended early, or has an impossible value */
};

int64_t grc_unwire_int(struct grc_unwire *unwire);
/* Reads the number of items that follow, which take at least one byte each. */
size_t grc_unwire_count(struct grc_unwire *unwire, size_t max);
/* A slice of the payload, NUL-terminated. */
gr_str grc_unwire_text(struct grc_unwire *unwire);
/* Fills up to max pairs and returns how many there are. */
size_t grc_unwire_pairs(struct grc_unwire *unwire, struct gr_pair *pairs, size_t max);
