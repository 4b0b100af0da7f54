/* The destinations of a stream. */
#include "destinations.h"

#include "stream.h"

#include <stdlib.h>

#define DESTINATION_MESSAGE "Unable to add destination to stream"

struct destination {
    int64_t id;
    gr_str service;
    gr_str key;
    bool active;
};

static json_t *destination_json(struct gr_call *call, const struct destination *destination)
{
    char *service = gr_copy(call, destination->service);

    return service ? rig_destination(rig_of(call)->options->services, destination->id, service,
                                     destination->key, destination->active)
                   : NULL;
}

/* Takes the id in a statement outside the transaction, so that concurrent requests lock the counter
 * only briefly. An id that is not used afterwards is skipped. */
static enum gr_err next_id(struct gr_call *call, int64_t *ret_id)
{
    struct rig_text_row row = {.call = call};

    enum gr_err err = gr_store_query(call,
                                     "UPDATE rig_counters SET value = value + 1"
                                     " WHERE name = 'destination' RETURNING value",
                                     NULL, 0, rig_keep_row, &row);
    if (err == GR_OK && !row.found)
        return GR_ERR_STORE;
    *ret_id = row.number[0];
    return err;
}

static enum gr_err insert_destination(struct gr_call *call, void *arg)
{
    const struct destination *destination = arg;
    int64_t limit = rig_of(call)->options->max_destinations_per_stream;
    struct rig_stream stream;
    int64_t count = 0;

    enum gr_err err = rig_stream_read(call, &stream);
    if (err == GR_OK)
        err = rig_count(call, "SELECT count(*) FROM rig_destinations WHERE stream_id = ?1",
                        gr_str_of(stream.id), &count);
    if (err == GR_OK && limit && count >= limit)
        return GR_ERR_UNPROCESSABLE;
    if (err != GR_OK)
        return err;
    const struct gr_value params[] = {gr_v_int(destination->id), gr_v_text(stream.id),
                                      gr_v_str(destination->service), gr_v_str(destination->key)};
    err =
        gr_store_exec(call,
                      "INSERT INTO rig_destinations (id, stream_id, service, stream_key, is_active)"
                      " VALUES (?1, ?2, ?3, ?4, 1)",
                      params, 4);
    if (err == GR_OK)
        err = rig_audit(call, "destination added", gr_caller(call), gr_str_of(stream.id), "ok");
    return err;
}

enum gr_err rig_destinations_add(struct gr_call *call)
{
    const struct rig_options *options = rig_of(call)->options;
    struct destination destination = {.service = rig_text(gr_json(call), "service"),
                                      .key = rig_text(gr_json(call), "streamKey"),
                                      .active = true};

    if (!rig_service_known(options->services, destination.service.ptr))
        return rig_fail(call, GR_ERR_INVALID, 400, RIG_CREATE, DESTINATION_MESSAGE);
    enum gr_err err = next_id(call, &destination.id);
    if (err == GR_OK)
        err = gr_store_tx(call, insert_destination, &destination);
    if (err == GR_ERR_UNPROCESSABLE)
        return rig_fail_limit(call, options->max_destinations_per_stream);
    if (err != GR_OK)
        return rig_stream_fail(call, err, RIG_CREATE, DESTINATION_MESSAGE);
    return rig_reply(call, "Stream destination added", destination_json(call, &destination));
}

/* Reads the stream and the destination of the path. The stream must belong to the caller. */
static enum gr_err read_destination(struct gr_call *call, struct rig_stream *stream,
                                    struct destination *destination)
{
    gr_str text = gr_param(call, "destinationID");
    struct rig_text_row row = {.call = call};
    char *end = NULL;

    enum gr_err err = rig_stream_read(call, stream);
    if (err != GR_OK)
        return err;
    if (text.len == 0 || text.len > 18 || text.ptr[0] < '0' || text.ptr[0] > '9')
        return GR_ERR_NOT_FOUND;
    destination->id = strtoll(text.ptr, &end, 10);
    if (*end)
        return GR_ERR_NOT_FOUND;
    const struct gr_value params[] = {gr_v_int(destination->id), gr_v_text(stream->id)};
    err = gr_store_query(call,
                         "SELECT service, stream_key, is_active FROM rig_destinations"
                         " WHERE id = ?1 AND stream_id = ?2",
                         params, 2, rig_keep_row, &row);
    if (err == GR_OK && !row.found)
        return GR_ERR_NOT_FOUND;
    destination->service = gr_str_of(row.text[0]);
    destination->key = gr_str_of(row.text[1]);
    destination->active = row.number[2] != 0;
    return err;
}

enum gr_err rig_destination_admit(struct gr_call *call)
{
    struct destination destination;
    struct rig_stream stream;

    enum gr_err err = read_destination(call, &stream, &destination);
    if (err == GR_ERR_NOT_FOUND)
        return rig_fail(call, err, 404, RIG_NOT_FOUND, NULL);
    return err;
}

static enum gr_err update_destination(struct gr_call *call, void *arg)
{
    const json_t *active = json_object_get(gr_json(call), "isActive");
    gr_str key = rig_text(gr_json(call), "streamKey");
    struct destination *destination = arg;
    struct rig_stream stream;

    enum gr_err err = read_destination(call, &stream, destination);
    if (err != GR_OK)
        return err;
    if (json_is_boolean(active))
        destination->active = json_is_true(active);
    if (key.len)
        destination->key = key;
    const struct gr_value params[] = {gr_v_int(destination->id), gr_v_str(destination->key),
                                      gr_v_int(destination->active)};
    err = gr_store_exec(call,
                        "UPDATE rig_destinations SET stream_key = ?2, is_active = ?3 WHERE id = ?1",
                        params, 3);
    if (err == GR_OK)
        err = rig_audit(call, "destination changed", gr_caller(call), gr_str_of(stream.id), "ok");
    return err;
}

enum gr_err rig_destinations_update(struct gr_call *call)
{
    struct destination destination;

    enum gr_err err = gr_store_tx(call, update_destination, &destination);
    if (err != GR_OK)
        return rig_stream_fail(call, err, RIG_UPDATE, NULL);
    return rig_reply(call, "Stream destination updated", destination_json(call, &destination));
}

static enum gr_err remove_destination(struct gr_call *call, void *arg)
{
    struct destination destination;
    struct rig_stream stream;

    (void)arg;
    enum gr_err err = read_destination(call, &stream, &destination);
    if (err != GR_OK)
        return err;
    const struct gr_value params[] = {gr_v_int(destination.id)};
    err = gr_store_exec(call, "DELETE FROM rig_destinations WHERE id = ?1", params, 1);
    if (err == GR_OK)
        err = rig_audit(call, "destination removed", gr_caller(call), gr_str_of(stream.id), "ok");
    return err;
}

enum gr_err rig_destinations_remove(struct gr_call *call)
{
    enum gr_err err = gr_store_tx(call, remove_destination, NULL);

    if (err != GR_OK)
        return rig_stream_fail(call, err, RIG_UPDATE, NULL);
    return rig_reply(call, "Stream destination removed", NULL);
}
