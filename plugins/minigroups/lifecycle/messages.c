#include "messages.h"

#include "handlers.h"

static const struct mini_message_type messages[] = {
    {"room.close", mini_close_payload, mini_on_close, MINI_CLOSING_FAILED, NULL, "id",
     MINI_BY_CONFERENCE_ROOM},
    {"room.upload", mini_upload_payload, mini_on_upload, MINI_TRANSCODING_FAILED, NULL, "id",
     MINI_BY_CONFERENCE_ROOM},
    {"room.adjust", mini_adjust_payload, mini_on_adjust, MINI_TRANSCODING_FAILED, NULL, "room_id",
     MINI_BY_EVENT_ROOM},
    {"room.dump_events", mini_dump_payload, mini_on_dump, MINI_TRANSCODING_FAILED, "result",
     "room_id", MINI_BY_MODIFIED_ROOM},
    {"task.complete", mini_task_payload, mini_on_task, MINI_TRANSCODING_FAILED, "tags",
     "conference_room_id", MINI_BY_CONFERENCE_ROOM},
    {"edition.commit", mini_edition_payload, mini_on_edition, MINI_EDITION_FAILED, NULL,
     "source_room_id", MINI_BY_ORIGINAL_ROOM},
};

const struct mini_message_type *mini_message_type_find(gr_str label)
{
    for (size_t i = 0; i < sizeof(messages) / sizeof(messages[0]); i++) {
        if (gr_str_eq(label, gr_str_of(messages[i].label)))
            return &messages[i];
    }
    return NULL;
}

enum gr_err mini_message_queue(struct gr_call *call, const struct mini_message_type *message,
                               const json_t *payload, const char **ret_queue)
{
    const json_t *in = message->in ? json_object_get(payload, message->in) : payload;
    const char *room = json_string_value(json_object_get(in, message->room));
    struct mini_class row;

    *ret_queue = room ? room : "";
    if (!room)
        return GR_OK;
    enum gr_err err = mini_class_find(call, message->by, gr_str_of(room), (gr_str){NULL, 0}, &row);
    if (err == GR_ERR_NOT_FOUND && message->handle == mini_on_close)
        err = mini_class_find(call, MINI_BY_EVENT_ROOM, gr_str_of(room), (gr_str){NULL, 0}, &row);
    if (err == GR_OK)
        *ret_queue = row.id;
    return err == GR_ERR_NOT_FOUND ? GR_OK : err;
}

enum gr_err mini_message_handle(struct gr_call *call, const char *label,
                                struct mini_delivery *delivery)
{
    const struct mini_message_type *message = mini_message_type_find(gr_str_of(label));

    if (!message)
        return GR_OK;
    delivery->failure = message->failure;
    return message->handle(call, delivery);
}
