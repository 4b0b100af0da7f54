/*
 * A local event service: the part of its HTTP API that minigroups needs. Rooms and events are in
 * memory. POST /sandbox/rooms/{room_id}/adjust completes the requested adjustment and dump.
 */
#include "services.h"

#define EVENT_DATA_MAX (100 * 1024)
#define PAGE_MAX 100

static int64_t now_s(struct gr_call *call)
{
    return gr_now_ms(call->host) / 1000;
}

static enum gr_err room_closed(struct gr_call *call)
{
    return svc_fail(call, 404, "room_closed", "Room closed");
}

static enum gr_err bad_time(struct gr_call *call)
{
    return svc_fail(call, 400, "invalid_room_time", "Invalid room time");
}

/* --- rooms --- */

static enum gr_err create_room(struct gr_call *call)
{
    const json_t *body = gr_json(call);
    struct svc_state *state = svc_state_of(call);

    if (!svc_time_valid(json_object_get(body, "time")))
        return bad_time(call);
    json_t *room = svc_room_new(call, body);
    json_object_set_new(room, "kind", json_deep_copy(json_object_get(body, "kind")));
    json_object_set_new(room, "preserve_history",
                        json_boolean(!json_is_false(json_object_get(body, "preserve_history"))));
    json_object_set_new(room, "locked_types", json_object());
    json_object_set_new(room, "whiteboard_access", json_object());
    json_t *answer = json_deep_copy(room);
    pthread_mutex_lock(&state->lock);
    json_object_set_new(state->extra, svc_member(room, "id"), json_array());
    json_object_set_new(state->rooms, svc_member(room, "id"), room);
    pthread_mutex_unlock(&state->lock);
    return gr_reply_json(call, 201, answer);
}

static enum gr_err update_room(struct gr_call *call)
{
    const json_t *time = json_object_get(gr_json(call), "time");
    json_t *answer = NULL;
    bool closed = false;

    if (time && !svc_time_valid(time))
        return bad_time(call);
    json_t *room = svc_lock_room(call);
    if (room) {
        closed = svc_is_closed(room, now_s(call));
        if (!closed && time) {
            json_t *pair = json_deep_copy(time);

            /* The start of an open room cannot be changed. */
            if (svc_is_open(room, now_s(call)))
                json_array_set(pair, 0, json_array_get(json_object_get(room, "time"), 0));
            json_object_set_new(room, "time", pair);
        }
        answer = json_deep_copy(room);
    }
    svc_unlock(call);
    if (!answer)
        return svc_no_room(call);
    if (!closed)
        return gr_reply_json(call, 200, answer);
    json_decref(answer);
    return room_closed(call);
}

static enum gr_err lock_types(struct gr_call *call)
{
    json_t *types = json_deep_copy(json_object_get(gr_json(call), "locked_types"));
    json_t *room = svc_lock_room(call);
    json_t *answer = NULL;

    if (room && json_object_update(json_object_get(room, "locked_types"), types) == 0)
        answer = json_deep_copy(room);
    svc_unlock(call);
    json_decref(types);
    return answer ? gr_reply_json(call, 200, answer) : svc_no_room(call);
}

/* --- events --- */

/* Returns the time of a new event in ns since the start of the room. It is later than those of all
 * stored events, because the time is also the cursor of the list. */
static json_int_t next_time(const json_t *room, const json_t *kept, int64_t now_ms)
{
    const json_t *start = json_array_get(json_object_get(room, "time"), 0);
    json_int_t at = (now_ms - json_integer_value(start) * 1000) * 1000000;
    const json_t *last =
        json_array_size(kept) ? json_array_get(kept, json_array_size(kept) - 1) : NULL;
    json_int_t before = json_integer_value(json_object_get(last, "occurred_at"));

    return last && at <= before ? before + 1 : at;
}

