/* Handles task.complete of convert and transcode tasks. */
#include "base/json.h"
#include "class_snapshot.h"
#include "handlers.h"
#include "segments.h"
#include "service/outbox.h"
#include "tasks.h"

#include <math.h>
#include <stdlib.h>

static const struct gr_field tags_payload[] = {
    GR_FIELD("conference_room_id", GR_STRING,
             "ID of the conference room, from the tags of the task"),
    GR_END,
};
const struct gr_field mini_task_payload[] = {
    GR_FIELD("tags", GR_OBJECT, "Tags of the task", .flags = GR_FIELD_REQUIRED,
             .fields = tags_payload),
    GR_FIELD("status", GR_STRING, "Result of the task", .flags = GR_FIELD_REQUIRED,
             .values = GR_LIST("success", "failure", "error")),
    GR_FIELD("template", GR_STRING, "Template of the task", .when = GR_WHEN("status", "success")),
    GR_FIELD("stream_id", GR_STRING, "ID of the stream, for a convert task"),
    GR_FIELD("stream_uri", GR_STRING, "URI of the converted stream, for a convert task"),
    GR_FIELD("segments", GR_STRING,
             "Lines of start in Unix ms, comma and seconds, for a convert task"),
    GR_FIELD("recording_duration", GR_STRING, "Duration in seconds, for a transcode task"),
    GR_END,
};

/* --- convert --- */

struct conversion {
    const char *class_id;
    const char *stream_id;
    const char *uri;
    const char *segments; /* NULL: unreadable */
    int64_t started_ms;
};

static enum gr_err store_conversion(struct gr_call *call, void *arg)
{
    const struct conversion *c = arg;
    const struct mini_recording *rec = NULL;
    struct mini_class_snapshot snapshot = {0};
    enum gr_err err = mini_class_snapshot_lock(call, c->class_id, &snapshot);

    if (err != GR_OK || mini_decide(MINI_TASK_CONVERTED, &snapshot.facts) != MINI_APPLY)
        return err;
    for (size_t i = 0; i < snapshot.recordings.count; i++) {
        if (strcmp(snapshot.recordings.list[i].rtc_id, c->stream_id) == 0)
            rec = &snapshot.recordings.list[i];
    }
    if (!rec) {
        gr_log(call, GR_LOG_INFO, "class %s has no stream %s", c->class_id, c->stream_id);
        return GR_OK;
    }
    if (!c->segments) {
        gr_log(call, GR_LOG_WARN, "stream %s is dropped, because its segments are malformed",
               c->stream_id);
        return mini_recording_delete(call, rec->id);
    }
    return mini_recording_converted(call, rec->id, c->uri, c->segments, c->started_ms);
}

static enum gr_err on_converted(struct gr_call *call, const struct mini_delivery *delivery,
                                const char *class_id)
{
    struct conversion c = {.class_id = class_id,
                           .stream_id = mini_json_member(delivery->payload, "stream_id"),
                           .uri = mini_json_member(delivery->payload, "stream_uri")};
    const char *segments = mini_json_member(delivery->payload, "segments");

    if (!c.stream_id || !c.uri || !segments)
        return mini_fail(call, MINI_BAD_PAYLOAD, "expected stream_id, stream_uri and segments");
    json_t *list = mini_segments_parse(gr_str_of(segments), &c.started_ms);
    if (list) {
        c.segments = gr_json_text(call, list).ptr;
        json_decref(list);
        if (!c.segments)
            return mini_flow_fail(call, delivery, "too many segments");
    }
    enum gr_err err = gr_store_tx(call, store_conversion, &c);
    if (err != GR_OK)
        return mini_flow_store(call, delivery, err);
    return mini_adjust_when_ready(call, delivery, class_id);
}

/* --- transcode --- */

struct transcoding {
    const char *class_id;
    int64_t duration_s;
    enum mini_decision decision;
};

static enum gr_err store_transcoding(struct gr_call *call, void *arg)
{
    struct transcoding *t = arg;
    struct mini_class_snapshot snapshot = {0};
    enum gr_err err = mini_class_snapshot_lock(call, t->class_id, &snapshot);

    if (err != GR_OK)
        return err;
    t->decision = mini_decide(MINI_TASK_TRANSCODED, &snapshot.facts);
    if (t->decision != MINI_APPLY)
        return GR_OK;
    err = mini_recordings_transcoded(call, t->class_id, snapshot.now_ms);
    if (err == GR_OK)
        err = mini_class_set_transcoding(call, t->class_id, 0);
    if (err == GR_OK)
        err = mini_outbox_notify(call, &snapshot.row, "minigroup.ready", t->duration_s);
    return err;
}

static enum gr_err on_transcoded(struct gr_call *call, const struct mini_delivery *delivery,
                                 const char *class_id)
{
    const char *text = mini_json_member(delivery->payload, "recording_duration");
    char *end = NULL;
    double duration = text ? strtod(text, &end) : -1;

    if (!text || end == text || *end || !(duration >= 0 && duration <= 1e9))
        return mini_fail(call, MINI_BAD_PAYLOAD,
                         "recording_duration: expected a number of seconds");
    struct transcoding t = {.class_id = class_id, .duration_s = llround(duration)};
    enum gr_err err = gr_store_tx(call, store_transcoding, &t);
    if (err != GR_OK)
        return mini_flow_store(call, delivery, err);
    return t.decision == MINI_REFUSE ? mini_flow_fail(call, delivery, "the class has no recordings")
                                     : GR_OK;
}

enum gr_err mini_on_task(struct gr_call *call, const struct mini_delivery *delivery)
{
    const char *room =
        mini_json_member(json_object_get(delivery->payload, "tags"), "conference_room_id");
    const char *template = mini_json_member(delivery->payload, "template");
    struct mini_class row;

    if (!room)
        return mini_flow_fail(call, delivery, "the tags of the task have no conference room");
    enum gr_err err = mini_flow_class(call, delivery, MINI_BY_CONFERENCE_ROOM, room, &row);
    if (err == GR_ERR_NOT_FOUND)
        return GR_OK;
    if (err != GR_OK)
        return err;
    if (strcmp(mini_json_member(delivery->payload, "status"), "success") != 0) {
        gr_log(call, GR_LOG_WARN, "class %s: a task of the transcoding queue failed", row.id);
        return GR_OK;
    }
    if (strcmp(template, "convert-mjr-dumps-to-stream") == 0)
        return on_converted(call, delivery, row.id);
    if (strcmp(template, "transcode-minigroup-to-hls") == 0)
        return on_transcoded(call, delivery, row.id);
    return mini_flow_fail(call, delivery, "the template of the task is not one of minigroups");
}
