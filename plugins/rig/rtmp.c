/*
 * Begin, renewal and end of broadcasts. A broadcast holds a lease on its stream. One conditional
 * update takes the lease, so that only one of two publishers gets it. Callbacks renew it, and it
 * expires when an edge host dies.
 */
#include "rtmp.h"

#define CLIENT_MAX 256
#define END_LEASE                                                                                  \
    "UPDATE rig_streams SET live_until_ms = NULL, live_agent = NULL, live_client = NULL"           \
    " WHERE live_agent = ?1 AND live_client = ?2 AND "

/* A publish request and its result. */
struct publish {
    const struct rig_notice *notice;
    gr_str agent;
    char id[RIG_UUID_SIZE]; /* id of the broadcast */
    const char *stream_id;
};

static enum gr_err need_name(struct gr_call *call, const struct rig_notice *notice)
{
    json_t *details;

    if (notice->name.len && notice->client.len <= CLIENT_MAX)
        return GR_OK;
    details = json_pack("{s:[s]}", "Name", "zero value");
    const struct gr_error error = {.err = GR_ERR_INVALID,
                                   .status = 400,
                                   .code = RIG_MISSING,
                                   .message = "Missing required input",
                                   .details = details};
    enum gr_err err = gr_fail_with(call, &error);
    json_decref(details);
    return err;
}

/* Binds an empty text for a field that was not sent, where gr_v_str() would bind SQL NULL. */
static struct gr_value v_text(gr_str text)
{
    return gr_v_str(text.ptr ? text : GR_STR(""));
}

/*
 * A broadcaster that stops but keeps its connection publishes an empty name. The server has then
 * forgotten the key, and every later callback of this connection has the empty name as well.
 */
static bool name_is_empty(const struct rig_notice *notice)
{
    return notice->name.ptr && notice->name.len == 0;
}

/* ------------------------------------------------------------------------------------------ */
/* The end of a broadcast                                                                     */

struct ending {
    const struct rig_notice *notice;
    size_t ended;
};

/* Ends one broadcast of the connection that sent the callback. A callback must not end a broadcast
 * that another connection began under the same key, even when it comes late. */
static enum gr_err end_one(struct gr_call *call, const struct rig_notice *notice, bool *ret_found)
{
    const struct gr_value holder[] = {gr_v_str(gr_caller(call)), v_text(notice->client),
                                      v_text(notice->name)};
    struct rig_text_row row = {.call = call};
    bool any_key = name_is_empty(notice);

    enum gr_err err = gr_store_query(
        call,
        any_key ? END_LEASE "id = (SELECT id FROM rig_streams WHERE live_agent = ?1"
                            " AND live_client = ?2 AND live_until_ms IS NOT NULL LIMIT 1)"
                            " RETURNING id, live_id"
                : END_LEASE "live_key = ?3 RETURNING id, live_id",
        holder, any_key ? 2 : 3, rig_keep_row, &row);
    *ret_found = row.found;
    if (err != GR_OK || !row.found)
        return err;
    const struct gr_value params[] = {gr_v_text(row.text[1]), gr_v_int(gr_store_now_ms(call))};
    err = gr_store_exec(call,
                        "UPDATE rig_broadcasts SET ended_at_ms = ?2, reason = 'done' WHERE id = ?1",
                        params, 2);
    if (err == GR_OK)
        err = rig_audit(call, "publish", gr_caller(call), gr_str_of(row.text[0]), "ended");
    return err;
}

static enum gr_err end_tx(struct gr_call *call, void *arg)
{
    struct ending *ending = arg;
    enum gr_err err = GR_OK;
    bool found = true;

    ending->ended = 0;
    while (err == GR_OK && found) {
        err = end_one(call, ending->notice, &found);
        ending->ended += found;
        found = found && name_is_empty(ending->notice);
    }
    return err;
}

/* Ends the connection's broadcast under the key of the callback; with an empty key, all broadcasts
 * of the connection. An error has failed the call. */
