/* Handles room.close, room.upload and room.dump_events. */
#include "base/ids.h"
#include "base/json.h"
#include "base/state.h"
#include "class_snapshot.h"
#include "handlers.h"
#include "segments.h"
#include "service/outbox.h"
#include "tasks.h"

/* --- room.close --- */

const struct gr_field mini_close_payload[] = {
    GR_FIELD("id", GR_STRING, "ID of the closed room", .flags = GR_FIELD_REQUIRED),
    GR_FIELD("timed_out", GR_BOOL,
             "Whether the room was closed because the host was absent for too long"),
    GR_END,
};

struct closing {
    const char *class_id;
    bool timed_out;
};

static enum gr_err close_class(struct gr_call *call, void *arg)
{
    const struct closing *closing = arg;
    struct mini_class_snapshot snapshot = {0};
    enum gr_err err = mini_class_snapshot_lock(call, closing->class_id, &snapshot);

    if (err != GR_OK || mini_decide(MINI_ROOM_CLOSE, &snapshot.facts) != MINI_APPLY)
        return err;
    err = mini_class_stop(call, &snapshot.row, snapshot.now_ms, closing->timed_out);
    if (err != GR_OK)
        return err;
    return mini_outbox_notify(call, &snapshot.row, "minigroup.stop", -1);
}

/* The sender of the message determines the kind of room. For an unknown sender both are tried. */
static enum gr_err class_of_source(struct gr_call *call, const struct mini_delivery *delivery,
                                   const char *room, struct mini_class *ret_class)
{
    enum gr_err err = GR_ERR_NOT_FOUND;
    bool is_event = gr_str_eq(delivery->source, GR_STR("event"));
    bool is_conference = gr_str_eq(delivery->source, GR_STR("conference"));

    if (!is_event)
        err = mini_flow_class(call, delivery, MINI_BY_CONFERENCE_ROOM, room, ret_class);
    if (err == GR_ERR_NOT_FOUND && !is_conference)
        err = mini_flow_class(call, delivery, MINI_BY_EVENT_ROOM, room, ret_class);
    return err;
}

enum gr_err mini_on_close(struct gr_call *call, const struct mini_delivery *delivery)
{
    const char *room = json_string_value(json_object_get(delivery->payload, "id"));
    struct mini_class row;
    enum gr_err err = class_of_source(call, delivery, room, &row);

    if (err == GR_ERR_NOT_FOUND)
        return mini_flow_fail(call, delivery, "no class has this room");
    if (err != GR_OK)
        return err;
    struct closing closing = {row.id,
                              json_is_true(json_object_get(delivery->payload, "timed_out"))};
    return mini_flow_store(call, delivery, gr_store_tx(call, close_class, &closing));
}

/* --- room.upload --- */

static const struct gr_field rtc_payload[] = {
    GR_FIELD("id", GR_STRING, "ID of the stream", .flags = GR_FIELD_REQUIRED),
    GR_FIELD("status", GR_STRING, "`ready` when the stream was stored", .flags = GR_FIELD_REQUIRED),
    GR_FIELD("uri", GR_STRING, "URI of the stored stream"),
    GR_FIELD("created_by", GR_STRING, "Agent id of the participant", .flags = GR_FIELD_REQUIRED),
    GR_FIELD("mjr_dumps_uris", GR_ARRAY, "Raw dumps to convert", .items = GR_ITEM(GR_STRING)),
    GR_FIELD("started_at", GR_INT, "Unix ms; with `segments` the stream needs no conversion"),
    GR_FIELD("segments", GR_ARRAY, "Segments of the stream in ms", .items = GR_ITEM(GR_ARRAY)),
    GR_END,
};
const struct gr_field mini_upload_payload[] = {
    GR_FIELD("id", GR_STRING, "ID of the conference room", .flags = GR_FIELD_REQUIRED),
    GR_FIELD("rtcs", GR_ARRAY, "Streams of the room", .flags = GR_FIELD_REQUIRED,
             .items = GR_ITEM(GR_OBJECT, .fields = rtc_payload)),
    GR_END,
};

struct upload {
    const struct mini_class *row;
    const json_t *rtcs;
    struct mini_task *tasks; /* one slot per stream */
    size_t task_count;
};

/* A stream with a URI, a start and segments needs no conversion. */
static bool is_converted(const json_t *rtc)
{
    return mini_segments_start_valid(json_object_get(rtc, "started_at")) &&
           mini_segments_valid(json_object_get(rtc, "segments")) && mini_json_member(rtc, "uri");
}

static const char *unusable(const json_t *rtcs)
{
    char id[MINI_UUID_SIZE];

    if (json_array_size(rtcs) == 0)
        return "no streams";
    for (size_t i = 0; i < json_array_size(rtcs); i++) {
        const json_t *rtc = json_array_get(rtcs, i);

        if (strcmp(mini_json_member(rtc, "status"), "ready") != 0)
            return "a stream is missing";
        if (!mini_uuid_parse(gr_str_of(mini_json_member(rtc, "id")), id))
            return "a stream's id is not a UUID";
        if (!is_converted(rtc) && !(mini_json_member(rtc, "uri") &&
                                    json_array_size(json_object_get(rtc, "mjr_dumps_uris"))))
            return "a stream has neither dumps nor segments";
    }
    return NULL;
}

