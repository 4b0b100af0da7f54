/* Handles room.adjust and edition.commit: the event service cut the event room to the recording. */
#include "base/json.h"
#include "class_snapshot.h"
#include "handlers.h"
#include "segments.h"
#include "tasks.h"

#define RESULT_ROWS                                                                                \
    GR_FIELD("status", GR_STRING, "Result of the operation", .flags = GR_FIELD_REQUIRED,           \
             .values = GR_LIST("success", "error", "failure")),                                    \
        GR_FIELD("modified_segments", GR_ARRAY, "Segments of the modified room",                   \
                 .items = GR_ITEM(GR_ARRAY))

const struct gr_field mini_adjust_payload[] = {
    RESULT_ROWS,
    GR_FIELD("room_id", GR_STRING, "ID of the event room", .flags = GR_FIELD_REQUIRED),
    GR_FIELD("original_room_id", GR_STRING, "ID of its copy", .when = GR_WHEN("status", "success")),
    GR_FIELD("modified_room_id", GR_STRING, "ID of its cut copy",
             .when = GR_WHEN("status", "success")),
    GR_FIELD("cut_original_segments", GR_ARRAY, "Segments of the host's stream that remain",
             .items = GR_ITEM(GR_ARRAY), .when = GR_WHEN("status", "success")),
    GR_END,
};
const struct gr_field mini_edition_payload[] = {
    RESULT_ROWS,
    GR_FIELD("source_room_id", GR_STRING, "ID of the original room",
             .when = GR_WHEN("status", "success")),
    GR_FIELD("committed_room_id", GR_STRING, "ID of its edited copy",
             .when = GR_WHEN("status", "success")),
    GR_END,
};

struct adjustment {
    const char *class_id;
    enum mini_message message;
    const char *original_room;
    const char *modified_room;
    const char *host_segments; /* JSON text */
    const char *host;
    enum mini_decision decision;
};

static bool same_text(const char *a, const char *b)
{
    return a && b && strcmp(a, b) == 0;
}

static enum mini_decision decide(const struct adjustment *a, struct mini_class_snapshot *snapshot)
{
    snapshot->facts.same_rooms = same_text(snapshot->row.original_room, a->original_room) &&
                                 same_text(snapshot->row.modified_room, a->modified_room);
    return mini_decide(a->message, &snapshot->facts);
}

static enum gr_err store_adjustment(struct gr_call *call, void *arg)
{
    struct adjustment *a = arg;
    struct mini_class_snapshot snapshot = {0};
    enum gr_err err = mini_class_snapshot_lock(call, a->class_id, &snapshot);

    if (err != GR_OK)
        return err;
    a->decision = decide(a, &snapshot);
    if (a->decision != MINI_APPLY)
        return GR_OK;
    const struct mini_recording *own = mini_recording_of_host(&snapshot.recordings, a->host);
    err = mini_class_set_rooms(call, a->class_id, a->original_room, a->modified_room);
    for (size_t i = 0; i < snapshot.recordings.count && err == GR_OK; i++) {
        const struct mini_recording *rec = &snapshot.recordings.list[i];

        err = mini_recording_adjusted(call, rec->id, snapshot.now_ms,
                                      rec == own ? a->host_segments : NULL);
    }
    return err;
}

/* Decides twice: before it asks the event service for the host, and again in the transaction that
 * locks the class, because the class may have changed in between. */
static enum gr_err adjust(struct gr_call *call, const struct mini_delivery *delivery,
                          struct adjustment *a)
{
    struct mini_class_snapshot snapshot = {0};
    enum gr_err err = mini_class_snapshot_load(call, a->class_id, &snapshot);

    if (err != GR_OK)
        return mini_flow_store(call, delivery, err);
    a->decision = decide(a, &snapshot);
    if (a->decision == MINI_REFUSE)
        return mini_flow_fail(call, delivery, "the class has no recordings yet");
    if (a->decision == MINI_IGNORE)
        return GR_OK;
    if (!mini_find_host(call, &snapshot.row, a->modified_room, &a->host))
        return mini_flow_fail(call, delivery, "the event service did not return the host");
    if (!a->host) {
        gr_log(call, GR_LOG_WARN, "class %s: no host is known, so it is not adjusted", a->class_id);
        return GR_OK;
    }
    err = gr_store_tx(call, store_adjustment, a);
    if (err != GR_OK)
        return mini_flow_store(call, delivery, err);
    if (a->decision != MINI_APPLY)
        return GR_OK;
    const char *reason = mini_transcode_start(call, delivery, a->class_id, a->host, "normal");
    return reason ? mini_flow_fail(call, delivery, reason) : GR_OK;
}

enum gr_err mini_on_adjust(struct gr_call *call, const struct mini_delivery *delivery)
{
    const json_t *payload = delivery->payload;
    const json_t *segments = json_object_get(payload, "cut_original_segments");
    struct mini_class row;

    if (strcmp(mini_json_member(payload, "status"), "success") != 0)
        return mini_flow_fail(call, delivery, "the event service could not adjust the room");
    if (!mini_segments_valid(segments))
        return mini_fail(call, MINI_BAD_PAYLOAD,
                         "cut_original_segments: expected [[start, end], …]");
    enum gr_err err = mini_flow_class(call, delivery, MINI_BY_EVENT_ROOM,
                                      mini_json_member(payload, "room_id"), &row);
    if (err == GR_ERR_NOT_FOUND)
        return mini_flow_fail(call, delivery, "no class has this room");
    if (err != GR_OK)
        return err;
    struct adjustment a = {.class_id = row.id,
                           .message = MINI_ROOM_ADJUST,
                           .original_room = mini_json_member(payload, "original_room_id"),
                           .modified_room = mini_json_member(payload, "modified_room_id"),
                           .host_segments = gr_json_text(call, segments).ptr};
    return adjust(call, delivery, &a);
}

enum gr_err mini_on_edition(struct gr_call *call, const struct mini_delivery *delivery)
{
    const json_t *payload = delivery->payload;
    struct mini_class row;

    if (strcmp(mini_json_member(payload, "status"), "success") != 0)
        return mini_flow_fail(call, delivery, "the event service could not commit the edition");
    enum gr_err err = mini_flow_class(call, delivery, MINI_BY_ORIGINAL_ROOM,
                                      mini_json_member(payload, "source_room_id"), &row);
    if (err == GR_ERR_NOT_FOUND)
        return mini_flow_fail(call, delivery, "no class has this room");
    if (err != GR_OK)
        return err;
    struct adjustment a = {.class_id = row.id,
                           .message = MINI_EDITION_COMMIT,
                           .original_room = mini_json_member(payload, "source_room_id"),
                           .modified_room = mini_json_member(payload, "committed_room_id"),
                           .host_segments = "[]"};
    return adjust(call, delivery, &a);
}