static enum gr_err end_broadcasts(struct gr_call *call, const struct rig_notice *notice,
                                  size_t *ret_ended)
{
    struct ending ending = {.notice = notice};
    enum gr_err err = GR_OK;

    /* Connections without a client id cannot be told apart, so an empty key ends none of them. */
    if (notice->name.len || (name_is_empty(notice) && notice->client.len))
        err = gr_store_tx(call, end_tx, &ending);
    if (err != GR_OK)
        return rig_fail_store(call, err, RIG_UPDATE, NULL);
    if (ending.ended)
        gr_timer_wake(call->self, "leases");
    *ret_ended = ending.ended;
    return GR_OK;
}

/* ------------------------------------------------------------------------------------------ */
/* on_publish                                                                                 */

/* Ends a broadcast with an expired lease before the next one begins. */
static enum gr_err close_old(struct gr_call *call, gr_str key, int64_t now_ms)
{
    const struct gr_value params[] = {gr_v_str(key), gr_v_int(now_ms)};

    return gr_store_exec(call,
                         "UPDATE rig_broadcasts SET reason = 'lease', ended_at_ms ="
                         " (SELECT live_until_ms FROM rig_streams WHERE stream_key = ?1)"
                         " WHERE ended_at_ms IS NULL AND id = (SELECT live_id FROM rig_streams"
                         " WHERE stream_key = ?1 AND live_until_ms <= ?2)",
                         params, 2);
}

static enum gr_err take_lease(struct gr_call *call, const struct publish *publish, int64_t now_ms,
                              int64_t *ret_changed)
{
    const struct gr_value params[] = {gr_v_str(publish->notice->name),
                                      gr_v_text(publish->id),
                                      gr_v_str(publish->agent),
                                      v_text(publish->notice->client),
                                      gr_v_int(now_ms),
                                      gr_v_int(now_ms + rig_of(call)->options->lease)};

    return gr_store(call,
                    "UPDATE rig_streams SET live_id = ?2, live_key = ?1, live_agent = ?3,"
                    " live_client = ?4, live_until_ms = ?6"
                    " WHERE stream_key = ?1 AND is_active = 1"
                    " AND (live_until_ms IS NULL OR live_until_ms <= ?5)"
                    " AND EXISTS (SELECT 1 FROM rig_users"
                    " WHERE rig_users.id = rig_streams.user_id AND rig_users.is_active = 1)",
                    params, 6, NULL, NULL, ret_changed);
}

/* Returns why the lease was not taken: GR_ERR_NOT_FOUND, GR_ERR_CONFLICT, or GR_OK when the same
 * connection already holds it and its server repeats the request. */
static enum gr_err look_at_holder(struct gr_call *call, struct publish *publish)
{
    const struct gr_value params[] = {gr_v_str(publish->notice->name)};
    struct rig_text_row row = {.call = call};

    enum gr_err err =
        gr_store_query(call,
                       "SELECT s.id, s.live_agent, s.live_client, s.live_id"
                       " FROM rig_streams s JOIN rig_users u ON u.id = s.user_id"
                       " WHERE s.stream_key = ?1 AND s.is_active = 1 AND u.is_active = 1",
                       params, 1, rig_keep_row, &row);
    if (err != GR_OK)
        return err;
    if (!row.found)
        return GR_ERR_NOT_FOUND;
    publish->stream_id = row.text[0];
    if (row.text[1] && gr_str_eq(gr_str_of(row.text[1]), publish->agent) && row.text[2] &&
        gr_str_eq(gr_str_of(row.text[2]), publish->notice->client))
        return GR_OK;
    return GR_ERR_CONFLICT;
}

static enum gr_err begin_broadcast(struct gr_call *call, struct publish *publish, int64_t now_ms)
{
    const struct gr_value key[] = {gr_v_str(publish->notice->name)};
    struct rig_text_row row = {.call = call};

