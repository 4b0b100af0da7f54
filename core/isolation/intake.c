/* What comes from the process of an isolated group: frames are read and handled. */
#include "isolation/internal.h"
#include "metrics/metrics.h"
#include "runtime/runtime.h"
#include "trace/tracer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* Takes the payload over. */
static void take_answer(struct grc_isolated *group, const struct grc_frame *head, char *payload)
{
    size_t index = head->id % GRC_SLOTS_MAX;
    struct grc_slot *slot = index < group->slot_count ? &group->slots[index] : NULL;

    pthread_mutex_lock(&group->lock);
    if (!slot || slot->state != GRC_SLOT_ASKED || grc_slot_id(group, slot) != head->id) {
        free(payload);
    } else if (slot->abandoned) {
        free(payload);
        grc_slot_leave(group, slot);
    } else {
        slot->answer = payload;
        slot->answer_len = head->size;
        slot->state = GRC_SLOT_ANSWERED;
        (void)grc_queue_wake(&slot->waiter);
    }
    pthread_mutex_unlock(&group->lock);
}

static bool take_count(struct grc_isolated *group, struct grc_unwire *unwire)
{
    enum grc_count count = (enum grc_count)grc_unwire_int(unwire);
    const char *name = grc_unwire_text(unwire).ptr;
    const char *label = grc_unwire_text(unwire).ptr;
    int64_t first = grc_unwire_int(unwire);
    int64_t second = grc_unwire_int(unwire);
    int64_t third = grc_unwire_int(unwire);

    if (unwire->broken || !name)
        return false;
    switch (count) {
    case GRC_COUNT_PLUGIN:
        grc_metrics_plugin_add(group->plugin->self.name, group->plugin->desc->metrics, name, label,
                               first);
        grc_gauges_note(&group->gauges, group->plugin, name, label, first);
        return true;
    case GRC_COUNT_EXCHANGE:
        grc_metrics_exchange(grc_metrics_upstream(name), (enum gr_err)first, (int)second, third);
        return true;
    case GRC_COUNT_EVENT:
        grc_metrics_upstream_event(grc_metrics_upstream(name), (enum grc_upstream_event)first);
        return true;
    }
    return false;
}

/* A process is not trusted: a text that is not JSON would make a whole batch invalid. */
static bool take_spans(const struct grc_isolated *group, struct grc_unwire *unwire)
{
    struct grc_tracer *tracer = group->plugin->runtime->tracer;
    size_t count = grc_unwire_count(unwire, GRC_TRACE_SPANS_MAX);
    gr_str text = grc_unwire_text(unwire);

    if (unwire->broken || !tracer)
        return false;
    struct grc_spans *spans = grc_spans_read((unsigned)count, text);
    if (spans)
        grc_tracer_put(tracer, spans);
    else
        grc_spans_count(GRC_SPANS_DROPPED, count);
    return true;
}

static bool take_write(const struct grc_isolated *group, struct grc_unwire *unwire)
{
    const char *name = grc_unwire_text(unwire).ptr;
    gr_str target = grc_unwire_text(unwire);

    if (unwire->broken || !name || !target.ptr)
        return false;
    grc_upstreams_wrote(group->plugin->runtime->upstreams, name, target);
    return true;
}

/* Keeps the texts of the first process: those of later ones are the same. */
static void keep_rendered(struct grc_isolated *group, struct grc_unwire *unwire)
{
    size_t count = grc_unwire_count(unwire, GRC_RENDERED_MAX);

    for (size_t i = 0; i < count && !unwire->broken; i++) {
        int64_t number = -grc_unwire_int(unwire);
        gr_str text = grc_unwire_text(unwire);

        if (!text.ptr || number <= 0 || (uint64_t)number >= GRC_RENDERED_MAX ||
            group->rendered[number].ptr)
            continue;
        char *copy = strndup(text.ptr, text.len);
        if (copy)
            group->rendered[number] = (gr_str){copy, text.len};
    }
}

