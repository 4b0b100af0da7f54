#include "class_snapshot.h"

enum mini_status mini_class_status(const struct mini_class *row,
                                   const struct mini_recordings *recordings, int64_t now_ms)
{
    struct mini_life life = {.has_end = row->end_ms.set, .end_ms = row->end_ms.value};

    if (recordings->count) {
        life.recorded = true;
        life.adjusted = recordings->list[0].adjusted_ms.set;
        life.transcoded = recordings->list[0].transcoded_ms.set;
    }
    return mini_status_of(&life, now_ms);
}

/* Loads the recordings of snapshot->row and computes the facts. */
static enum gr_err fill(struct gr_call *call, struct mini_class_snapshot *snapshot)
{
    enum gr_err err = mini_recordings_load(call, snapshot->row.id, &snapshot->recordings);

    if (err != GR_OK)
        return err;
    snapshot->now_ms = gr_now_ms(call->host);
    snapshot->facts = (struct mini_facts){
        .status = mini_class_status(&snapshot->row, &snapshot->recordings, snapshot->now_ms),
        .stopped = snapshot->row.stopped_ms.set,
        .transcoding = snapshot->row.transcoding_ms.set};
    for (size_t i = 0; i < snapshot->recordings.count; i++)
        snapshot->facts.unadjusted |= !snapshot->recordings.list[i].adjusted_ms.set;
    return GR_OK;
}

enum gr_err mini_class_snapshot_lock(struct gr_call *call, const char *class_id,
                                     struct mini_class_snapshot *snapshot)
{
    enum gr_err err = mini_class_find_for_update(call, class_id, &snapshot->row);

    return err == GR_OK ? fill(call, snapshot) : err;
}

enum gr_err mini_class_snapshot_load(struct gr_call *call, const char *class_id,
                                     struct mini_class_snapshot *snapshot)
{
    enum gr_err err =
        mini_class_find(call, MINI_BY_ID, gr_str_of(class_id), (gr_str){NULL, 0}, &snapshot->row);

    return err == GR_OK ? fill(call, snapshot) : err;
}
