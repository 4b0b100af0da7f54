#include "classes.h"

#include "base/json.h"
#include "columns.h"

#define COLUMNS                                                                                    \
    "id, audience, scope, time_start_ms, time_end_ms, tags, properties, preserve_history, "        \
    "reserve, host, conference_room_id, event_room_id, original_event_room_id, "                   \
    "modified_event_room_id, room_events_uri, timed_out, original_class_id, content_id, "          \
    "stopped_at_ms, adjusting_at_ms, transcoding_at_ms, created_at_ms"
#define FIND "SELECT " COLUMNS " FROM minigroups_class WHERE kind = 'minigroup' AND established = 1"

static const char *const find_sql[] = {
    [MINI_BY_ID] = FIND " AND id = ?1",
    [MINI_BY_SCOPE] = FIND " AND audience = ?1 AND scope = ?2",
    [MINI_BY_CONFERENCE_ROOM] = FIND " AND conference_room_id = ?1",
    [MINI_BY_EVENT_ROOM] = FIND " AND event_room_id = ?1",
    [MINI_BY_ORIGINAL_ROOM] = FIND " AND original_event_room_id = ?1",
    [MINI_BY_MODIFIED_ROOM] = FIND " AND modified_event_room_id = ?1",
};

struct class_reader {
    struct gr_call *call;
    struct mini_class row;
    bool found;
};

static enum gr_err read_class(void *arg, const struct gr_value *columns, size_t count)
{
    struct class_reader *reader = arg;
    struct mini_columns r = {reader->call, columns, count, 0, false};

    reader->row = (struct mini_class){.id = mini_column_text(&r),
                                      .audience = mini_column_text(&r),
                                      .scope = mini_column_text(&r),
                                      .start_ms = mini_column_num(&r),
                                      .end_ms = mini_column_num(&r),
                                      .tags = mini_column_text(&r),
                                      .properties = mini_column_text(&r)};
    reader->row.preserve_history = mini_column_int(&r) != 0;
    reader->row.reserve = mini_column_num(&r);
    reader->row.host = mini_column_text(&r);
    reader->row.conference_room = mini_column_text(&r);
    reader->row.event_room = mini_column_text(&r);
    reader->row.original_room = mini_column_text(&r);
    reader->row.modified_room = mini_column_text(&r);
    reader->row.room_events_uri = mini_column_text(&r);
    reader->row.timed_out = mini_column_int(&r) != 0;
    reader->row.original_class = mini_column_text(&r);
    reader->row.content_id = mini_column_text(&r);
    reader->row.stopped_ms = mini_column_num(&r);
    reader->row.adjusting_ms = mini_column_num(&r);
    reader->row.transcoding_ms = mini_column_num(&r);
    reader->row.created_ms = mini_column_int(&r);
    reader->found = true;
    return r.failed ? GR_ERR_NO_MEMORY : GR_OK;
}

enum gr_err mini_class_find(struct gr_call *call, enum mini_class_by by, gr_str key, gr_str second,
                            struct mini_class *ret_class)
{
    const struct gr_value params[] = {gr_v_str(key), gr_v_str(second)};
    struct class_reader reader = {.call = call};
    enum gr_err err = gr_store(call, find_sql[by], params, by == MINI_BY_SCOPE ? 2 : 1, read_class,
                               &reader, NULL);

    if (err != GR_OK)
        return err;
    if (!reader.found)
        return GR_ERR_NOT_FOUND;
    *ret_class = reader.row;
    return GR_OK;
}

enum gr_err mini_class_find_for_update(struct gr_call *call, const char *id,
                                       struct mini_class *ret_class)
{
    const struct gr_value params[] = {gr_v_text(id)};
    enum gr_err err =
        gr_store(call, "UPDATE minigroups_class SET established = established WHERE id = ?1",
                 params, 1, NULL, NULL, NULL);

    if (err != GR_OK)
        return err;
    return mini_class_find(call, MINI_BY_ID, gr_str_of(id), (gr_str){NULL, 0}, ret_class);
}

/* --- create --- */

struct owner {
    bool found;
    bool taken;
    char id[37];
};

static enum gr_err read_owner(void *arg, const struct gr_value *columns, size_t count)
{
    struct owner *owner = arg;

    if (count != 3 || columns[0].s.len != sizeof(owner->id) - 1)
        return GR_ERR_STORE;
    owner->found = true;
    owner->taken = columns[1].i != 0 || !gr_str_eq(columns[2].s, GR_STR("minigroup"));
    memcpy(owner->id, columns[0].s.ptr, columns[0].s.len);
    return GR_OK;
}