static bool take_ready(struct grc_isolated *group, struct grc_unwire *unwire)
{
    int64_t routes = grc_unwire_int(unwire);

    pthread_mutex_lock(&group->lock);
    keep_rendered(group, unwire);
    bool fine = !unwire->broken && routes == (int64_t)group->plugin->route_count && !group->up;
    group->up = fine;
    if (fine && group->quiet)
        grc_isolated_tell(group, GRC_FRAME_QUIET);
    pthread_cond_broadcast(&group->changed);
    pthread_mutex_unlock(&group->lock);
    atomic_fetch_add(&group->tally->up, fine ? 1 : 0);
    return fine;
}

/* own is the payload if it is malloc'ed and can be kept, else NULL. Returns false when the frame is
 * malformed. */
static bool take_frame(struct grc_isolated *group, const struct grc_frame *head, const char *bytes,
                       char *own)
{
    struct grc_unwire unwire = {.at = bytes, .end = bytes + head->size};
    bool fine = false;

    if (head->kind == GRC_FRAME_ANSWER) {
        if (!own)
            own = malloc(head->size + 1u);
        if (!own)
            return false; /* its call would wait for ever */
        if (own != bytes)
            memcpy(own, bytes, head->size);
        take_answer(group, head, own);
        return true;
    }
    if (head->kind == GRC_FRAME_COUNT)
        fine = take_count(group, &unwire);
    else if (head->kind == GRC_FRAME_SPANS)
        fine = take_spans(group, &unwire);
    else if (head->kind == GRC_FRAME_WROTE)
        fine = take_write(group, &unwire);
    else if (head->kind == GRC_FRAME_READY)
        fine = take_ready(group, &unwire);
    free(own);
    return fine;
}

/* --- reading --- */

/* Begins a frame that does not fit into the intake. */
static bool begin_large(struct grc_intake *in, size_t at, const struct grc_frame *head)
{
    in->head = *head;
    in->got = in->have - at - sizeof(*head);
    in->payload = malloc(head->size);
    if (!in->payload)
        return false;
    memcpy(in->payload, in->bytes + at + sizeof(*head), in->got);
    in->have = 0;
    return true;
}

/* Handles all complete frames of the intake. */
static bool take_frames(struct grc_isolated *group)
{
    struct grc_intake *in = &group->intake;
    struct grc_frame head;
    size_t at = 0;

    while (in->have - at >= sizeof(head)) {
        memcpy(&head, in->bytes + at, sizeof(head));
        if (head.size > GRC_FRAME_MAX_BYTES)
            return false;
        if (in->have - at < sizeof(head) + head.size) {
            if (sizeof(head) + head.size > sizeof(in->bytes))
                return begin_large(in, at, &head);
            break;
        }
        if (!take_frame(group, &head, in->bytes + at + sizeof(head), NULL))
            return false;
        at += sizeof(head) + head.size;
    }
    memmove(in->bytes, in->bytes + at, in->have - at);
    in->have -= at;
    return true;
}

static bool end_large(struct grc_isolated *group)
{
    struct grc_intake *in = &group->intake;
    char *payload = in->payload;

    in->payload = NULL;
    return take_frame(group, &in->head, payload, payload);
}

bool grc_isolated_take_in(struct grc_isolated *group)
{
    struct grc_intake *in = &group->intake;

    for (;;) {
        bool large = in->payload != NULL;
        char *into = large ? in->payload + in->got : in->bytes + in->have;
        size_t room = large ? in->head.size - in->got : sizeof(in->bytes) - in->have;
        ssize_t got = recv(group->process.socket, into, room, 0);

        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return got < 0 && errno == EAGAIN;
        if (large)
            in->got += (size_t)got;
        else
            in->have += (size_t)got;
        if (large && in->got == in->head.size && !end_large(group))
            return false;
        if (!large && !take_frames(group))
            return false;
        if ((size_t)got < room)
            return true;
    }
}
