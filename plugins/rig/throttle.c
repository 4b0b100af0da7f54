/*
 * Counters in the store, which several gateways share. One conditional statement increments the row
 * of a counter, so that two gateways cannot both take the last use.
 */
#include "rig.h"

#include <stdio.h>

#define ID_SIZE 64

/* "login-user:5f0a…": a digest, because the key can be long and should not be readable in a dump.
 */
static void make_id(struct gr_call *call, const struct rig_limit *limit, char ret_id[ID_SIZE])
{
    unsigned char digest[32];

    gr_sha256(call->host, limit->key, digest);
    int at = snprintf(ret_id, ID_SIZE, "%.20s:", limit->kind);
    gr_hex(call->host, digest, 20, ret_id + at);
}

static enum gr_err take_one(struct gr_call *call, const struct rig_limit *limit, bool *ret_taken)
{
    char id[ID_SIZE];
    int64_t changed = 0;

    make_id(call, limit, id);
    const struct gr_value params[] = {gr_v_text(id), gr_v_int(gr_store_now_ms(call)),
                                      gr_v_int(limit->window_ms), gr_v_int(limit->max)};
    enum gr_err err =
        gr_store(call,
                 "INSERT INTO rig_throttle (id, used, until_ms) VALUES (?1, 1, ?2 + ?3)"
                 " ON CONFLICT (id) DO UPDATE SET"
                 " used = CASE WHEN rig_throttle.until_ms <= ?2 THEN 1"
                 " ELSE rig_throttle.used + 1 END,"
                 " until_ms = CASE WHEN rig_throttle.until_ms <= ?2 THEN ?2 + ?3"
                 " ELSE rig_throttle.until_ms END"
                 " WHERE rig_throttle.until_ms <= ?2 OR rig_throttle.used < ?4",
                 params, 4, NULL, NULL, &changed);
    *ret_taken = changed != 0;
    return err;
}

static int64_t wait_of(struct gr_call *call, const struct rig_limit *limit)
{
    struct rig_text_row row = {.call = call};
    char id[ID_SIZE];

    make_id(call, limit, id);
    const struct gr_value params[] = {gr_v_text(id)};
    enum gr_err err = gr_store_query(call, "SELECT until_ms FROM rig_throttle WHERE id = ?1",
                                     params, 1, rig_keep_row, &row);
    int64_t left_ms = row.number[0] - gr_store_now_ms(call);
    return err == GR_OK && row.found && left_ms > 0 ? left_ms : limit->window_ms;
}

enum gr_err rig_throttle_take(struct gr_call *call, const struct rig_limit *limits, size_t count,
                              int64_t *ret_retry_after_ms)
{
    enum gr_err err = GR_OK;
    bool taken = true;
    size_t done = 0;

    for (; done < count; done++) {
        if (limits[done].max <= 0)
            continue;
        err = take_one(call, &limits[done], &taken);
        if (err != GR_OK || !taken)
            break;
    }
    if (err == GR_OK && done == count)
        return GR_OK;
    if (err == GR_OK)
        *ret_retry_after_ms = wait_of(call, &limits[done]);
    /* A refused attempt must not use up the other limits, which could lock out the user. */
    while (done-- > 0)
        (void)rig_throttle_give(call, &limits[done], false);
    return err == GR_OK ? GR_ERR_RATE : err;
}

enum gr_err rig_throttle_give(struct gr_call *call, const struct rig_limit *limit, bool forget)
{
    char id[ID_SIZE];

    if (limit->max <= 0)
        return GR_OK;
    make_id(call, limit, id);
    const struct gr_value params[] = {gr_v_text(id)};
    return gr_store_exec(call,
                         forget
                             ? "DELETE FROM rig_throttle WHERE id = ?1"
                             : "UPDATE rig_throttle SET used = used - 1 WHERE id = ?1 AND used > 0",
                         params, 1);
}

enum gr_err rig_throttle_purge(struct gr_call *call)
{
    const struct gr_value params[] = {gr_v_int(gr_store_now_ms(call))};

    return gr_store_exec(call, "DELETE FROM rig_throttle WHERE until_ms <= ?1", params, 1);
}
