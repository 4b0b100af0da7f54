/*
 * A local conference service with a transcoding queue and a storage: the parts of their HTTP APIs
 * that minigroups needs. All data is in memory. POST /sandbox/rooms/{room_id}/close, /upload,
 * /convert and /transcode move a class through its lifecycle.
 */
#include "../../minigroups/base/ids.h"
#include "services.h"

#define STREAM_MS 1500000

static int64_t now_s(struct gr_call *call)
{
    return gr_now_ms(call->host) / 1000;
}

/* --- rooms --- */

static enum gr_err create_room(struct gr_call *call)
{
    const json_t *body = gr_json(call);
    const json_t *reserve = json_object_get(body, "reserve");
    const char *policy = svc_member(body, "rtc_sharing_policy");
    struct svc_state *state = svc_state_of(call);

    if (!svc_time_valid(json_object_get(body, "time")))
        return svc_fail(call, 400, "invalid_room_time", "Invalid room time");
    json_t *room = svc_room_new(call, body);
    json_object_set_new(room, "backend", json_string("none"));
    json_object_set_new(room, "reserve", reserve ? json_deep_copy(reserve) : json_null());
    json_object_set_new(room, "rtc_sharing_policy", json_string(policy ? policy : "none"));
    json_object_set_new(room, "host", json_null());
    json_object_set_new(room, "timed_out", json_false());
    json_object_set_new(room, "closed_by", json_null());
    json_t *answer = json_deep_copy(room);
    pthread_mutex_lock(&state->lock);
    json_object_set_new(state->extra, svc_member(room, "id"), json_array());
    json_object_set_new(state->rooms, svc_member(room, "id"), room);
    pthread_mutex_unlock(&state->lock);
    return gr_reply_json(call, 200, answer);
}

/* Returns the type of the error for a forbidden change; NULL when it is allowed. */
static const char *refused_change(const json_t *room, const json_t *body, int64_t now)
{
    const json_t *time = json_object_get(body, "time");
    const json_t *end = json_array_get(json_object_get(room, "time"), 1);

    if (!time)
        return NULL;
    if (!svc_time_valid(time))
        return "invalid_room_time";
    if (svc_is_closed(room, now))
        return "room_closed";
    if (json_is_integer(end) && json_is_null(json_array_get(time, 1)))
        return "room_time_changing_forbidden";
    return NULL;
}

static enum gr_err update_room(struct gr_call *call)
{
    static const char *const members[] = {"time", "reserve", "host"};
    const json_t *body = gr_json(call);
    const char *refused = NULL;
    json_t *answer = NULL;
    json_t *room = svc_lock_room(call);

    if (room) {
        refused = refused_change(room, body, now_s(call));
        for (size_t i = 0; !refused && i < sizeof(members) / sizeof(members[0]); i++) {
            const json_t *value = json_object_get(body, members[i]);

            if (value)
                json_object_set_new(room, members[i], json_deep_copy(value));
        }
        answer = json_deep_copy(room);
    }
    svc_unlock(call);
    if (!answer)
        return svc_no_room(call);
    if (!refused)
        return gr_reply_json(call, 200, answer);
    json_decref(answer);
    return svc_fail(call, strcmp(refused, "room_closed") == 0 ? 404 : 400, refused,
                    "The room does not allow this change");
}

static enum gr_err list_snapshots(struct gr_call *call)
{
    const json_t *room = svc_lock_room(call);

    svc_unlock(call);
    return room ? gr_reply_json(call, 200, json_array()) : svc_no_room(call);
}

/* --- transcoding queue and storage --- */

static enum gr_err create_task(struct gr_call *call)
{
    const json_t *body = gr_json(call);
    const char *room = svc_member(json_object_get(body, "tags"), "conference_room_id");
    struct svc_state *state = svc_state_of(call);
    gr_str id = gr_param(call, "task_id");
    json_t *task = json_deep_copy(body);
    bool known = false;