enum gr_err mini_class_reserve_id(struct gr_call *call, const char *audience, const char *scope,
                                  char ret_id[37])
{
    const struct gr_value params[] = {gr_v_text(audience), gr_v_text(scope)};
    struct owner owner = {0};
    enum gr_err err = gr_store(call,
                               "SELECT id, established, kind FROM minigroups_class"
                               " WHERE audience = ?1 AND scope = ?2",
                               params, 2, read_owner, &owner, NULL);

    if (err != GR_OK)
        return err;
    if (owner.taken)
        return GR_ERR_CONFLICT;
    if (owner.found)
        memcpy(ret_id, owner.id, sizeof(owner.id));
    else
        gr_uuid(call->host, ret_id);
    return GR_OK;
}

static struct gr_value v_num(struct mini_num num)
{
    return num.set ? gr_v_int(num.value) : gr_v_null();
}

enum gr_err mini_class_insert(struct gr_call *call, const struct mini_class *row)
{
    const struct gr_value params[] = {gr_v_text(row->id),
                                      gr_v_text(row->audience),
                                      gr_v_text(row->scope),
                                      v_num(row->start_ms),
                                      v_num(row->end_ms),
                                      gr_v_text(row->tags),
                                      gr_v_text(row->properties),
                                      v_num(row->reserve),
                                      gr_v_text(row->host),
                                      gr_v_text(row->event_room),
                                      gr_v_text(row->conference_room),
                                      gr_v_int(row->created_ms)};
    int64_t changed = 0;
    enum gr_err err = gr_store(
        call,
        "INSERT INTO minigroups_class (id, kind, audience, scope, time_start_ms, time_end_ms, tags,"
        " properties, preserve_history, reserve, host, event_room_id, conference_room_id,"
        " established, created_at_ms)"
        " VALUES (?1, 'minigroup', ?2, ?3, ?4, ?5, ?6, ?7, 1, ?8, ?9, ?10, ?11, 1, ?12)"
        " ON CONFLICT (audience, scope) DO UPDATE SET"
        " time_start_ms = excluded.time_start_ms, time_end_ms = excluded.time_end_ms,"
        " tags = excluded.tags, properties = excluded.properties,"
        " preserve_history = excluded.preserve_history, reserve = excluded.reserve,"
        " host = excluded.host, event_room_id = excluded.event_room_id,"
        " conference_room_id = excluded.conference_room_id, established = 1"
        " WHERE minigroups_class.established = 0 AND minigroups_class.kind = excluded.kind"
        " AND minigroups_class.id = excluded.id",
        params, sizeof(params) / sizeof(params[0]), NULL, NULL, &changed);

    if (err != GR_OK)
        return err;
    return changed == 1 ? GR_OK : GR_ERR_CONFLICT;
}

/* --- change --- */

enum gr_err mini_class_update(struct gr_call *call, const char *id,
                              const struct mini_class_change *change)
{
    const struct gr_value params[] = {gr_v_text(id),           gr_v_int(change->has_time),
                                      v_num(change->start_ms), v_num(change->end_ms),
                                      v_num(change->reserve),  gr_v_text(change->host)};

    return gr_store(call,
                    "UPDATE minigroups_class SET"
                    " time_start_ms = CASE WHEN ?2 = 1 THEN ?3 ELSE time_start_ms END,"
                    " time_end_ms = CASE WHEN ?2 = 1 THEN ?4 ELSE time_end_ms END,"
                    " reserve = COALESCE(?5, reserve), host = COALESCE(?6, host)"
                    " WHERE id = ?1",
                    params, sizeof(params) / sizeof(params[0]), NULL, NULL, NULL);
}

struct recreation {
    const struct mini_class *row;
    const char *event_room;
    const char *conference_room;
    const struct mini_class_change *change;
};

static enum gr_err recreate(struct gr_call *call, void *arg)
{
    const struct recreation *r = arg;
    const struct gr_value params[] = {gr_v_text(r->row->id),         v_num(r->change->start_ms),
                                      v_num(r->change->end_ms),      gr_v_text(r->event_room),
                                      gr_v_text(r->conference_room), gr_v_text(r->row->event_room)};
    const struct gr_value deleted[] = {gr_v_text(r->row->id), gr_v_int(gr_now_ms(call->host))};
    int64_t changed = 0;
    enum gr_err err = gr_store(call,
                               "UPDATE minigroups_class SET time_start_ms = ?2, time_end_ms = ?3,"
                               " event_room_id = ?4, conference_room_id = ?5,"
                               " original_event_room_id = NULL, modified_event_room_id = NULL,"
                               " room_events_uri = NULL, timed_out = 0, stopped_at_ms = NULL,"
                               " adjusting_at_ms = NULL, transcoding_at_ms = NULL"
                               " WHERE id = ?1 AND event_room_id = ?6",
                               params, sizeof(params) / sizeof(params[0]), NULL, NULL, &changed);

