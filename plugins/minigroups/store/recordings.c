#include "recordings.h"

#include "base/ids.h"
#include "base/json.h"
#include "columns.h"

#define RECORDINGS_MAX 4096u

struct reader {
    struct gr_call *call;
    struct mini_recordings out;
    size_t room;
};

static bool grow(struct reader *reader)
{
    size_t room = reader->room ? 2 * reader->room : 16;
    struct mini_recording *list;

    if (reader->out.count < reader->room)
        return true;
    list = room <= RECORDINGS_MAX ? gr_alloc(reader->call, room * sizeof(*list)) : NULL;
    if (!list)
        return false;
    if (reader->out.count)
        memcpy(list, reader->out.list, reader->out.count * sizeof(*list));
    reader->out.list = list;
    reader->room = room;
    return true;
}

static enum gr_err read_recording(void *arg, const struct gr_value *columns, size_t count)
{
    struct reader *reader = arg;
    struct mini_columns r = {reader->call, columns, count, 0, false};

    if (!grow(reader))
        return GR_ERR_NO_MEMORY;
    struct mini_recording *rec = &reader->out.list[reader->out.count++];
    rec->id = mini_column_text(&r);
    rec->rtc_id = mini_column_text(&r);
    rec->created_by = mini_column_text(&r);
    rec->stream_uri = mini_column_text(&r);
    rec->segments = mini_column_text(&r);
    rec->modified_segments = mini_column_text(&r);
    rec->started_ms = mini_column_num(&r);
    rec->created_ms = mini_column_int(&r);
    rec->adjusted_ms = mini_column_num(&r);
    rec->transcoded_ms = mini_column_num(&r);
    return r.failed ? GR_ERR_NO_MEMORY : GR_OK;
}

enum gr_err mini_recordings_load(struct gr_call *call, const char *class_id,
                                 struct mini_recordings *ret_recordings)
{
    const struct gr_value params[] = {gr_v_text(class_id)};
    struct reader reader = {.call = call};
    enum gr_err err = gr_store(call,
                               "SELECT id, rtc_id, created_by, stream_uri, segments,"
                               " modified_segments, started_at_ms, created_at_ms, adjusted_at_ms,"
                               " transcoded_at_ms FROM minigroups_recording"
                               " WHERE class_id = ?1 AND deleted_at_ms IS NULL"
                               " ORDER BY created_at_ms, id",
                               params, 1, read_recording, &reader, NULL);

    if (err == GR_OK)
        *ret_recordings = reader.out;
    return err;
}

static enum gr_err note_row(void *arg, const struct gr_value *columns, size_t count)
{
    bool *found = arg;

    (void)columns;
    *found = count > 0;
    return GR_OK;
}

enum gr_err mini_recording_put(struct gr_call *call, const char *class_id,
                               const struct mini_recording *stream, bool *ret_fresh)
{
    char id[37];

    gr_uuid(call->host, id);
    const struct gr_value params[] = {gr_v_text(id),
                                      gr_v_text(class_id),
                                      gr_v_text(stream->rtc_id),
                                      gr_v_text(stream->created_by),
                                      gr_v_text(stream->stream_uri),
                                      gr_v_text(stream->segments),
                                      stream->started_ms.set ? gr_v_int(stream->started_ms.value)
                                                             : gr_v_null(),
                                      gr_v_int(stream->created_ms)};
    *ret_fresh = false;
    return gr_store(call,
                    "INSERT INTO minigroups_recording (id, class_id, rtc_id, created_by,"
                    " stream_uri, segments, started_at_ms, created_at_ms)"
                    " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)"
                    " ON CONFLICT (class_id, created_by) WHERE deleted_at_ms IS NULL DO UPDATE SET"
                    " rtc_id = excluded.rtc_id, stream_uri = excluded.stream_uri,"
                    " segments = excluded.segments, modified_segments = NULL,"
                    " started_at_ms = excluded.started_at_ms,"
                    " created_at_ms = excluded.created_at_ms, adjusted_at_ms = NULL,"
                    " transcoded_at_ms = NULL"
                    " WHERE minigroups_recording.rtc_id <> excluded.rtc_id RETURNING id",
                    params, sizeof(params) / sizeof(params[0]), note_row, ret_fresh, NULL);
}

enum gr_err mini_recording_converted(struct gr_call *call, const char *id, const char *stream_uri,
                                     const char *segments, int64_t started_ms)
{
    const struct gr_value params[] = {gr_v_text(id), gr_v_text(stream_uri), gr_v_text(segments),
                                      gr_v_int(started_ms)};

    return gr_store(call,
                    "UPDATE minigroups_recording SET stream_uri = ?2, segments = ?3,"
                    " started_at_ms = ?4 WHERE id = ?1",
                    params, 4, NULL, NULL, NULL);
}

enum gr_err mini_recording_delete(struct gr_call *call, const char *id)
{
    const struct gr_value params[] = {gr_v_text(id)};

    return gr_store(call, "DELETE FROM minigroups_recording WHERE id = ?1", params, 1, NULL, NULL,
                    NULL);
}

enum gr_err mini_recording_adjusted(struct gr_call *call, const char *id, int64_t now_ms,
                                    const char *modified)
{
    const struct gr_value params[] = {gr_v_text(id), gr_v_int(now_ms), gr_v_text(modified)};

    return gr_store(call,
                    "UPDATE minigroups_recording SET adjusted_at_ms = ?2,"
                    " modified_segments = COALESCE(?3, segments) WHERE id = ?1",
                    params, 3, NULL, NULL, NULL);
}

