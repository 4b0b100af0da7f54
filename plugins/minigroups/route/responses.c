#include "responses.h"

#include "base/json.h"
#include "lifecycle/class_snapshot.h"
#include "service/rooms.h"

static json_t *text_or_null(const char *text)
{
    return text ? json_string(text) : json_null();
}

static json_t *real_time(const struct mini_class *row, const struct mini_view *view)
{
    const char *rtc = view->recordings->count ? view->recordings->list[0].rtc_id : NULL;

    return json_pack("{s:s, s:s, s:s*, s:s*}", "conference_room_id", row->conference_room,
                     "event_room_id", row->event_room, "host", row->host, "rtc_id", rtc);
}

static json_t *version(const struct mini_class *row, const char *name, const char *room,
                       const char *stream, const char *events_uri)
{
    return json_pack("{s:s, s:s, s:s, s:o*, s:s*}", "version", name, "event_room_id", room,
                     "stream_id", stream, "tags", mini_json_load(row->tags), "room_events_uri",
                     events_uri);
}

/* Lists the versions to watch: the original, and the modified one after transcoding; or NULL. */
static json_t *on_demand(const struct mini_class *row, const struct mini_view *view,
                         enum mini_status status)
{
    const char *stream = view->recordings->count ? view->recordings->list[0].rtc_id : NULL;
    json_t *list;

    if (!stream || view->update_answer || !(row->original_room || row->modified_room))
        return NULL;
    list = json_array();
    if (row->original_room)
        json_array_append_new(list, version(row, "original", row->original_room, stream, NULL));
    if (row->modified_room && status == MINI_TRANSCODED)
        json_array_append_new(
            list, version(row, "modified", row->modified_room, stream, row->room_events_uri));
    if (json_array_size(list))
        return list;
    json_decref(list);
    return NULL;
}

json_t *mini_response_read(const struct mini_class *row, const struct mini_view *view)
{
    enum mini_status status = mini_class_status(row, view->recordings, view->now_ms);
    bool has_position = view->position.set && status == MINI_TRANSCODED && !view->update_answer;
    json_t *properties =
        view->properties ? json_deep_copy(view->properties) : mini_json_load(row->properties);
    json_t *mine =
        view->account_properties ? json_deep_copy(view->account_properties) : json_object();

    return json_pack("{s:s, s:s, s:o, s:o*, s:s, s:b, s:o*, s:s*, s:s, s:o, s:o}", "class_id",
                     row->original_class ? row->original_class : row->id, "id", row->scope,
                     "real_time", real_time(row, view), "on_demand", on_demand(row, view, status),
                     "status", mini_status_name(status), "timed_out", row->timed_out, "position",
                     has_position ? json_integer(view->position.value) : NULL, "turn_host",
                     view->turn_host, "content_id", row->content_id ? row->content_id : row->id,
                     "properties", properties, "account_properties", mine);
}

json_t *mini_response_row(const struct mini_class *row, const struct mini_view *view)
{
    enum mini_status status = mini_class_status(row, view->recordings, view->now_ms);
    json_t *object = json_pack(
        "{s:s, s:s, s:s, s:s, s:o, s:I, s:o*, s:o, s:b, s:o, s:o, s:b}", "id", row->id, "class_id",
        row->id, "scope", row->scope, "audience", row->audience, "time",
        mini_time_pair(row->start_ms, row->end_ms), "created_at",
        (json_int_t)(row->created_ms / 1000), "tags", mini_json_load(row->tags), "properties",
        mini_json_load(row->properties), "preserve_history", row->preserve_history, "reserve",
        row->reserve.set ? json_integer(row->reserve.value) : json_null(), "host",
        text_or_null(row->host), "timed_out", row->timed_out);
    json_t *rooms = json_pack(
        "{s:s, s:s, s:s*, s:s*, s:o, s:s*, s:s*, s:o, s:s, s:s*}", "conference_room_id",
        row->conference_room, "event_room_id", row->event_room, "original_event_room_id",
        row->original_room, "modified_event_room_id", row->modified_room, "room_events_uri",
        text_or_null(row->room_events_uri), "original_class_id", row->original_class, "content_id",
        row->content_id, "real_time", real_time(row, view), "status", mini_status_name(status),
        "turn_host", view->turn_host);

    if (!object || !rooms || json_object_update(object, rooms) != 0) {
        json_decref(object);
        object = NULL;
    }
    json_decref(rooms);
    return object;
}

json_t *mini_properties_pick(const char *text, const struct mini_property_names *keys)
{
    json_t *all = mini_json_load(text);
    json_t *picked = json_object();

    for (size_t i = 0; i < keys->count; i++) {
        json_t *value = json_object_getn(all, keys->names[i].ptr, keys->names[i].len);

        if (value)
            json_object_setn(picked, keys->names[i].ptr, keys->names[i].len, value);
    }
    json_decref(all);
    return picked;
}
