/*
 * Update: changes the event room first, because a change of this room alone is harmless, then the
 * conference room, then the row. When the row cannot be written, the conference room gets its old
 * values back.
 */
#include "access.h"
#include "base/json.h"
#include "base/problem.h"
#include "handlers.h"
#include "requests.h"
#include "service/rooms.h"

static json_t *conference_body(const struct mini_class_change *change, int64_t now_ms)
{
    const struct mini_num now = {true, now_ms};
    /* The conference service refuses a time without a start. */
    const struct mini_num start = change->start_ms.set ? change->start_ms : now;

    return json_pack("{s:o*, s:o*, s:s*}", "time",
                     change->has_time ? mini_time_pair(start, change->end_ms) : NULL, "reserve",
                     change->reserve.set ? json_integer(change->reserve.value) : NULL, "host",
                     change->host);
}

static bool patch_event(struct gr_call *call, const struct mini_class *row)
{
    const struct mini_num now = {true, gr_now_ms(call->host)};
    const struct mini_num open = {false, 0};

    return mini_service_room_call(call, MINI_EVENT, GR_METHOD_PATCH, "/api/v1/rooms/{room}",
                                  row->event_room,
                                  json_pack("{s:o}", "time", mini_time_pair(now, open)))
        .good;
}

static bool patch_conference(struct gr_call *call, const struct mini_class *row,
                             const struct mini_class_change *change)
{
    return mini_service_room_call(call, MINI_CONFERENCE, GR_METHOD_PATCH, "/api/v1/rooms/{room}",
                                  row->conference_room,
                                  conference_body(change, gr_now_ms(call->host)))
        .good;
}

/* Restores the changed values of the conference room, when they were set before. */
static void revert(struct gr_call *call, const struct mini_class *row,
                   const struct mini_class_change *change)
{
    const struct mini_class_change old = {
        .has_time = change->has_time,
        .start_ms = row->start_ms,
        .end_ms = row->end_ms,
        .reserve = change->reserve.set ? row->reserve : (struct mini_num){false, 0},
        .host = change->host ? row->host : NULL};

    gr_log(call, GR_LOG_ERROR, "class %s could not be written; restoring conference room %s",
           row->id, row->conference_room);
    if (!patch_conference(call, row, &old))
        gr_log(call, GR_LOG_ERROR,
               "conference room %s could not be restored and differs from class %s",
               row->conference_room, row->id);
}

static void apply(struct mini_class *row, const struct mini_class_change *change)
{
    if (change->has_time) {
        row->start_ms = change->start_ms;
        row->end_ms = change->end_ms;
    }
    if (change->reserve.set)
        row->reserve = change->reserve;
    if (change->host)
        row->host = change->host;
}

static enum gr_err reply(struct gr_call *call, const struct mini_class *row)
{
    struct mini_recordings recordings = {NULL, 0};
    struct mini_view view;

    if (mini_path_id(call))
        return mini_reply_row(call, 200, row);
    enum gr_err err = mini_view_load(call, row, &recordings, &view);
    if (err != GR_OK)
        return err;
    view.update_answer = true;
    return gr_reply_json(call, 200, mini_response_read(row, &view));
}

enum gr_err mini_update(struct gr_call *call)
{
    const json_t *body = gr_json(call);
    struct mini_class_change change = {.reserve = mini_member_num(body, "reserve"),
                                       .host = mini_json_member(body, "host")};
    struct mini_class row;

    change.has_time = mini_member_time(body, &change.start_ms, &change.end_ms);
    if (!change.has_time && !change.reserve.set && !change.host)
        return mini_fail(call, MINI_BAD_PAYLOAD, "give at least one of time, reserve and host");
    enum gr_err err = mini_load_class(call, "update", &row);
    if (err != GR_OK)
        return err;
    if ((change.has_time && !patch_event(call, &row)) || !patch_conference(call, &row, &change))
        return mini_fail(call, MINI_UPSTREAM_FAILED, "Services requests");
    err = mini_class_update(call, row.id, &change);
    if (err != GR_OK) {
        revert(call, &row, &change);
        return mini_fail_store(call, err);
    }
    apply(&row, &change);
    return reply(call, &row);
}
