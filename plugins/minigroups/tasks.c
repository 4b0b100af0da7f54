#include "tasks.h"

#include "outbox.h"
#include "room_events.h"
#include "segment.h"

/* How long the event service is trusted to be adjusting, before a repeated message asks again. */
#define ADJUSTING_MS (10 * 60 * 1000)

json_t *mg_task_tags(const struct mg_class *row)
{
    json_t *tags = mg_json_load(row->tags);

    if (!tags)
        tags = json_pack("{s:s}", "scope", row->scope);
    json_object_set_new(tags, "conference_room_id", json_string(row->conference_room));
    return tags;
}

const char *mg_task_path(struct gr_call *call, const struct mg_class *row, const char *template,
                         const char *stream)
{
    const char *audience = mg_encode_segment(call, row->audience);
    const char *name = stream ? gr_format(call, "%s-%s-%s", template, row->scope, stream)
                              : gr_format(call, "%s-%s", template, row->scope);
    const char *task = name ? mg_encode_segment(call, name) : NULL;

    if (!audience || !task)
        return NULL;
    return gr_format(call, "/api/v1/audiences/%s/tasks/%s/classrooms/%s", audience, task, row->id);
}

void mg_task_settings(struct gr_call *call, const struct mg_class *row, json_t *bindings,
                      const char *const *members)
{
    const json_t *settings = mg_config_of(mg_state_of(call)->options->audiences, row->audience);

    for (; *members; members++) {
        const char *text = mg_config_text(settings, *members);

        if (text)
            json_object_set_new(bindings, *members, json_string(text));
    }
}

/* --- conversion --- */

enum gr_err mg_task_convert(struct gr_call *call, const struct mg_class *row,
                            const struct mg_recording *stream, const json_t *entry,
                            struct mg_task *ret_task)
{
    static const char template[] = "convert-mjr-dumps-to-stream";
    const char *path = mg_task_path(call, row, template, stream->rtc_id);
    json_t *bindings =
        json_pack("{s:o, s:s, s:s}", "mjr_dumps_uris",
                  json_deep_copy(json_object_get(entry, "mjr_dumps_uris")), "stream_uri",
                  json_string_value(json_object_get(entry, "uri")), "stream_id", stream->rtc_id);

    mg_task_settings(call, row, bindings, GR_LIST("to"));
    json_t *body =
        json_pack("{s:s, s:s, s:s, s:o, s:o}", "audience", row->audience, "priority", "normal",
                  "template", template, "tags", mg_task_tags(row), "bindings", bindings);
    ret_task->payload = body ? mg_json_text(call, body) : NULL;
    json_decref(body);
    ret_task->request = path ? gr_format(call, "POST %s", path) : NULL;
    if (!ret_task->payload || !ret_task->request)
        return GR_ERR_NO_MEMORY;
    return mg_outbox_keep(call, MG_TQ, row->audience, ret_task->request, ret_task->payload,
                          &ret_task->outbox_id);
}

void mg_task_send(struct gr_call *call, const struct mg_task *task)
{
    if (!mg_outbox_send(call, MG_TQ, task->outbox_id, task->request, task->payload))
        gr_log(call, GR_LOG_WARN, "a convert task was not taken; it will be sent again");
}

/* --- adjusting --- */

bool mg_find_host(struct gr_call *call, const struct mg_class *row, const char *room,
                  const char **ret_host)
{
    const json_t *events = mg_room_events(call, room, "host", 1);
    const json_t *data = json_object_get(json_array_get(events, 0), "data");
    const char *agent = json_string_value(json_object_get(data, "agent_id"));

    *ret_host = agent ? agent : row->host;
    return events != NULL;
}

struct adjusting {
    const char *class_id;
    struct mg_scene scene;
    bool claimed;
};

/* Of several calls that find all streams ready, one goes on. */
static enum gr_err claim_adjusting(struct gr_call *call, void *arg)
{
    struct adjusting *adjusting = arg;
    struct mg_scene *scene = &adjusting->scene;
    enum gr_err err = mg_scene_enter(call, adjusting->class_id, scene);

    adjusting->claimed = false;
    if (err != GR_OK || !scene->facts.unadjusted || !mg_recordings_ready(&scene->recordings))
        return err;
    if (scene->row.adjusting_ms.set && scene->now_ms - scene->row.adjusting_ms.value < ADJUSTING_MS)
        return GR_OK;
    adjusting->claimed = true;
    return mg_class_set_adjusting(call, adjusting->class_id, scene->now_ms);
}

/* NULL when the event service was asked or need not be; *ret_asked tells which. */
static const char *ask_to_adjust(struct gr_call *call, const struct mg_scene *scene,
                                 bool *ret_asked)
{
    const struct mg_class *row = &scene->row;
    const json_t *settings = mg_config_of(mg_state_of(call)->options->audiences, row->audience);
    const char *host;

    *ret_asked = false;
    if (!mg_find_host(call, row, row->event_room, &host))
        return "the event service does not tell who hosts";
    const struct mg_recording *own = mg_recording_of_host(&scene->recordings, host);
    if (!own) {
        gr_log(call, GR_LOG_WARN, "class %s: %s; it stays finished", row->id,
               host ? "no recording is the host's" : "no host is known");
        return NULL;
    }
    const struct mg_answer answer =
        mg_room_call(call, MG_EVENT, GR_METHOD_POST, "/api/v1/rooms/{room}/adjust", row->event_room,
                     json_pack("{s:I, s:o, s:I}", "started_at", (json_int_t)own->started_ms.value,
                               "segments", mg_json_load(own->segments), "offset",
                               json_integer_value(json_object_get(settings, "preroll_offset"))));
    *ret_asked = answer.good;
    return answer.good ? NULL : "the event service did not take the request to adjust";
}

enum gr_err mg_adjust_when_ready(struct gr_call *call, const struct mg_delivery *delivery,
                                 const char *class_id)
{
    struct adjusting adjusting = {.class_id = class_id};
    bool asked;
    enum gr_err err = gr_store_tx(call, claim_adjusting, &adjusting);

    if (err != GR_OK || !adjusting.claimed)
        return mg_flow_store(call, delivery, err);
    const char *reason = ask_to_adjust(call, &adjusting.scene, &asked);
    if (!asked) {
        err = mg_class_set_adjusting(call, class_id, 0);
        if (err != GR_OK)
            gr_log(call, GR_LOG_WARN, "class %s keeps its claim for some minutes", class_id);
    }
    return reason ? mg_flow_fail(call, delivery, reason) : GR_OK;
}
