#include "tasks.h"

#include "base/json.h"
#include "base/state.h"
#include "class_snapshot.h"
#include "service/calls.h"
#include "service/outbox.h"
#include "service/room_events.h"

/* Time that the event service has to adjust, before a repeated message requests it again. */
#define ADJUSTING_MS (10 * 60 * 1000)

json_t *mini_task_tags(const struct mini_class *row)
{
    json_t *tags = mini_json_load(row->tags);

    if (!tags)
        tags = json_pack("{s:s}", "scope", row->scope);
    json_object_set_new(tags, "conference_room_id", json_string(row->conference_room));
    return tags;
}

const char *mini_task_path(struct gr_call *call, const struct mini_class *row, const char *template,
                           const char *stream)
{
    const char *audience = gr_segment(call, gr_str_of(row->audience));
    const char *name = stream ? gr_format(call, "%s-%s-%s", template, row->scope, stream)
                              : gr_format(call, "%s-%s", template, row->scope);
    const char *task = name ? gr_segment(call, gr_str_of(name)) : NULL;

    if (!audience || !task)
        return NULL;
    return gr_format(call, "/api/v1/audiences/%s/tasks/%s/classrooms/%s", audience, task, row->id);
}

void mini_task_settings(struct gr_call *call, const struct mini_class *row, json_t *bindings,
                        const char *const *members)
{
    const json_t *settings =
        mini_audience_config(mini_state_of(call)->options->audiences, row->audience);

    for (; *members; members++) {
        const char *text = mini_config_text(settings, *members);

        if (text)
            json_object_set_new(bindings, *members, json_string(text));
    }
}

/* --- conversion --- */

enum gr_err mini_task_convert(struct gr_call *call, const struct mini_class *row,
                              const struct mini_recording *stream, const json_t *entry,
                              struct mini_task *ret_task)
{
    static const char template[] = "convert-mjr-dumps-to-stream";
    const char *path = mini_task_path(call, row, template, stream->rtc_id);
    json_t *bindings =
        json_pack("{s:o, s:s, s:s}", "mjr_dumps_uris",
                  json_deep_copy(json_object_get(entry, "mjr_dumps_uris")), "stream_uri",
                  json_string_value(json_object_get(entry, "uri")), "stream_id", stream->rtc_id);

    mini_task_settings(call, row, bindings, GR_LIST("to"));
    json_t *body =
        json_pack("{s:s, s:s, s:s, s:o, s:o}", "audience", row->audience, "priority", "normal",
                  "template", template, "tags", mini_task_tags(row), "bindings", bindings);
    ret_task->payload = body ? gr_json_text(call, body).ptr : NULL;
    json_decref(body);
    ret_task->request = path ? gr_format(call, "POST %s", path) : NULL;
    if (!ret_task->payload || !ret_task->request)
        return GR_ERR_NO_MEMORY;
    return mini_outbox_keep(call, MINI_TQ, row->audience, ret_task->request, ret_task->payload,
                            &ret_task->item);
}

void mini_task_send(struct gr_call *call, const struct mini_task *task)
{
    if (!mini_outbox_send(call, MINI_TQ, &task->item, task->request, task->payload))
        gr_log(call, GR_LOG_WARN,
               "the transcoding queue did not accept a convert task; it will be sent again");
}

/* --- adjusting --- */

bool mini_find_host(struct gr_call *call, const struct mini_class *row, const char *room,
                    const char **ret_host)
{
    const json_t *events = mini_room_events(call, room, "host", 1);
    const json_t *data = json_object_get(json_array_get(events, 0), "data");
    const char *agent = json_string_value(json_object_get(data, "agent_id"));

    *ret_host = agent ? agent : row->host;
    return events != NULL;
}

struct adjusting {
    const char *class_id;
    struct mini_class_snapshot snapshot;
    bool claimed;
};

/* Of several calls that find all streams ready, only the one that claims the class continues. */
static enum gr_err claim_adjusting(struct gr_call *call, void *arg)
{
    struct adjusting *adjusting = arg;
    struct mini_class_snapshot *snapshot = &adjusting->snapshot;
    enum gr_err err = mini_class_snapshot_lock(call, adjusting->class_id, snapshot);

    adjusting->claimed = false;
    if (err != GR_OK || !snapshot->facts.unadjusted ||
        !mini_recordings_ready(&snapshot->recordings))
        return err;
    if (snapshot->row.adjusting_ms.set &&
        snapshot->now_ms - snapshot->row.adjusting_ms.value < ADJUSTING_MS)
        return GR_OK;
    adjusting->claimed = true;
    return mini_class_set_adjusting(call, adjusting->class_id, snapshot->now_ms);
}

/* Returns NULL when the request succeeded (*ret_asked is true) or is not possible without a
 * recording of the host (false), otherwise the reason of the failure. */
static const char *ask_to_adjust(struct gr_call *call, const struct mini_class_snapshot *snapshot,
                                 bool *ret_asked)
{
    const struct mini_class *row = &snapshot->row;
    const json_t *settings =
        mini_audience_config(mini_state_of(call)->options->audiences, row->audience);
    const char *host;

    *ret_asked = false;
    if (!mini_find_host(call, row, row->event_room, &host))
        return "the event service did not return the host";
    const struct mini_recording *own = mini_recording_of_host(&snapshot->recordings, host);
    if (!own) {
        gr_log(call, GR_LOG_WARN, "class %s: %s, so it is not adjusted", row->id,
               host ? "the host has no recording" : "no host is known");
        return NULL;
    }
    const struct mini_answer answer = mini_service_room_call(
        call, MINI_EVENT, GR_METHOD_POST, "/api/v1/rooms/{room}/adjust", row->event_room,
        json_pack("{s:I, s:o, s:I}", "started_at", (json_int_t)own->started_ms.value, "segments",
                  mini_json_load(own->segments), "offset",
                  json_integer_value(json_object_get(settings, "preroll_offset"))));
    *ret_asked = answer.good;
    return answer.good ? NULL : "the event service did not accept the request to adjust";
}

enum gr_err mini_adjust_when_ready(struct gr_call *call, const struct mini_delivery *delivery,
                                   const char *class_id)
{
    struct adjusting adjusting = {.class_id = class_id};
    bool asked;
    enum gr_err err = gr_store_tx(call, claim_adjusting, &adjusting);

    if (err != GR_OK || !adjusting.claimed)
        return mini_flow_store(call, delivery, err);
    const char *reason = ask_to_adjust(call, &adjusting.snapshot, &asked);
    if (!asked) {
        err = mini_class_set_adjusting(call, class_id, 0);
        if (err != GR_OK)
            gr_log(call, GR_LOG_WARN,
                   "class %s: the next attempt to adjust is delayed by up to 10 minutes", class_id);
    }
    return reason ? mini_flow_fail(call, delivery, reason) : GR_OK;
}