    json_object_set_new(task, "id", json_stringn(id.ptr, id.len));
    pthread_mutex_lock(&state->lock);
    json_t *tasks = room ? json_object_get(state->extra, room) : NULL;
    for (size_t i = 0; i < json_array_size(tasks) && !known; i++) {
        known = json_equal(json_object_get(json_array_get(tasks, i), "id"),
                           json_object_get(task, "id"));
        if (known)
            json_array_set(tasks, i, task);
    }
    if (tasks && !known)
        json_array_append(tasks, task);
    pthread_mutex_unlock(&state->lock);
    json_decref(task);
    return tasks ? gr_reply_json(call, 200, json_object()) : svc_no_room(call);
}

static enum gr_err read_object(struct gr_call *call)
{
    /* an ISO base media file with only its file type box */
    static const char film[] = "\0\0\0\x14"
                               "ftypisom\0\0\2\0mp41";

    return gr_reply(call, 200, "video/mp4", (gr_str){film, sizeof(film) - 1});
}

/* --- routes for tests --- */

static char *account_of(struct gr_call *call, const char *label)
{
    const char *dot = strchr(svc_state_of(call)->options->account, '.');

    return gr_format(call, "%s%s", label, dot ? dot : ".svc.example.org");
}

/* Copies the room and, unless ret_tasks is NULL, its tasks. NULL when there is no room; the call
 * has failed then. */
static json_t *take_room(struct gr_call *call, json_t **ret_tasks)
{
    const json_t *room = svc_lock_room(call);
    json_t *copy = room ? json_deep_copy(room) : NULL;

    if (copy && ret_tasks)
        *ret_tasks =
            json_deep_copy(json_object_get(svc_state_of(call)->extra, svc_member(room, "id")));
    svc_unlock(call);
    if (!copy)
        (void)svc_no_room(call);
    return copy;
}

static enum gr_err close_room(struct gr_call *call)
{
    bool timed_out = json_is_true(json_object_get(gr_json(call), "timed_out"));
    json_t *room = svc_lock_room(call);
    json_t *copy = NULL;
    json_t *report;

    if (room) {
        json_t *time = json_object_get(room, "time");
        json_int_t start = json_integer_value(json_array_get(time, 0));
        json_int_t end = (json_int_t)now_s(call);

        if (!svc_is_closed(room, end))
            json_array_set_new(time, 1, json_integer(end));
        if (start > end)
            json_array_set_new(time, 0, json_integer(end));
        json_object_set_new(room, "timed_out", json_boolean(timed_out));
        copy = json_deep_copy(room);
    }
    svc_unlock(call);
    if (!copy)
        return svc_no_room(call);
    report = json_array();
    const char *audience = gr_copy(call, gr_str_of(svc_member(copy, "audience")));
    svc_post(call, audience, "room.close", NULL, copy, report);
    return gr_reply_json(call, 200, report);
}

static json_t *make_stream(struct gr_call *call, const json_t *room, const char *author)
{
    const char *audience = svc_member(room, "audience");
    const char *class_id = svc_member(room, "classroom_id");
    char id[37];

    gr_uuid(call->host, id);
    const char *base =
        gr_format(call, "s3://origin.minigroup.%s/%s/%s", audience, class_id ? class_id : "", id);
    const char *film = base ? gr_format(call, "%s.source.webm", base) : NULL;
    const char *dump = base ? gr_format(call, "%s.mjr", base) : NULL;
    return json_pack("{s:s, s:s, s:s, s:s, s:[s]}", "id", id, "status", "ready", "uri",
                     film ? film : "", "created_by", author, "mjr_dumps_uris", dump ? dump : "");
}

/* Makes one stream per participant in the body, else one of the room's host. */
static json_t *make_streams(struct gr_call *call, const json_t *room)
{
    const json_t *authors = json_object_get(gr_json(call), "created_by");
    const char *host = svc_member(room, "host");
    json_t *streams = json_array();

    for (size_t i = 0; i < json_array_size(authors); i++)
        json_array_append_new(
            streams, make_stream(call, room, json_string_value(json_array_get(authors, i))));
    if (!authors && host)
        json_array_append_new(streams, make_stream(call, room, host));
    return streams;
}

static enum gr_err upload(struct gr_call *call)
{
    const json_t *given = json_object_get(gr_json(call), "rtcs");
    json_t *room = take_room(call, NULL);
    json_t *report = json_array();

