/* Reads one stream of a user, and fails a call when that is not possible. */
#include "stream.h"

enum gr_err rig_stream_read(struct gr_call *call, struct rig_stream *stream)
{
    struct rig_text_row row = {.call = call};

    if (!rig_uuid_parse(gr_param(call, "streamID"), stream->id))
        return GR_ERR_NOT_FOUND;
    const struct gr_value params[] = {gr_v_text(stream->id), gr_v_str(gr_caller(call))};
    enum gr_err err = gr_store_query(call,
                                     "SELECT stream_key, is_active, live_until_ms FROM rig_streams"
                                     " WHERE id = ?1 AND user_id = ?2",
                                     params, 2, rig_keep_row, &row);
    if (err != GR_OK)
        return err;
    if (!row.found)
        return GR_ERR_NOT_FOUND;
    stream->key = row.text[0];
    stream->active = row.number[1] != 0;
    stream->live = row.number[2] > gr_store_now_ms(call);
    return GR_OK;
}

enum gr_err rig_stream_fail(struct gr_call *call, enum gr_err err, enum rig_code code,
                            const char *message)
{
    if (err == GR_ERR_NOT_FOUND)
        return rig_fail(call, err, 404, RIG_NOT_FOUND, NULL);
    if (err == GR_ERR_CONFLICT)
        return rig_fail(call, err, 409, RIG_IN_USE, NULL);
    /* The user was removed during the request. */
    if (err == GR_ERR_STORE_FOREIGN)
        return rig_fail(call, GR_ERR_UNAUTHORIZED, 401, RIG_CREDENTIALS, NULL);
    return rig_fail_store(call, err, code, message);
}

enum gr_err rig_count(struct gr_call *call, const char *sql, gr_str key, int64_t *ret_count)
{
    const struct gr_value params[] = {gr_v_str(key)};
    struct rig_text_row row = {.call = call};

    enum gr_err err = gr_store_query(call, sql, params, 1, rig_keep_row, &row);
    if (err == GR_OK)
        *ret_count = row.number[0];
    return err;
}
