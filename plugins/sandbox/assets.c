/* Recording assets, and presigned URLs for their bytes. */
#include "jobs.h"
#include "routes.h"

#define PRESIGN_DEFAULT_S (3 * 86400)
#define BUCKET "s3://sandbox-recordings/"

/* The types of assets. size is the number of bytes served. */
static const struct asset_kind {
    const char *type;
    const char *folder;
    const char *file;
    const char *extension;
    const char *content_type;
    const char *head; /* first bytes */
    size_t head_length;
    int64_t size;
} asset_kinds[] = {
#define HEAD(text_) (text_), sizeof(text_) - 1
    {"room-composite", "beam", "Rec", "mp4", "video/mp4",
     HEAD("\0\0\0\x18"
          "ftypisom\0\0\2\0isommp41"),
     65536},
    {"room-vod", "hls", "main", "m3u8", "application/vnd.apple.mpegurl",
     HEAD("#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-ENDLIST\n"), 512},
    {"chat", "beam", "Chat", "csv", "text/csv", HEAD("time,sender,message\n"), 256},
    {"transcript", "transcripts", "Transcript", "txt", "text/plain",
     HEAD("[00:00] host: hello from the sandbox\n"), 1024},
    {"summary", "transcripts", "Summary", "json", "application/json",
     HEAD("{\"sections\":[{\"title\":\"Topics\",\"format\":\"bullets\",\"bullets\":[]}]}"), 512},
#undef HEAD
};
#define ASSET_KINDS (sizeof(asset_kinds) / sizeof(asset_kinds[0]))

static const struct asset_kind *kind_of(const char *type)
{
    const struct asset_kind *kind = asset_kinds;

    while (kind < asset_kinds + ASSET_KINDS - 1 && strcmp(kind->type, type) != 0)
        kind++;
    return kind;
}

/* mode: output mode of a transcript or summary, for example "txt"; NULL for other types. */
static json_t *metadata_of(struct sandbox *sb, const json_t *job, const char *type,
                           const char *mode)
{
    json_int_t width = sb_job_width(job);
    json_int_t height = sb_job_height(job);

    if (strcmp(type, "room-vod") == 0)
        return sb_pack(sb, "{ss sI sI}", "num_layers", "1", "max_width", width, "max_height",
                       height);
    if (strcmp(type, "room-composite") == 0)
        return sb_pack(sb, "{s{sI sI}}", "resolution", "width", width, "height", height);
    return sb_pack(sb, "{ss*}", "output_mode", mode);
}

static json_t *make_asset(struct sandbox *sb, const json_t *job, const char *type, const char *mode)
{
    const struct asset_kind *kind = kind_of(type);
    struct sb_name id = sb_new_id(sb);
    struct sb_name day = sb_stamp(sb->now_ms);

    day.text[10] = '\0';
    return sb_put(
        sb, "recording-assets", id.text,
        sb_pack(sb, "{ss ss ss ss ss so ss sI sI so sn so}", "id", id.text, "job_id",
                sb_text(job, "id"), "room_id", sb_text(job, "room_id"), "session_id",
                sb_text(job, "session_id"), "type", type, "path",
                json_sprintf(BUCKET "%s/%s/%s/%s-%s.%s", kind->folder, sb_text(job, "room_id"),
                             day.text, kind->file, id.text, mode ? mode : kind->extension),
                "status", "completed", "size", (json_int_t)kind->size, "duration",
                (json_int_t)sb_job_seconds(sb, job), "created_at", sb_time(sb, sb->now_ms),
                "thumbnails", "metadata", metadata_of(sb, job, type, mode)));
}

/* Makes an asset and inserts its short form at the front of made. */
static void prepend_asset(struct sandbox *sb, const json_t *job, const char *type, const char *mode,
                          json_t *made)
{
    static const char *const own[] = {"job_id", "room_id", "session_id"};
    json_t *view = sb_view(sb, make_asset(sb, job, type, mode));

    for (size_t k = 0; k < sizeof(own) / sizeof(own[0]); k++)
        sb_unset(sb, view, own[k]);
    if (json_array_insert_new(made, 0, view))
        sb->failed = true;
}

/* Makes one transcript for each requested output mode. */
static void prepend_transcripts(struct sandbox *sb, const json_t *job, json_t *made)
{
    const json_t *modes = json_object_get(json_object_get(job, ".transcription"), "output_modes");

    if (!json_array_size(modes))
        prepend_asset(sb, job, "transcript", "txt", made);
    for (size_t i = json_array_size(modes); i-- > 0;)
        prepend_asset(sb, job, "transcript", json_string_value(json_array_get(modes, i)), made);
}

json_t *sb_assets_make(struct sandbox *sb, json_t *job, const json_t *types)
{
    json_t *made = sb_pack(sb, "[]");

    /* In reverse order, because lists show the newest row first. */
    for (size_t i = json_array_size(types); i-- > 0;) {
        const char *type = json_string_value(json_array_get(types, i));

        if (strcmp(type, "transcript") == 0)
            prepend_transcripts(sb, job, made);
        else
            prepend_asset(sb, job, type, strcmp(type, "summary") == 0 ? "json" : NULL, made);
    }
    return made;
}