static json_t *make_event(struct gr_call *call, const json_t *room, const json_t *kept)
{
    const json_t *body = gr_json(call);
    gr_str label = gr_header(call, "X-Agent-Label");
    gr_str account = gr_caller(call);
    int64_t now = gr_now_ms(call->host);
    json_int_t at = next_time(room, kept, now);
    char id[37];

    gr_uuid(call->host, id);
    if (label.len == 0)
        label = GR_STR("http");
    const char *author =
        gr_format(call, "%.*s.%.*s", (int)label.len, label.ptr, (int)account.len, account.ptr);
    const char *type = svc_member(body, "type");
    const char *set = svc_member(body, "set");
    return json_pack("{s:s, s:s, s:s, s:s, s:s*, s:s*, s:o, s:I, s:I, s:s, s:I, s:b}", "id", id,
                     "room_id", svc_member(room, "id"), "type", type, "set", set ? set : type,
                     "label", svc_member(body, "label"), "attribute", svc_member(body, "attribute"),
                     "data", json_deep_copy(json_object_get(body, "data")), "occurred_at", at,
                     "original_occurred_at", at, "created_by", author ? author : "", "created_at",
                     (json_int_t)now, "removed", json_is_true(json_object_get(body, "removed")));
}

static enum gr_err create_event(struct gr_call *call)
{
    const json_t *data = json_object_get(gr_json(call), "data");
    struct svc_state *state = svc_state_of(call);
    json_t *event = NULL;
    bool open = false;

    if (!data)
        return svc_fail(call, 400, "invalid_payload", "Invalid payload");
    if (json_dumpb(data, NULL, 0, JSON_COMPACT | JSON_ENCODE_ANY) >= EVENT_DATA_MAX)
        return svc_fail(call, 422, "payload_size_exceeded", "Payload size exceeded");
    const json_t *room = svc_lock_room(call);
    if (room) {
        json_t *kept = json_object_get(state->extra, svc_member(room, "id"));

        open = svc_is_open(room, now_s(call));
        event = open ? make_event(call, room, kept) : NULL;
        if (event && !json_is_false(json_object_get(gr_json(call), "is_persistent")))
            json_array_append(kept, event);
    }
    svc_unlock(call);
    if (event)
        return gr_reply_json(call, 201, event);
    return room ? room_closed(call) : svc_no_room(call);
}

static json_int_t query_number(struct gr_call *call, const char *name, json_int_t fallback)
{
    gr_str text = gr_query(call, name);
    json_int_t value = 0;

    if (text.len == 0 || text.len > 18)
        return fallback;
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9')
            return fallback;
        value = value * 10 + (text.ptr[i] - '0');
    }
    return value;
}

static enum gr_err list_events(struct gr_call *call)
{
    json_int_t after = query_number(call, "last_occurred_at", -1);
    json_int_t limit = query_number(call, "limit", PAGE_MAX);
    gr_str type = gr_query(call, "type");
    struct svc_state *state = svc_state_of(call);
    json_t *answer = json_array();
    const json_t *room = svc_lock_room(call);
    const json_t *events = room ? json_object_get(state->extra, svc_member(room, "id")) : NULL;

    for (size_t i = 0; i < json_array_size(events); i++) {
        const json_t *event = json_array_get(events, i);

        if ((json_int_t)json_array_size(answer) >= limit || json_array_size(answer) >= PAGE_MAX)
            break;
        if (type.len && !gr_str_eq(type, gr_str_of(svc_member(event, "type"))))
            continue;
        if (json_integer_value(json_object_get(event, "occurred_at")) > after)
            json_array_append_new(answer, json_deep_copy(event));
    }
    svc_unlock(call);
    if (room)
        return gr_reply_json(call, 200, answer);
    json_decref(answer);
    return svc_no_room(call);
}

/* --- adjust and dump, which the route for tests completes --- */

/* Copies the room with its events under a new id. The lock is held. */
static const char *copy_room(struct gr_call *call, const json_t *room)
{
    struct svc_state *state = svc_state_of(call);
    json_t *copy = json_deep_copy(room);
    json_t *events = json_deep_copy(json_object_get(state->extra, svc_member(room, "id")));
    char id[37];

    gr_uuid(call->host, id);
    json_object_set_new(copy, "id", json_string(id));
    json_object_del(copy, "adjusting");
    json_object_set_new(state->extra, id, events);
    json_object_set_new(state->rooms, id, copy);
    return svc_member(copy, "id");
}

