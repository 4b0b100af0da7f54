#include "lifecycle.h"

enum gr_err mg_flow_fail(struct gr_call *call, const struct mg_delivery *delivery,
                         const char *detail)
{
    gr_log(call, GR_LOG_WARN, "message for '%s' failed: %s", delivery->audience, detail);
    return mg_fail(call, delivery->failure, detail);
}

enum gr_err mg_flow_store(struct gr_call *call, const struct mg_delivery *delivery, enum gr_err err)
{
    return err == GR_OK ? err : mg_flow_fail(call, delivery, "the store refused a statement");
}

enum gr_err mg_flow_class(struct gr_call *call, const struct mg_delivery *delivery,
                          enum mg_class_by by, const char *room, struct mg_class *ret_class)
{
    enum gr_err err = mg_class_find(call, by, gr_str_of(room), (gr_str){NULL, 0}, ret_class);

    if (err == GR_ERR_NOT_FOUND)
        return err;
    if (err != GR_OK)
        return mg_flow_store(call, delivery, err);
    if (strcmp(ret_class->audience, delivery->audience) != 0)
        return mg_fail(call, MG_OTHER_AUDIENCE, "the class is of another audience");
    return GR_OK;
}

/* Recordings and facts of scene->row. */
static enum gr_err fill(struct gr_call *call, struct mg_scene *scene)
{
    enum gr_err err = mg_recordings_load(call, scene->row.id, &scene->recordings);

    if (err != GR_OK)
        return err;
    scene->now_ms = gr_now_ms(call->host);
    scene->facts =
        (struct mg_facts){.status = mg_class_status(&scene->row, &scene->recordings, scene->now_ms),
                          .stopped = scene->row.stopped_ms.set,
                          .transcoding = scene->row.transcoding_ms.set};
    for (size_t i = 0; i < scene->recordings.count; i++)
        scene->facts.unadjusted |= !scene->recordings.list[i].adjusted_ms.set;
    return GR_OK;
}

enum gr_err mg_scene_enter(struct gr_call *call, const char *class_id, struct mg_scene *scene)
{
    enum gr_err err = mg_class_lock(call, class_id, &scene->row);

    return err == GR_OK ? fill(call, scene) : err;
}

enum gr_err mg_scene_look(struct gr_call *call, const char *class_id, struct mg_scene *scene)
{
    enum gr_err err =
        mg_class_find(call, MG_BY_ID, gr_str_of(class_id), (gr_str){NULL, 0}, &scene->row);

    return err == GR_OK ? fill(call, scene) : err;
}
