/*
 * Rows and helpers that several 100ms groups use; see common.h.
 */
#include "common.h"

#include <jansson.h>
#include <stdlib.h>

/* Lifetime of a join token in seconds, as in all samples of 100ms. */
#define JOIN_LIFETIME_S (24 * 60 * 60)

/* Query and path --------------------------------------------------------------------------- */

const struct gr_field hms_room_params[] = {HMS_PARAM_ROOM, GR_END};

const struct gr_field hms_page_query[] = {
    GR_FIELD("limit", GR_INT, "Maximum number of items in the answer", .range = GR_RANGE(10, 100),
             .default_doc = "10"),
    HMS_QUERY_START,
    GR_END,
};

const struct gr_field hms_job_query[] = {
    HMS_QUERY_ROOM,
    HMS_QUERY_SESSION,
    GR_FIELD("status", GR_STRING, "Only jobs in this state", .flags = GR_FIELD_HINTS,
             .values = HMS_JOB_STATES),
    HMS_QUERY_LIMIT_OPEN,
    HMS_QUERY_START,
    GR_END,
};

/* Answers ---------------------------------------------------------------------------------- */

const struct gr_field hms_message[] = {
    GR_FIELD("message", GR_STRING, "Result in words"),
    GR_END,
};

static const struct gr_field size_in_pixels[] = {
    GR_FIELD("width", GR_INT, "Size in pixels"),
    GR_FIELD("height", GR_INT, "Size in pixels"),
    GR_END,
};

static const struct gr_field asset_metadata[] = {
    GR_FIELD("resolution", GR_OBJECT, "Size of the picture", .fields = size_in_pixels),
    GR_FIELD("num_layers", GR_STRING, "Number of layers, for a room-vod"),
    GR_FIELD("layer", GR_STRING, "Layer of the stream that the file holds"),
    GR_FIELD("max_width", GR_INT, "Width of the largest layer in pixels"),
    GR_FIELD("max_height", GR_INT, "Height of the largest layer in pixels"),
    GR_FIELD("output_mode", GR_STRING, "Format, for a transcript"),
    GR_FIELD("track_id", GR_STRING, "Recorded track, for a track"),
    GR_FIELD("track_type", GR_STRING, "`audio` or `video`, for a track"),
    GR_FIELD("stream_id", GR_STRING, "Recorded stream, for a stream"),
    GR_FIELD("stream_type", GR_STRING, "`regular` or `screen`, for a stream"),
    GR_FIELD("peer_id", GR_STRING, "Peer who published the media"),
    GR_FIELD("user_id", GR_STRING, "User who published the media"),
    GR_END,
};

const struct gr_field hms_asset[] = {
    GR_FIELD("id", GR_STRING, "ID of the asset"),
    GR_FIELD("job_id", GR_STRING, "Recording or stream that produced the asset"),
    GR_FIELD("room_id", GR_STRING, "Room of the asset"),
    GR_FIELD("session_id", GR_STRING, "Recorded session"),
    GR_FIELD("type", GR_STRING, "Type of the content", .values = hms_asset_types),
    GR_FIELD("path", GR_STRING, "Path in the storage"),
    GR_FIELD("status", GR_STRING, "`completed` or `failed`; for transcripts also `processing`"),
    GR_FIELD("size", GR_INT, "Size in bytes"),
    GR_FIELD("duration", GR_INT, "Duration in seconds"),
    GR_FIELD("created_at", GR_TIME, "When the asset was created"),
    GR_FIELD("thumbnails", GR_ARRAY, "Paths of the thumbnails", .items = GR_ITEM(GR_STRING)),
    GR_FIELD("metadata", GR_OBJECT, "Details, which depend on the type", .fields = asset_metadata),
    GR_END,
};

const char *const hms_asset_types[] = {
    "room-composite",
    "room-composite-legacy",
    "room-vod",
    "chat",
    "transcript",
    "summary",
    "track",
    "stream",
    NULL,
};

/* Bodies ----------------------------------------------------------------------------------- */

/* Helpers ---------------------------------------------------------------------------------- */

/* Serialises JSON into text that is valid until the call ends. Takes over the reference. */
static enum gr_err print_json(struct gr_call *call, json_t *stolen, gr_str *ret_text)
{
    char *text = stolen ? json_dumps(stolen, JSON_COMPACT) : NULL;
    enum gr_err r;

    json_decref(stolen);
    if (!text)
        return gr_fail(call, GR_ERR_NO_MEMORY, "no memory for the body");
    r = gr_defer(call, free, text);
    if (r == GR_OK)
        *ret_text = gr_str_of(text);
    return r;
}

/* All path parameters of the request: an operator may have configured a path that uses any of
 * them. */
static const struct gr_pair *path_params(struct gr_call *call, const struct gr_field *rows)
{
    struct gr_pair *pairs;
    size_t count = 0;

    while (rows && rows[count].name)
        count++;
    pairs = gr_alloc(call, (count + 1) * sizeof(*pairs));
    for (size_t i = 0; pairs && i < count; i++)
        pairs[i] = (struct gr_pair){gr_str_of(rows[i].name), gr_param(call, rows[i].name)};
    return pairs;
}

enum gr_err hms_relay(struct gr_call *call, json_t *stolen_body, const char *bearer)
{
    const struct gr_route *route = gr_route_of(call);
    struct gr_upstream_request request = {
        .upstream = route->forward->upstream,
        .method = route->forward->method ? route->forward->method : route->method,
        .path = route->forward->path,
        .params = path_params(call, route->params),
        .bearer = bearer,
        .flags = route->forward->flags & GR_FORWARD_IDEMPOTENT ? GR_UPSTREAM_IDEMPOTENT : 0,
    };
    enum gr_err r;

    r = print_json(call, stolen_body, &request.body);
    if (r != GR_OK)
        return r;
    if (!request.params)
        return gr_fail(call, GR_ERR_NO_MEMORY, "no memory for the path");
    return gr_relay(call, &request);
}

/* The text has been read from JSON, so it is valid UTF-8. Fails when it is NULL. */
static bool add_claim(json_t *claims, const char *name, const char *text)
{
    return json_object_set_new_nocheck(claims, name, json_string_nocheck(text)) == 0;
}

enum gr_err hms_join_token(struct gr_call *call, const char *upstream, const struct hms_join *join,
                           char **ret_token)
{
    int64_t lifetime_s = join->lifetime_s ? join->lifetime_s : JOIN_LIFETIME_S;
    json_t *claims = json_object();
    enum gr_err r = GR_ERR_NO_MEMORY;

    if (claims && add_claim(claims, "type", "app") && add_claim(claims, "room_id", join->room_id) &&
        add_claim(claims, "role", join->role) &&
        (!join->user_id || add_claim(claims, "user_id", join->user_id)))
        r = gr_credential_sign(call, upstream, claims, lifetime_s, ret_token);
    json_decref(claims);
    if (r != GR_OK)
        return gr_fail(call, r, "the token cannot be signed");
    return GR_OK;
}