    if (err != GR_OK)
        return err;
    if (changed != 1)
        return GR_ERR_CONFLICT;
    return gr_store(call,
                    "UPDATE minigroups_recording SET deleted_at_ms = ?2"
                    " WHERE class_id = ?1 AND deleted_at_ms IS NULL",
                    deleted, 2, NULL, NULL, NULL);
}

enum gr_err mini_class_recreate(struct gr_call *call, const struct mini_class *row,
                                const char *event_room, const char *conference_room,
                                const struct mini_class_change *change)
{
    struct recreation r = {row, event_room, conference_room, change};

    return gr_store_tx(call, recreate, &r);
}

struct property {
    const char *id;
    gr_str name;
    const json_t *value;
    const char *all;
};

static enum gr_err set_property(struct gr_call *call, void *arg)
{
    struct property *p = arg;
    struct mini_class row;
    enum gr_err err = mini_class_find_for_update(call, p->id, &row);

    if (err != GR_OK)
        return err;
    p->all = mini_json_set(call, row.properties, p->name, p->value);
    if (!p->all)
        return GR_ERR_NO_MEMORY;
    const struct gr_value params[] = {gr_v_text(p->id), gr_v_text(p->all)};
    return gr_store(call, "UPDATE minigroups_class SET properties = ?2 WHERE id = ?1", params, 2,
                    NULL, NULL, NULL);
}

enum gr_err mini_class_set_property(struct gr_call *call, const char *id, gr_str name,
                                    const json_t *value, const char **ret_properties)
{
    struct property p = {id, name, value, NULL};
    enum gr_err err = gr_store_tx(call, set_property, &p);

    if (err == GR_OK)
        *ret_properties = p.all;
    return err;
}

/* --- lifecycle --- */

enum gr_err mini_class_stop(struct gr_call *call, const struct mini_class *row, int64_t now_ms,
                            bool timed_out)
{
    /* The class ends now, unless its end has passed. A start in the future is moved to the end. */
    int64_t end = row->end_ms.set && row->end_ms.value < now_ms ? row->end_ms.value : now_ms;
    struct mini_num start = row->start_ms;

    if (start.set && start.value > end)
        start.value = end;
    const struct gr_value params[] = {gr_v_text(row->id), v_num(start), gr_v_int(end),
                                      gr_v_int(timed_out), gr_v_int(now_ms)};
    return gr_store(call,
                    "UPDATE minigroups_class SET time_start_ms = ?2, time_end_ms = ?3,"
                    " timed_out = ?4, stopped_at_ms = ?5 WHERE id = ?1",
                    params, 5, NULL, NULL, NULL);
}

enum gr_err mini_class_set_rooms(struct gr_call *call, const char *id, const char *original_room,
                                 const char *modified_room)
{
    const struct gr_value params[] = {gr_v_text(id), gr_v_text(original_room),
                                      gr_v_text(modified_room)};

    return gr_store(call,
                    "UPDATE minigroups_class SET original_event_room_id = ?2,"
                    " modified_event_room_id = ?3, adjusting_at_ms = NULL,"
                    " transcoding_at_ms = NULL WHERE id = ?1",
                    params, 3, NULL, NULL, NULL);
}

enum gr_err mini_class_set_dump(struct gr_call *call, const char *id, const char *uri)
{
    const struct gr_value params[] = {gr_v_text(id), gr_v_text(uri)};

    return gr_store(call, "UPDATE minigroups_class SET room_events_uri = ?2 WHERE id = ?1", params,
                    2, NULL, NULL, NULL);
}

/* now_ms 0: no time. */
static enum gr_err set_time(struct gr_call *call, const char *sql, const char *id, int64_t now_ms)
{
    const struct gr_value params[] = {gr_v_text(id), now_ms ? gr_v_int(now_ms) : gr_v_null()};

    return gr_store(call, sql, params, 2, NULL, NULL, NULL);
}

enum gr_err mini_class_set_adjusting(struct gr_call *call, const char *id, int64_t now_ms)
{
    return set_time(call, "UPDATE minigroups_class SET adjusting_at_ms = ?2 WHERE id = ?1", id,
                    now_ms);
}

enum gr_err mini_class_set_transcoding(struct gr_call *call, const char *id, int64_t now_ms)
{
    return set_time(call, "UPDATE minigroups_class SET transcoding_at_ms = ?2 WHERE id = ?1", id,
                    now_ms);
}