static enum gr_err adjust_room(struct gr_call *call)
{
    const json_t *segments = json_object_get(gr_json(call), "segments");
    json_t *room = svc_lock_room(call);

    if (room) {
        json_t *result = json_pack(
            "{s:s, s:s, s:o, s:o, s:o}", "room_id", svc_member(room, "id"), "status", "success",
            "tags", json_deep_copy(json_object_get(room, "tags")), "modified_segments",
            json_deep_copy(segments), "cut_original_segments", json_deep_copy(segments));

        json_object_set_new(result, "original_room_id", json_string(copy_room(call, room)));
        json_object_set_new(result, "modified_room_id", json_string(copy_room(call, room)));
        json_object_set_new(room, "adjusting", result);
    }
    svc_unlock(call);
    return room ? gr_reply_json(call, 202, json_object()) : svc_no_room(call);
}

static enum gr_err dump_events(struct gr_call *call)
{
    json_t *room = svc_lock_room(call);

    if (room)
        json_object_set_new(room, "dumping", json_true());
    svc_unlock(call);
    return room ? gr_reply_json(call, 202, json_object()) : svc_no_room(call);
}

/* Returns the message room.dump_events for a requested dump; NULL when none was requested. */
static json_t *finish_dump(struct gr_call *call, const char *id)
{
    struct svc_state *state = svc_state_of(call);
    json_t *payload = NULL;

    pthread_mutex_lock(&state->lock);
    json_t *room = json_object_get(state->rooms, id);
    if (json_is_true(json_object_get(room, "dumping"))) {
        const char *uri = gr_format(call, "s3://eventsdump.minigroup.%s/%s.json",
                                    svc_member(room, "audience"), id);

        payload = json_pack("{s:s, s:o, s:{s:s, s:s}}", "status", "success", "tags",
                            json_deep_copy(json_object_get(room, "tags")), "result", "room_id", id,
                            "s3_uri", uri ? uri : "");
        json_object_del(room, "dumping");
    }
    pthread_mutex_unlock(&state->lock);
    return payload;
}

static enum gr_err finish_adjust(struct gr_call *call)
{
    json_t *room = svc_lock_room(call);
    json_t *result = room ? json_deep_copy(json_object_get(room, "adjusting")) : NULL;
    const char *audience = room ? gr_copy(call, gr_str_of(svc_member(room, "audience"))) : NULL;

    svc_unlock(call);
    if (!room)
        return svc_no_room(call);
    if (!result)
        return svc_fail(call, 409, "nothing_to_adjust",
                        "No adjustment was requested for this room");
    const char *modified = gr_copy(call, gr_str_of(svc_member(result, "modified_room_id")));
    json_t *report = json_array();
    svc_post(call, audience, "room.adjust", NULL, result, report);
    json_t *dump = finish_dump(call, modified);
    if (dump)
        svc_post(call, audience, "room.dump_events", NULL, dump, report);
    return gr_reply_json(call, 200, report);
}

/* --- tables --- */