static enum gr_err put_stream(struct gr_call *call, struct upload *upload, const json_t *rtc,
                              int64_t created_ms)
{
    bool converted = is_converted(rtc);
    char id[MINI_UUID_SIZE];
    bool fresh = false;

    (void)mini_uuid_parse(gr_str_of(mini_json_member(rtc, "id")), id);
    struct mini_recording stream = {.rtc_id = gr_copy(call, gr_str_of(id)),
                                    .created_by = mini_json_member(rtc, "created_by"),
                                    .created_ms = created_ms};
    if (converted) {
        stream.stream_uri = mini_json_member(rtc, "uri");
        stream.segments = gr_json_text(call, json_object_get(rtc, "segments")).ptr;
        stream.started_ms =
            (struct mini_num){true, json_integer_value(json_object_get(rtc, "started_at"))};
    }
    if (!stream.rtc_id || (converted && !stream.segments))
        return GR_ERR_NO_MEMORY;
    enum gr_err err = mini_recording_put(call, upload->row->id, &stream, &fresh);
    if (err != GR_OK || !fresh || converted || !mini_state_of(call)->has_tq)
        return err;
    return mini_task_convert(call, upload->row, &stream, rtc, &upload->tasks[upload->task_count++]);
}

static enum gr_err put_streams(struct gr_call *call, void *arg)
{
    struct upload *upload = arg;
    struct mini_class_snapshot snapshot = {0};
    enum gr_err err = mini_class_snapshot_lock(call, upload->row->id, &snapshot);

    upload->task_count = 0; /* the transaction may run again */
    /* Each stream gets a later time than the one before, because the status of the class depends on
     * which recording is the first. */
    for (size_t i = 0; i < json_array_size(upload->rtcs) && err == GR_OK; i++)
        err =
            put_stream(call, upload, json_array_get(upload->rtcs, i), snapshot.now_ms + (int64_t)i);
    return err;
}

enum gr_err mini_on_upload(struct gr_call *call, const struct mini_delivery *delivery)
{
    struct upload upload = {.rtcs = json_object_get(delivery->payload, "rtcs")};
    struct mini_class row;
    const char *reason = unusable(upload.rtcs);
    enum gr_err err = mini_flow_class(call, delivery, MINI_BY_CONFERENCE_ROOM,
                                      mini_json_member(delivery->payload, "id"), &row);

    if (err == GR_ERR_NOT_FOUND)
        return GR_OK; /* the class was recreated and has other rooms */
    if (err != GR_OK)
        return err;
    if (reason)
        return mini_flow_fail(call, delivery, reason);
    upload.row = &row;
    upload.tasks = gr_alloc(call, json_array_size(upload.rtcs) * sizeof(*upload.tasks));
    if (!upload.tasks)
        return mini_flow_fail(call, delivery, "too many streams");
    err = gr_store_tx(call, put_streams, &upload);
    if (err != GR_OK)
        return mini_flow_store(call, delivery, err);
    for (size_t i = 0; i < upload.task_count; i++)
        mini_task_send(call, &upload.tasks[i]);
    if (!mini_state_of(call)->has_tq)
        gr_log(
            call, GR_LOG_INFO,
            "class %s: its streams are not converted, because no transcoding queue is configured",
            row.id);
    return mini_adjust_when_ready(call, delivery, row.id);
}

/* --- room.dump_events --- */

static const struct gr_field dump_result[] = {
    GR_FIELD("room_id", GR_STRING, "ID of the room"),
    GR_FIELD("s3_uri", GR_STRING, "URI of the written events"),
    GR_END,
};
const struct gr_field mini_dump_payload[] = {
    GR_FIELD("status", GR_STRING, "Result of the operation", .flags = GR_FIELD_REQUIRED,
             .values = GR_LIST("success", "error", "failure")),
    GR_FIELD("result", GR_OBJECT, "The room and its events", .flags = GR_FIELD_REQUIRED,
             .fields = dump_result),
    GR_END,
};

enum gr_err mini_on_dump(struct gr_call *call, const struct mini_delivery *delivery)
{
    const json_t *result = json_object_get(delivery->payload, "result");
    const char *room = mini_json_member(result, "room_id");
    const char *uri = mini_json_member(result, "s3_uri");
    struct mini_class row;

    if (strcmp(mini_json_member(delivery->payload, "status"), "success") != 0)
        return mini_flow_fail(call, delivery, "the event service could not dump the events");
    if (!room || !uri)
        return mini_fail(call, MINI_BAD_PAYLOAD, "result: expected room_id and s3_uri");
    enum gr_err err = mini_flow_class(call, delivery, MINI_BY_MODIFIED_ROOM, room, &row);
    if (err == GR_ERR_NOT_FOUND)
        return GR_OK;
    if (err != GR_OK)
        return err;
    return mini_flow_store(call, delivery, mini_class_set_dump(call, row.id, uri));
}