    enum gr_err err = gr_store_query(call, "SELECT id FROM rig_streams WHERE stream_key = ?1", key,
                                     1, rig_keep_row, &row);
    if (err != GR_OK)
        return err;
    publish->stream_id = row.text[0];
    const struct gr_value params[] = {gr_v_text(publish->id),
                                      gr_v_text(publish->stream_id),
                                      gr_v_str(publish->agent),
                                      v_text(publish->notice->client),
                                      gr_v_str(publish->notice->address),
                                      gr_v_int(now_ms)};
    err = gr_store_exec(call,
                        "INSERT INTO rig_broadcasts (id, stream_id, agent, client, address,"
                        " started_at_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                        params, 6);
    if (err == GR_OK)
        err = rig_audit(call, "publish", publish->agent, gr_str_of(publish->stream_id), "accepted");
    return err;
}

static enum gr_err publish_tx(struct gr_call *call, void *arg)
{
    struct publish *publish = arg;
    int64_t now_ms = gr_store_now_ms(call);
    int64_t changed = 0;

    enum gr_err err = close_old(call, publish->notice->name, now_ms);
    if (err == GR_OK)
        err = take_lease(call, publish, now_ms, &changed);
    if (err == GR_OK && changed == 0)
        return look_at_holder(call, publish);
    return err == GR_OK ? begin_broadcast(call, publish, now_ms) : err;
}

static enum gr_err refuse_publish(struct gr_call *call, const struct publish *publish,
                                  enum gr_err err)
{
    enum gr_err noted = GR_OK;

    if (err == GR_ERR_NOT_FOUND || err == GR_ERR_CONFLICT)
        noted = rig_audit(call, "publish", publish->agent, gr_str_of(publish->stream_id),
                          err == GR_ERR_CONFLICT ? "in use" : "refused");
    if (noted != GR_OK)
        return rig_fail_store(call, noted, RIG_FETCH, NULL);
    if (err == GR_ERR_NOT_FOUND)
        return rig_fail(call, err, 404, RIG_NOT_FOUND, NULL);
    if (err == GR_ERR_CONFLICT)
        return rig_fail(call, err, 409, RIG_IN_USE, NULL);
    return rig_fail_store(call, err, RIG_FETCH, NULL);
}

enum gr_err rig_on_publish(struct gr_call *call)
{
    struct rig_notice notice;
    struct publish publish = {.notice = &notice, .agent = gr_caller(call)};
    json_t *list = NULL;
    size_t ended = 0;

    enum gr_err err = rig_notice_read(call, &notice);
    if (err == GR_OK && name_is_empty(&notice))
        err = end_broadcasts(call, &notice, &ended);
    if (err == GR_OK && ended)
        return rig_reply(call, "Publish ended", NULL);
    if (err == GR_OK)
        err = need_name(call, &notice);
    if (err != GR_OK)
        return err;
    gr_uuid(call->host, publish.id);
    err = gr_store_tx(call, publish_tx, &publish);
    if (err == GR_OK)
        err = rig_destinations(call, publish.stream_id, &list);
    gr_metric_add(call->self, "publishes_total", err == GR_OK ? "accepted" : "refused", 1);
    if (err != GR_OK)
        return refuse_publish(call, &publish, err);
    gr_timer_wake(call->self, "leases");
    return rig_reply(call, "Publish accepted", list);
}

enum gr_err rig_on_connect(struct gr_call *call)
{
    /* The key is not known yet; it is checked at the publish that follows. */
    return rig_reply(call, "Connect accepted", NULL);
}

/* ------------------------------------------------------------------------------------------ */
/* on_update, on_publish_done                                                                 */

/*
 * Renews the lease of its holder as long as the stream may be published to under this key. An
 * expired lease is renewed too, unless another connection has taken it: the callback proves that
 * the broadcast is live.
 */
static enum gr_err renew_tx(struct gr_call *call, void *arg)
{
    const struct rig_notice *notice = arg;
    const struct gr_value params[] = {
        gr_v_str(notice->name), gr_v_str(gr_caller(call)), v_text(notice->client),
        gr_v_int(gr_store_now_ms(call) + rig_of(call)->options->lease)};
    struct rig_text_row row = {.call = call};