static const struct gr_field room_body[] = {
    GR_FIELD("audience", GR_STRING, "Tenant", .flags = GR_FIELD_REQUIRED),
    GR_FIELD("time", GR_ARRAY, "Start and end in Unix seconds", .flags = GR_FIELD_REQUIRED),
    GR_FIELD("kind", GR_STRING, "Kind of class", .flags = GR_FIELD_REQUIRED),
    GR_FIELD("classroom_id", GR_STRING, "ID of the class", .flags = GR_FIELD_REQUIRED),
    GR_FIELD("preserve_history", GR_BOOL, "Whether events are stored"),
    GR_FIELD("tags", GR_ANY, "Free tags"),
    GR_END,
};
static const struct gr_field update_body[] = {
    GR_FIELD("time", GR_ARRAY, "Start and end in Unix seconds"),
    GR_FIELD("tags", GR_ANY, "Free tags"),
    GR_END,
};
static const struct gr_field locks_body[] = {
    GR_FIELD("locked_types", GR_MAP, "Types of events and whether they are locked",
             .flags = GR_FIELD_REQUIRED, .items = GR_ITEM(GR_BOOL)),
    GR_END,
};
static const struct gr_field event_body[] = {
    GR_FIELD("type", GR_STRING, "Type of the event", .flags = GR_FIELD_REQUIRED),
    GR_FIELD("set", GR_STRING, "Set of the event"),
    GR_FIELD("label", GR_STRING, "Label in the set"),
    GR_FIELD("attribute", GR_STRING, "Attribute for access control"),
    GR_FIELD("data", GR_ANY, "Data of the event"),
    GR_FIELD("is_persistent", GR_BOOL, "Whether the event is stored"),
    GR_END,
};
static const struct gr_field adjust_body[] = {
    GR_FIELD("started_at", GR_INT, "Start of the recording in Unix ms", .flags = GR_FIELD_REQUIRED),
    GR_FIELD("segments", GR_ARRAY, "Segments of the recording in ms", .flags = GR_FIELD_REQUIRED,
             .items = GR_ITEM(GR_ARRAY)),
    GR_FIELD("offset", GR_INT, "Length of the preroll in ms", .flags = GR_FIELD_REQUIRED),
    GR_END,
};
static const struct gr_field list_query[] = {
    GR_FIELD("type", GR_STRING, "Only events of this type"),
    GR_FIELD("limit", GR_INT, "Maximum number of events in the answer", .range = GR_MIN(1)),
    GR_FIELD("last_occurred_at", GR_INT, "Only events after this time"),
    GR_END,
};

#define BODY(rows_) GR_BODY(GR_OBJECT, .fields = (rows_), .flags = GR_FIELD_REQUIRED)
#define SERVICE .access = GR_ACCESS_GROUP

static const struct gr_route routes[] = {
    GR_POST("/api/v1/rooms", "sandbox_event.create_room", "Create an event room", SERVICE,
            .body = BODY(room_body), .handle = create_room),
    GR_GET("/api/v1/rooms/{room_id}", "sandbox_event.svc_read_room", "Read an event room", SERVICE,
           .handle = svc_read_room),
    GR_PATCH("/api/v1/rooms/{room_id}", "sandbox_event.update_room", "Change an event room",
             SERVICE, .body = BODY(update_body), .handle = update_room),
    GR_POST("/api/v1/rooms/{room_id}/locked_types", "sandbox_event.lock_types",
            "Lock types of events", SERVICE, .body = BODY(locks_body), .handle = lock_types),
    GR_POST("/api/v1/rooms/{room_id}/events", "sandbox_event.create_event", "Create an event",
            SERVICE, .body = BODY(event_body), .handle = create_event),
    GR_GET("/api/v1/rooms/{room_id}/events", "sandbox_event.list_events", "List events", SERVICE,
           .query = list_query, .handle = list_events),
    GR_POST("/api/v1/rooms/{room_id}/adjust", "sandbox_event.adjust_room",
            "Request to cut a room to a recording", SERVICE, .body = BODY(adjust_body),
            .handle = adjust_room),
    GR_POST("/api/v1/rooms/{room_id}/dump_events", "sandbox_event.dump_events",
            "Request to write a room's events to the storage", SERVICE, .handle = dump_events),
    GR_POST("/sandbox/rooms/{room_id}/adjust", "sandbox_event.finish_adjust",
            "Complete the adjustment and the dump, and notify the gateway",
            .access = GR_ACCESS_OPEN, .handle = finish_adjust),
    GR_END,
};

static const struct gr_option options[] = {
    SVC_OPTION_ROWS("event.svc.example.org"),
    GR_END,
};

GR_PLUGIN("sandbox_event", .version = "1.0.0",
          .summary = "Sandbox: a local event service for minigroups", .licence = "MIT",
          .routes = routes, .options = options, .options_size = sizeof(struct svc_options),
          .render_error = svc_render_error, .error_body = svc_error_body,
          .authenticate = svc_authenticate, .init = svc_init, .fini = svc_fini)
