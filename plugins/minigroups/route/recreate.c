/* Recreate: gives a class new rooms and resets its lifecycle. */
#include "access.h"
#include "base/problem.h"
#include "base/state.h"
#include "handlers.h"
#include "requests.h"
#include "service/rooms.h"

static void begin_anew(struct mini_class *row, const struct mini_rooms *rooms,
                       const struct mini_class_change *change)
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

enum gr_err mini_recreate(struct gr_call *call)
{
    const json_t *body = gr_json(call);
    struct mini_class_change change = {0};
    struct mini_rooms rooms;
    struct mini_class row;
    enum gr_err err = mini_load_class(call, "update", &row);

    if (err != GR_OK)
        return err;
    err = gr_exclusive(call, gr_str_of(row.id), MINI_ROOMS_WAIT_MS);
    if (err == GR_OK) /* another recreate may have changed the rooms during the wait */
        err = mini_fail_store(
            call, mini_class_find(call, MINI_BY_ID, gr_str_of(row.id), (gr_str){NULL, 0}, &row));
    if (err != GR_OK)
        return err;
    (void)mini_member_time(body, &change.start_ms, &change.end_ms);
    const struct mini_room_spec spec = {row.audience, row.id, change.start_ms, row.reserve,
                                        row.tags};
    err = mini_rooms_make(call, &spec, &rooms);
    if (err != GR_OK)
        return err;
    err = mini_class_recreate(call, &row, rooms.event, rooms.conference, &change);
    if (err != GR_OK) {
        mini_rooms_drop(call, &rooms, row.audience);
        if (err == GR_ERR_CONFLICT)
            return mini_fail(call, MINI_BAD_DATABASE,
                             "another request recreated the class at the same time");
        return mini_fail_store(call, err);
    }
    mini_room_lock(call, row.audience, rooms.event, mini_member_bool(body, "locked_chat", true),
                   mini_member_bool(body, "locked_questions", true));
    begin_anew(&row, &rooms, &change);
    return mini_reply_row(call, 200, &row);
}
