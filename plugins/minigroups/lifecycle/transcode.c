/* The last step: dumps the events of the modified room and requests one video of all streams. */
#include "base/json.h"
#include "base/state.h"
#include "segments.h"
#include "service/calls.h"
#include "service/room_events.h"
#include "tasks.h"

#define TEMPLATE "transcode-minigroup-to-hls"
#define PIN_PAGES_MAX 10

static const char taken_over[] = "another gateway handles the message";

struct film {
    const struct mini_delivery *delivery; /* NULL: of a route */
    const struct mini_class *row;
    const struct mini_recordings *recordings;
    const struct mini_recording *host;
    const json_t *pins;
    const json_t *snapshots;
    int64_t preroll_ms;
};

static json_t *describe_stream(const struct film *film, const struct mini_recording *rec,
                               int64_t earliest_ms)
{
    json_t *segments = mini_json_load(rec->segments);
    json_t *modified = mini_json_load(rec->modified_segments);
    int64_t started = rec->started_ms.value;
    int64_t end = mini_segments_end(segments);
    int64_t shift = started - (film->host->started_ms.value - film->preroll_ms);
    json_t *muted_video =
        mini_segments_muted(film->snapshots, rec->rtc_id, "send_video", started, end);
    json_t *muted_audio =
        mini_segments_muted(film->snapshots, rec->rtc_id, "send_audio", started, end);

    return json_pack("{s:s, s:s, s:I, s:o, s:o, s:o, s:o, s:o}", "id", rec->rtc_id, "uri",
                     rec->stream_uri, "offset", (json_int_t)(started - earliest_ms), "segments",
                     segments, "modified_segments", modified ? modified : json_incref(segments),
                     "pin_segments", mini_segments_pinned(film->pins, rec->created_by, shift, end),
                     "video_mute_segments", muted_video, "audio_mute_segments", muted_audio);
}

static json_t *describe(struct gr_call *call, const struct film *film)
{
    const struct mini_recordings *recordings = film->recordings;
    int64_t earliest = film->host->started_ms.value;
    json_t *streams = json_array();

    for (size_t i = 0; i < recordings->count; i++) {
        if (recordings->list[i].started_ms.value < earliest)
            earliest = recordings->list[i].started_ms.value;
    }
    for (size_t i = 0; i < recordings->count; i++)
        json_array_append_new(streams, describe_stream(film, &recordings->list[i], earliest));
    json_t *bindings =
        json_pack("{s:s, s:o}", "host_stream_id", film->host->rtc_id, "streams", streams);
    mini_task_settings(call, film->row, bindings,
                       GR_LIST("to", "preroll", "postroll", "watermark"));
    return bindings;
}

/* --- steps --- */

static bool has_start(const json_t *room)
{
    return json_is_integer(json_array_get(json_object_get(room, "time"), 0));
}

static const char *read_services(struct gr_call *call, struct film *film)
{
    const struct mini_class *row = film->row;
    const struct mini_answer room = mini_service_room_call(
        call, MINI_EVENT, GR_METHOD_GET, "/api/v1/rooms/{room}", row->modified_room, NULL);
    struct mini_answer answer;

    if (!room.good || !has_start(room.json))
        return "the modified event room cannot be read";
    if (!mini_flow_goes_on(call, film->delivery))
        return taken_over;
    answer = mini_service_room_call(call, MINI_EVENT, GR_METHOD_POST,
                                    "/api/v1/rooms/{room}/dump_events", row->modified_room, NULL);
    if (!answer.good)
        return "the event service did not accept the request to dump events";
    if (!mini_flow_goes_on(call, film->delivery))
        return taken_over;
    film->pins = mini_room_events(call, row->modified_room, "pin", PIN_PAGES_MAX);
    if (!film->pins)
        return "the pin events cannot be read";
    if (!mini_flow_goes_on(call, film->delivery))
        return taken_over;
    answer = mini_service_room_call(call, MINI_CONFERENCE, GR_METHOD_GET,
                                    "/api/v1/rooms/{room}/configs/writer/snapshot",
                                    row->conference_room, NULL);
    film->snapshots = answer.json;
    return answer.good && json_is_array(answer.json) ? NULL
                                                     : "the writers' snapshots cannot be read";
}

static const char *send_task(struct gr_call *call, const struct film *film, const char *priority)
{
    const struct mini_class *row = film->row;
    const char *path = mini_task_path(call, row, TEMPLATE, NULL);

    if (!mini_state_of(call)->has_tq) {
        gr_log(
            call, GR_LOG_INFO,
            "class %s: its streams are not transcoded, because no transcoding queue is configured",
            row->id);
        return NULL;
    }
    if (!path)
        return "no memory for the task";
    if (!mini_flow_goes_on(call, film->delivery))
        return taken_over;
    const struct mini_request request = {
        .service = MINI_TQ,
        .method = GR_METHOD_POST,
        .path = path,
        .body = json_pack("{s:s, s:s, s:s, s:o, s:o}", "audience", row->audience, "priority",
                          priority, "template", TEMPLATE, "tags", mini_task_tags(row), "bindings",
                          describe(call, film))};
    struct mini_answer answer;

    return mini_service_calls(call, &request, &answer, 1)
               ? NULL
               : "the transcoding queue did not accept the transcode task";
}

const char *mini_transcode_start(struct gr_call *call, const struct mini_delivery *delivery,
                                 const char *class_id, const char *host, const char *priority)
{
    struct mini_recordings recordings = {NULL, 0};
    struct mini_class row;

    if (mini_class_find(call, MINI_BY_ID, gr_str_of(class_id), (gr_str){NULL, 0}, &row) != GR_OK ||
        mini_recordings_load(call, class_id, &recordings) != GR_OK)
        return "the store refused a statement";
    if (!row.modified_room)
        return "the class is not adjusted yet";
    if (!mini_recordings_ready(&recordings))
        return "a recording is not converted yet";
    if (!host && !mini_find_host(call, &row, row.modified_room, &host))
        return "the event service did not return the host";
    const json_t *settings =
        mini_audience_config(mini_state_of(call)->options->audiences, row.audience);
    struct film film = {.delivery = delivery,
                        .row = &row,
                        .recordings = &recordings,
                        .host = mini_recording_of_host(&recordings, host),
                        .preroll_ms =
                            json_integer_value(json_object_get(settings, "preroll_offset"))};
    if (!film.host)
        return "the host has no recording";
    const char *reason = read_services(call, &film);
    if (!reason)
        reason = send_task(call, &film, priority);
    if (reason)
        return reason;
    return mini_class_set_transcoding(call, class_id, gr_now_ms(call->host)) == GR_OK
               ? NULL
               : "the store refused a statement";
}
