/* Recreate: new rooms for the same class, which starts a new life. */
#include "access.h"
#include "bodies.h"
#include "gate.h"
#include "handlers.h"
#include "problem.h"
#include "services.h"

static void begin_anew(struct mg_class *row, const struct mg_rooms *rooms,
                       const struct mg_class_change *change)
{
    row->start_ms = change->start_ms;
    row->end_ms = change->end_ms;
    row->event_room = rooms->event;
    row->conference_room = rooms->conference;
    row->original_room = NULL;
    row->modified_room = NULL;
    row->room_events_uri = NULL;
    row->timed_out = false;
}

enum gr_err mg_recreate(struct gr_call *call)
{
    const json_t *body = gr_json(call);
    struct mg_class_change change = {0};
    struct mg_rooms rooms;
    struct mg_class row;
    enum gr_err err = mg_class_of(call, "update", &row);

    if (err != GR_OK)
        return err;
    err = mg_gate_enter(call, row.id);
    if (err == GR_OK) /* whoever was here before us has given it other rooms */
        err = mg_fail_store(
            call, mg_class_find(call, MG_BY_ID, gr_str_of(row.id), (gr_str){NULL, 0}, &row));
    if (err != GR_OK)
        return err;
    (void)mg_member_time(body, &change.start_ms, &change.end_ms);
    const struct mg_wish wish = {row.audience, row.id, change.start_ms, row.reserve, row.tags};
    err = mg_rooms_make(call, &wish, &rooms);
    if (err != GR_OK)
        return err;
    err = mg_class_recreate(call, &row, rooms.event, rooms.conference, &change);
    if (err != GR_OK) {
        mg_rooms_drop(call, &rooms, row.audience);
        if (err == GR_ERR_CONFLICT)
            return mg_fail(call, MG_BAD_DATABASE, "the class was recreated by somebody else");
        return mg_fail_store(call, err);
    }
    mg_room_lock(call, row.audience, rooms.event, mg_member_bool(body, "locked_chat", true),
                 mg_member_bool(body, "locked_questions", true));
    begin_anew(&row, &rooms, &change);
    return mg_reply_row(call, 200, &row);
}