static const struct gr_field assets_query[] = {
    GR_FIELD("room_id", GR_STRING, "Only assets of this room"),
    GR_FIELD("session_id", GR_STRING, "Only assets of this session"),
    GR_FIELD("status", GR_STRING, "Only assets in this state",
             .values = GR_LIST("completed", "failed")),
    GR_FIELD("type", GR_STRING, "Only assets of this type"),
    GR_FIELD("job_id", GR_STRING, "Only assets of this recording or stream"),
    SB_PAGE_FIELDS(1),
    GR_END,
};

static const struct gr_field presign_query[] = {
    GR_FIELD("presign_duration", GR_INT, "Validity of the URL in seconds", .range = GR_MIN(1),
             .default_doc = "259200"),
    GR_END,
};

static enum gr_err assets_list(struct gr_call *call, struct sandbox *sb)
{
    static const struct sb_filter filters[] = {
        {"room_id", "room_id", SB_EQUAL, NULL}, {"session_id", "session_id", SB_EQUAL, NULL},
        {"status", "status", SB_EQUAL, NULL},   {"type", "type", SB_EQUAL, NULL},
        {"job_id", "job_id", SB_EQUAL, NULL},   {0},
    };
    static const struct sb_list list = {
        .collection = "recording-assets", .items = "data", .filters = filters, .limit_default = 10};

    return sb_reply_list(call, sb, &list);
}

static enum gr_err asset_of(struct gr_call *call, struct sandbox *sb, json_t **ret_asset)
{
    *ret_asset = sb_find(sb, "recording-assets", gr_param(call, "asset_id"));
    return *ret_asset ? GR_OK : sb_error(call, 404, "asset not found", NULL);
}

static enum gr_err assets_get(struct gr_call *call, struct sandbox *sb)
{
    json_t *asset;
    enum gr_err err = asset_of(call, sb, &asset);

    return err == GR_OK ? sb_reply_row(call, sb, asset) : err;
}

json_t *sb_presign(struct sandbox *sb, const char *asset_id, int64_t seconds)
{
    struct sb_name token = sb_new_hex(sb, 32);
    const char *base = sb->options->public_url;

    if (!base || !*base)
        base = sb_text(json_object_get(sb->root, "meta"), "base_url");
    sb_put(sb, "presigned", token.text,
           sb_pack(sb, "{ss sI}", "asset_id", asset_id, "until_ms",
                   (json_int_t)(sb->now_ms + seconds * 1000)));
    sb_trim(sb, "presigned", SB_JOURNAL_MAX);
    return json_sprintf("%s/sandbox/files/%s", base, token.text);
}

static enum gr_err assets_presign(struct gr_call *call, struct sandbox *sb)
{
    int64_t seconds = sb_query_int(call, "presign_duration", PRESIGN_DEFAULT_S);
    json_t *asset;
    enum gr_err err = asset_of(call, sb, &asset);

    if (err != GR_OK)
        return err;
    return sb_reply(call, sb,
                    sb_pack(sb, "{ss ss so sI}", "id", sb_text(asset, "id"), "path",
                            sb_text(asset, "path") + sizeof(BUCKET) - 1, "url",
                            sb_presign(sb, sb_text(asset, "id"), seconds), "expiry",
                            (json_int_t)seconds));
}

static enum gr_err assets_file(struct gr_call *call, struct sandbox *sb)
{
    const json_t *grant = sb_find(sb, "presigned", gr_param(call, "token"));
    const json_t *asset = sb_find_text(sb, "recording-assets", sb_text(grant, "asset_id"));
    const struct asset_kind *kind = kind_of(sb_text(asset, "type"));
    size_t length = (size_t)kind->size;
    char *bytes;

    if (!asset)
        return sb_error(call, 404, "file not found", NULL);
    if (sb_int(grant, "until_ms") <= sb->now_ms)
        return sb_error(call, 403, "Request has expired", NULL);
    bytes = gr_alloc(call, length);
    if (!bytes)
        return gr_fail(call, GR_ERR_NO_MEMORY, "out of memory");
    memset(bytes, ' ', length);
    memcpy(bytes, kind->head, kind->head_length);
    return gr_reply(call, 200, kind->content_type, (gr_str){bytes, length});
}

const struct gr_route sb_asset_routes[] = {
    SB_ADMIN(GET, "/files/{token}", "admin.file", "Fetch the bytes of a presigned URL",
             .flags = GR_ROUTE_HIDDEN_PATH, SB_RUN(assets_file)),
    SB_GET("/recording-assets", "assets.list", "List recording assets", .query = assets_query,
           SB_RUN(assets_list)),
    SB_GET("/recording-assets/{asset_id}", "assets.get", "Fetch a recording asset",
           SB_RUN(assets_get)),
    SB_GET("/recording-assets/{asset_id}/presigned-url", "assets.presign",
           "Create a presigned URL of the asset", .query = presign_query, SB_RUN(assets_presign)),
    GR_END,
};
