/*
 * Create: makes both rooms at the same time, writes the row in one statement, then locks chat and
 * questions. The row has both rooms or is not written at all; rooms without a row are closed again
 * through the outbox.
 */
#include "access.h"
#include "base/json.h"
#include "base/problem.h"
#include "base/state.h"
#include "handlers.h"
#include "requests.h"
#include "service/rooms.h"

static enum gr_err read_body(struct gr_call *call, struct mini_class *row)
{
    const json_t *body = gr_json(call);
    const json_t *tags = mini_member(body, "tags");
    const json_t *properties = mini_member(body, "properties");

    *row = (struct mini_class){.audience = mini_json_member(body, "audience"),
                               .scope = mini_json_member(body, "scope"),
                               .tags = tags ? gr_json_text(call, tags).ptr : NULL,
                               .properties = properties ? gr_json_text(call, properties).ptr : "{}",
                               .preserve_history = true,
                               .reserve = mini_member_num(body, "reserve"),
                               .host = mini_json_member(body, "host"),
                               .created_ms = gr_now_ms(call->host)};
    (void)mini_member_time(body, &row->start_ms, &row->end_ms);
    if ((tags && !row->tags) || !row->properties)
        return gr_fail(call, GR_ERR_NO_MEMORY, "no memory for tags and properties");
    if (!row->host && mini_state_of(call)->options->host_required)
        return gr_invalid(call, "host", GR_PROBLEM_MISSING, "an account id");
    return GR_OK;
}

static enum gr_err fail_create(struct gr_call *call, enum gr_err err)
{
    return err == GR_ERR_CONFLICT ? mini_fail(call, MINI_ESTABLISHED, "")
                                  : mini_fail_store(call, err);
}

/* Makes the rooms and the row. */
static enum gr_err establish(struct gr_call *call, struct mini_class *row)
{
    const struct mini_room_spec spec = {row->audience, row->id, row->start_ms, row->reserve,
                                        row->tags};
    struct mini_rooms rooms;
    enum gr_err err = mini_rooms_make(call, &spec, &rooms);

    if (err != GR_OK)
        return err;
    row->event_room = rooms.event;
    row->conference_room = rooms.conference;
    err = mini_class_insert(call, row);
    if (err == GR_OK)
        return GR_OK;
    mini_rooms_drop(call, &rooms, row->audience);
    return fail_create(call, err);
}

enum gr_err mini_create(struct gr_call *call)
{
    const json_t *body = gr_json(call);
    struct mini_class row;
    char id[37];
    enum gr_err err = read_body(call, &row);

    if (err == GR_OK)
        err = mini_authorize(call, row.audience, NULL, "create");
    if (err != GR_OK)
        return err;
    /* Other creates of the same scope wait here, so that only the first one makes rooms. */
    const char *name = gr_format(call, "%s\n%s", row.audience, row.scope);
    err = name ? gr_exclusive(call, gr_str_of(name), MINI_ROOMS_WAIT_MS) : GR_ERR_NO_MEMORY;
    if (err != GR_OK)
        return err;
    err = mini_class_reserve_id(call, row.audience, row.scope, id);
    if (err != GR_OK)
        return fail_create(call, err);
    row.id = id;
    err = establish(call, &row);
    if (err != GR_OK)
        return err;
    mini_room_lock(call, row.audience, row.event_room, mini_member_bool(body, "locked_chat", true),
                   mini_member_bool(body, "locked_questions", true));
    return mini_reply_row(call, 201, &row);
}