    enum gr_err err = gr_store_query(call,
                                     "UPDATE rig_streams SET live_until_ms = ?4"
                                     " WHERE stream_key = ?1 AND live_key = ?1 AND is_active = 1"
                                     " AND live_agent = ?2 AND live_client = ?3"
                                     " AND EXISTS (SELECT 1 FROM rig_users"
                                     " WHERE rig_users.id = rig_streams.user_id"
                                     " AND rig_users.is_active = 1) RETURNING live_id",
                                     params, 4, rig_keep_row, &row);
    if (err != GR_OK)
        return err;
    if (!row.found)
        return GR_ERR_NOT_FOUND;
    const struct gr_value id[] = {gr_v_text(row.text[0])};
    return gr_store_exec(call,
                         "UPDATE rig_broadcasts SET ended_at_ms = NULL, reason = NULL"
                         " WHERE id = ?1 AND reason = 'lease'",
                         id, 1);
}

enum gr_err rig_on_update(struct gr_call *call)
{
    struct rig_notice notice;

    enum gr_err err = rig_notice_read(call, &notice);
    /* Any answer other than 2xx would close the connection, which stays open after a stop. */
    if (err == GR_OK && name_is_empty(&notice))
        return rig_reply(call, "Nothing to renew", NULL);
    if (err == GR_OK)
        err = need_name(call, &notice);
    if (err != GR_OK)
        return err;
    err = gr_store_tx(call, renew_tx, &notice);
    if (err == GR_ERR_NOT_FOUND)
        return rig_fail(call, err, 404, RIG_NOT_FOUND, NULL);
    if (err != GR_OK)
        return rig_fail_store(call, err, RIG_UPDATE, NULL);
    return rig_reply(call, "Publish renewed", NULL);
}

enum gr_err rig_on_done(struct gr_call *call)
{
    struct rig_notice notice;
    size_t ended = 0;

    enum gr_err err = rig_notice_read(call, &notice);
    if (err == GR_OK)
        err = end_broadcasts(call, &notice, &ended);
    if (err != GR_OK)
        return err;
    return rig_reply(call, "Publish ended", NULL);
}

/* ------------------------------------------------------------------------------------------ */
/* Leases                                                                                     */

static enum gr_err end_leases_tx(struct gr_call *call, void *arg)
{
    const struct gr_value params[] = {gr_v_int(gr_store_now_ms(call))};

    (void)arg;
    enum gr_err err = gr_store_exec(call,
                                    "UPDATE rig_broadcasts SET reason = 'lease', ended_at_ms = ?1"
                                    " WHERE ended_at_ms IS NULL AND id IN (SELECT live_id"
                                    " FROM rig_streams WHERE live_until_ms <= ?1)",
                                    params, 1);
    if (err != GR_OK)
        return err;
    return gr_store_exec(
        call, "UPDATE rig_streams SET live_until_ms = NULL WHERE live_until_ms <= ?1", params, 1);
}

enum gr_err rig_end_leases(struct gr_call *call)
{
    const struct gr_value params[] = {gr_v_int(gr_store_now_ms(call))};
    struct rig_text_row row = {.call = call};

    /* Usually no lease has expired, so a transaction that writes is not needed. */
    enum gr_err err = gr_store_query(call,
                                     "SELECT count(*), (SELECT count(*) FROM rig_streams"
                                     " WHERE live_until_ms > ?1) FROM rig_streams"
                                     " WHERE live_until_ms <= ?1",
                                     params, 1, rig_keep_row, &row);
    if (err == GR_OK && row.number[0])
        err = gr_store_tx(call, end_leases_tx, NULL);
    if (err != GR_OK)
        return err;
    struct rig *rig = rig_of(call);
    gr_metric_add(call->self, "streams_live", NULL, row.number[1] - rig->live_shown);
    rig->live_shown = row.number[1];
    return GR_OK;
}