    if (!room) {
        json_decref(report);
        return GR_ERR_UNPROCESSABLE; /* the call has failed */
    }
    json_t *streams = given ? json_deep_copy(given) : make_streams(call, room);
    const char *audience = gr_copy(call, gr_str_of(svc_member(room, "audience")));
    bool empty = json_array_size(streams) == 0;
    json_t *payload = json_pack("{s:s, s:o}", "id", svc_member(room, "id"), "rtcs", streams);
    json_decref(room);
    if (empty) {
        json_decref(payload);
        json_decref(report);
        return svc_fail(
            call, 400, "invalid_payload",
            "The room has no host: expected {\"created_by\": [\"web.t-1.usr.example.org\"]}");
    }
    svc_post(call, audience, "room.upload", NULL, payload, report);
    return gr_reply_json(call, 200, report);
}

/* Makes the message of the queue about a completed task. */
static json_t *completed(struct gr_call *call, const json_t *room, const json_t *task)
{
    const json_t *bindings = json_object_get(task, "bindings");
    const json_t *start = json_array_get(json_object_get(room, "time"), 0);
    const char *template = svc_member(task, "template");
    json_t *payload =
        json_pack("{s:o, s:s, s:s}", "tags", json_deep_copy(json_object_get(task, "tags")),
                  "status", "success", "template", template);

    if (strcmp(template, "convert-mjr-dumps-to-stream") == 0) {
        const char *segments = gr_format(
            call, "%lld,%d.0", (long long)json_integer_value(start) * 1000, STREAM_MS / 1000);

        json_object_set_new(payload, "stream_id", json_string(svc_member(bindings, "stream_id")));
        json_object_set_new(payload, "stream_uri", json_string(svc_member(bindings, "stream_uri")));
        json_object_set_new(payload, "segments", json_string(segments ? segments : ""));
    } else {
        json_object_set_new(payload, "recording_duration", json_string("1500.0"));
    }
    return payload;
}

static enum gr_err finish_tasks(struct gr_call *call, const char *template)
{
    json_t *tasks = NULL;
    json_t *room = take_room(call, &tasks);
    json_t *report = json_array();

    for (size_t i = 0; i < json_array_size(tasks); i++) {
        const json_t *task = json_array_get(tasks, i);
        const char *name = svc_member(task, "template");
        const char *audience = svc_member(room, "audience");

        if (name && strcmp(name, template) == 0)
            svc_post(call, audience, "task.complete", account_of(call, "tq"),
                     completed(call, room, task), report);
    }
    json_decref(tasks);
    bool found = room != NULL;
    json_decref(room);
    if (json_array_size(report))
        return gr_reply_json(call, 200, report);
    json_decref(report);
    return found ? svc_fail(call, 409, "nothing_to_do", "There is no such task")
                 : GR_ERR_UNPROCESSABLE; /* the call has failed */
}

static enum gr_err convert(struct gr_call *call)
{
    return finish_tasks(call, "convert-mjr-dumps-to-stream");
}

static enum gr_err transcode(struct gr_call *call)
{
    return finish_tasks(call, "transcode-minigroup-to-hls");
}

/* --- tables --- */