enum gr_err mini_recordings_transcoded(struct gr_call *call, const char *class_id, int64_t now_ms)
{
    const struct gr_value params[] = {gr_v_text(class_id), gr_v_int(now_ms)};

    return gr_store(call,
                    "UPDATE minigroups_recording SET transcoded_at_ms = ?2"
                    " WHERE class_id = ?1 AND deleted_at_ms IS NULL",
                    params, 2, NULL, NULL, NULL);
}

const struct mini_recording *mini_recording_of_host(const struct mini_recordings *recordings,
                                                    const char *host)
{
    for (size_t i = 0; host && i < recordings->count; i++) {
        if (mini_is_host(gr_str_of(host), gr_str_of(recordings->list[i].created_by)))
            return &recordings->list[i];
    }
    return NULL;
}

bool mini_recordings_ready(const struct mini_recordings *recordings)
{
    for (size_t i = 0; i < recordings->count; i++) {
        const struct mini_recording *rec = &recordings->list[i];

        if (!rec->stream_uri || !rec->segments || !rec->started_ms.set)
            return false;
    }
    return recordings->count > 0;
}

/* --- positions --- */

enum gr_err mini_position_save(struct gr_call *call, const char *class_id, gr_str account,
                               int64_t position_s)
{
    const struct gr_value params[] = {gr_v_text(class_id), gr_v_str(account), gr_v_int(position_s),
                                      gr_v_int(gr_now_ms(call->host))};

    return gr_store(call,
                    "INSERT INTO minigroups_position"
                    " (class_id, account_id, position_secs, created_at_ms, updated_at_ms)"
                    " VALUES (?1, ?2, ?3, ?4, ?4)"
                    " ON CONFLICT (class_id, account_id) DO UPDATE SET"
                    " position_secs = excluded.position_secs,"
                    " updated_at_ms = excluded.updated_at_ms",
                    params, 4, NULL, NULL, NULL);
}

static enum gr_err read_num(void *arg, const struct gr_value *columns, size_t count)
{
    struct mini_num *num = arg;

    if (count != 1)
        return GR_ERR_STORE;
    *num = (struct mini_num){true, columns[0].i};
    return GR_OK;
}

enum gr_err mini_position_load(struct gr_call *call, const char *class_id, gr_str account,
                               struct mini_num *ret_position)
{
    const struct gr_value params[] = {gr_v_text(class_id), gr_v_str(account)};

    *ret_position = (struct mini_num){false, 0};
    return gr_store(call,
                    "SELECT position_secs FROM minigroups_position"
                    " WHERE class_id = ?1 AND account_id = ?2",
                    params, 2, read_num, ret_position, NULL);
}

/* --- accounts --- */

struct text {
    struct gr_call *call;
    const char *value;
};

static enum gr_err read_text(void *arg, const struct gr_value *columns, size_t count)
{
    struct text *text = arg;

    text->value = count == 1 ? gr_copy(text->call, columns[0].s) : NULL;
    return text->value ? GR_OK : GR_ERR_NO_MEMORY;
}

enum gr_err mini_account_load(struct gr_call *call, gr_str account, const char **ret_properties)
{
    const struct gr_value params[] = {gr_v_str(account)};
    struct text text = {call, NULL};
    enum gr_err err = gr_store(call, "SELECT properties FROM minigroups_account WHERE id = ?1",
                               params, 1, read_text, &text, NULL);

    if (err != GR_OK)
        return err;
    if (!text.value)
        return GR_ERR_NOT_FOUND;
    *ret_properties = text.value;
    return GR_OK;
}

struct account_property {
    gr_str account;
    gr_str name;
    const json_t *value;
    const char *all;
};

static enum gr_err set_account_property(struct gr_call *call, void *arg)
{
    struct account_property *p = arg;
    const struct gr_value key[] = {gr_v_str(p->account)};
    const char *old = NULL;
    /* The update also locks the row until the transaction ends. */
    enum gr_err err = gr_store(call,
                               "INSERT INTO minigroups_account (id) VALUES (?1)"
                               " ON CONFLICT (id) DO UPDATE SET id = excluded.id",
                               key, 1, NULL, NULL, NULL);

    if (err == GR_OK)
        err = mini_account_load(call, p->account, &old);
    if (err != GR_OK)
        return err;
    p->all = mini_json_set(call, old, p->name, p->value);
    if (!p->all)
        return GR_ERR_NO_MEMORY;
    if (strlen(p->all) > MINI_ACCOUNT_PROPERTIES_MAX)
        return GR_ERR_TOO_LARGE;
    const struct gr_value params[] = {gr_v_str(p->account), gr_v_text(p->all)};
    return gr_store(call, "UPDATE minigroups_account SET properties = ?2 WHERE id = ?1", params, 2,
                    NULL, NULL, NULL);
}

enum gr_err mini_account_set(struct gr_call *call, gr_str account, gr_str name, const json_t *value,
                             const char **ret_properties)
{
    struct account_property p = {account, name, value, NULL};
    enum gr_err err = gr_store_tx(call, set_account_property, &p);

    if (err == GR_OK)
        *ret_properties = p.all;
    return err;
}