static const struct gr_field room_body[] = {
    GR_FIELD("audience", GR_STRING, "Tenant", .flags = GR_FIELD_REQUIRED),
    GR_FIELD("time", GR_ARRAY, "Start and end in Unix seconds", .flags = GR_FIELD_REQUIRED),
    GR_FIELD("rtc_sharing_policy", GR_STRING, "Which participants may send",
             .values = GR_LIST("none", "shared", "owned")),
    GR_FIELD("classroom_id", GR_STRING, "ID of the class", .flags = GR_FIELD_REQUIRED),
    GR_FIELD("reserve", GR_INT, "Slots to reserve"),
    GR_FIELD("tags", GR_ANY, "Free tags"),
    GR_END,
};
static const struct gr_field update_body[] = {
    GR_FIELD("time", GR_ARRAY, "Start and end in Unix seconds"),
    GR_FIELD("reserve", GR_INT, "Slots to reserve"),
    GR_FIELD("host", GR_STRING, "Agent id of the host"),
    GR_END,
};
static const struct gr_field task_body[] = {
    GR_FIELD("template", GR_STRING, "Template of the task", .flags = GR_FIELD_REQUIRED),
    GR_FIELD("tags", GR_OBJECT, "Tags, with conference_room_id", .flags = GR_FIELD_REQUIRED),
    GR_FIELD("bindings", GR_OBJECT, "Input of the task", .flags = GR_FIELD_REQUIRED),
    GR_FIELD("priority", GR_STRING, "Priority of the task",
             .values = GR_LIST("low", "normal", "high")),
    GR_END,
};
static const struct gr_field close_body[] = {
    GR_FIELD("timed_out", GR_BOOL,
             "Whether the room is closed because the host was absent for too long"),
    GR_END,
};
static const struct gr_field upload_body[] = {
    GR_FIELD("created_by", GR_ARRAY, "Agent ids of the participants; default: the host",
             .items = GR_ITEM(GR_STRING)),
    GR_FIELD("rtcs", GR_ARRAY, "Streams to send unchanged", .items = GR_ITEM(GR_OBJECT)),
    GR_END,
};

#define BODY(rows_) GR_BODY(GR_OBJECT, .fields = (rows_), .flags = GR_FIELD_REQUIRED)
#define OPTIONAL_BODY(rows_) GR_BODY(GR_OBJECT, .fields = (rows_))
#define SERVICE .access = GR_ACCESS_GROUP
#define DRIVE .access = GR_ACCESS_OPEN, .flags = GR_ROUTE_ANY_CONTENT_TYPE

static const struct gr_route routes[] = {
    GR_POST("/api/v1/rooms", "sandbox_conference.create_room", "Create a conference room", SERVICE,
            .body = BODY(room_body), .handle = create_room),
    GR_GET("/api/v1/rooms/{room_id}", "sandbox_conference.svc_read_room", "Read a conference room",
           SERVICE, .handle = svc_read_room),
    GR_PATCH("/api/v1/rooms/{room_id}", "sandbox_conference.update_room",
             "Change a conference room", SERVICE, .body = BODY(update_body), .handle = update_room),
    GR_GET("/api/v1/rooms/{room_id}/configs/writer/snapshot", "sandbox_conference.list_snapshots",
           "List the changes of the writers' settings", SERVICE, .handle = list_snapshots),
    GR_POST("/api/v1/audiences/{audience}/tasks/{task_id}/classrooms/{class_id}",
            "sandbox_conference.create_task", "Queue a transcoding task", SERVICE,
            .body = BODY(task_body), .handle = create_task),
    GR_GET("/api/v2/backends/{backend}/sets/{set}/objects/{object}",
           "sandbox_conference.read_object", "Fetch a recording", .access = GR_ACCESS_OPEN,
           .handle = read_object),
    GR_POST("/sandbox/rooms/{room_id}/close", "sandbox_conference.close",
            "Close a room and notify the gateway", DRIVE, .body = OPTIONAL_BODY(close_body),
            .handle = close_room),
    GR_POST("/sandbox/rooms/{room_id}/upload", "sandbox_conference.upload",
            "Store a room's streams and notify the gateway", DRIVE,
            .body = OPTIONAL_BODY(upload_body), .handle = upload),
    GR_POST("/sandbox/rooms/{room_id}/convert", "sandbox_conference.convert",
            "Complete a room's convert tasks and notify the gateway", DRIVE, .handle = convert),
    GR_POST("/sandbox/rooms/{room_id}/transcode", "sandbox_conference.transcode",
            "Complete a room's transcode task and notify the gateway", DRIVE, .handle = transcode),
    GR_END,
};

static const struct gr_option options[] = {
    SVC_OPTION_ROWS("conference.svc.example.org"),
    GR_END,
};

GR_PLUGIN("sandbox_conference", .version = "1.0.0",
          .summary = "Sandbox: a local conference service, queue and storage for minigroups",
          .licence = "MIT", .routes = routes, .options = options,
          .options_size = sizeof(struct svc_options), .render_error = svc_render_error,
          .error_body = svc_error_body, .authenticate = svc_authenticate, .init = svc_init,
          .fini = svc_fini)
