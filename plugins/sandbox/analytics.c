/* Analytics: the journal of events, and the statistics of a peer's connection. */
#include "analytics.h"
#include "routes.h"

#include <stdio.h>

#define CURSOR_LIFETIME_MS (24 * 3600 * INT64_C(1000))
#define SAMPLE_MS 10000
#define SAMPLES_MAX 360

static const struct gr_field events_query[] = {
    GR_FIELD("room_id", GR_STRING, "Only events of this room", .flags = GR_FIELD_REQUIRED),
    GR_FIELD("type", GR_STRING, "Only events of this type; can be given several times",
             .flags = GR_FIELD_REPEATED, .values = HMS_EVENT_TYPES),
    GR_FIELD("session_id", GR_STRING, "Only events of this session"),
    GR_FIELD("peer_id", GR_STRING, "Only events of this peer"),
    GR_FIELD("user_id", GR_STRING, "Only events of this user"),
    GR_FIELD("beam_id", GR_STRING, "Only events of this recording"),
    GR_FIELD("error", GR_BOOL, "Whether to list only errors", .default_doc = "false"),
    SB_PAGE_FIELDS(1),
    GR_END,
};

static const struct gr_field event_fields[] = {
    GR_FIELD("type", GR_STRING, "Type of the event", .flags = GR_FIELD_REQUIRED),
    GR_FIELD("data", GR_OBJECT, "Data of the event", .flags = GR_FIELD_REQUIRED),
    GR_END,
};

static const struct gr_field peer_stats_query[] = {
    GR_FIELD("peer_id", GR_STRING, "ID of the peer", .flags = GR_FIELD_REQUIRED),
    GR_FIELD("session_id", GR_STRING, "ID of the session", .flags = GR_FIELD_REQUIRED),
    GR_END,
};

void sb_analytics(struct sandbox *sb, const char *type, json_t *data)
{
    json_t *meta = json_object_get(sb->root, "meta");
    struct sb_name id = sb_new_uuid(sb);
    int64_t seq = sb_int(meta, "event_seq") + 1;

    sb_set(sb, meta, "event_seq", json_integer(seq));
    sb_put(sb, "events", id.text,
           sb_pack(sb, "{ss ss so ss so sI}", "version", "2.0", "id", id.text, "timestamp",
                   sb_time(sb, sb->now_ms), "type", type, "data", data, ".seq", (json_int_t)seq));
    sb_trim(sb, "events", SB_JOURNAL_MAX);
}

/* The pages of one query show only events that existed at the request of the first page. The cursor
 * has the time of that request, the number of the last event at that time, and the next number. */
struct cursor {
    unsigned long long began_ms;
    unsigned long long end;
    unsigned long long next;
};

static bool parse_cursor(const char *text, struct cursor *ret_cursor)
{
    int used = 0;

    return sscanf(text, "%llx.%llx.%llx%n", &ret_cursor->began_ms, &ret_cursor->end,
                  &ret_cursor->next, &used) == 3 &&
           !text[used];
}

static bool is_error(const json_t *event)
{
    return strncmp(sb_text(event, "type"), "client.", 7) == 0;
}

static bool wanted(struct gr_call *call, struct sandbox *sb, const json_t *event)
{
    static const struct sb_filter of_event[] = {
        {"type", "type", SB_EQUAL, NULL},
        {0},
    };
    static const struct sb_filter of_data[] = {
        {"room_id", "room_id", SB_EQUAL, NULL}, {"session_id", "session_id", SB_EQUAL, NULL},
        {"peer_id", "peer_id", SB_EQUAL, NULL}, {"user_id", "user_id", SB_EQUAL, NULL},
        {"beam_id", "beam_id", SB_EQUAL, NULL}, {0},
    };

    if (gr_str_eq(gr_query(call, "error"), GR_STR("true")) && !is_error(event))
        return false;
    return sb_passes(call, sb, of_event, event) &&
           sb_passes(call, sb, of_data, json_object_get(event, "data"));
}

/* Appends a page to events, counts all matching events, and moves the cursor to the next page. */
static size_t collect(struct gr_call *call, struct sandbox *sb, struct cursor *cursor, size_t limit,
                      json_t *events, bool *ret_more)
{
    size_t total = 0;
    const char *id;
    json_t *event;

    json_object_foreach(sb_all(sb, "events"), id, event) {
        unsigned long long seq = (unsigned long long)sb_int(event, ".seq");

        if (seq > cursor->end || !wanted(call, sb, event))
            continue;
        total++;
        if (seq < cursor->next || *ret_more)
            continue;
        if (json_array_size(events) < limit) {
            sb_append(sb, events, sb_view(sb, event));
        } else {
            *ret_more = true;
            cursor->next = seq;
        }
    }
    return total;
}

static enum gr_err analytics_events(struct gr_call *call, struct sandbox *sb)
{
    gr_str start = gr_query(call, "start");
    size_t limit = (size_t)sb_query_int(call, "limit", 10);
    struct cursor cursor = {
        .began_ms = (unsigned long long)sb->now_ms,
        .end = (unsigned long long)sb_int(json_object_get(sb->root, "meta"), "event_seq"),
    };
    bool more = false;
    char next[64] = "";
    json_t *events;
    size_t total;

    if (start.len && !parse_cursor(start.ptr, &cursor))
        return sb_error(call, 400, "Invalid query param: start", "not a cursor of this list");
    if (sb->now_ms - (int64_t)cursor.began_ms > CURSOR_LIFETIME_MS)
        return sb_error(call, 400, "Invalid query param: start", "the cursor has expired");
    events = sb_pack(sb, "[]");
    total = collect(call, sb, &cursor, limit, events, &more);
    if (more)
        snprintf(next, sizeof(next), "%llx.%llx.%llx", cursor.began_ms, cursor.end, cursor.next);
    return sb_reply(call, sb,
                    sb_pack(sb, "{sI sI ss so}", "limit", (json_int_t)limit, "total",
                            (json_int_t)total, "next", next, "events", events));
}

static enum gr_err analytics_add(struct gr_call *call, struct sandbox *sb)
{
    const json_t *body = gr_json(call);

    sb_analytics(sb, sb_text(body, "type"), sb_copy(sb, json_object_get(body, "data")));
    return sb_reply(call, sb, sb_copy(sb, body));
}

/* --- peer statistics --- */

/* Makes values that vary like real ones but are the same at each call. */
static json_t *samples(struct sandbox *sb, const char *seed, size_t count, json_int_t around)
{
    json_t *values = sb_pack(sb, "[]");
    uint64_t noise = sb_hash(seed);

    for (size_t i = 0; i < count; i++) {
        noise = noise * 6364136223846793005u + 1442695040888963407u;
        sb_append(sb, values,
                  json_integer(around + (json_int_t)((noise >> 33) % 11) * around / 100));
    }
    return values;
}

static json_t *moments(struct sandbox *sb, int64_t from_ms, size_t count)
{
    json_t *values = sb_pack(sb, "[]");

    for (size_t i = 0; i < count; i++)
        sb_append(sb, values, json_integer(from_ms + (json_int_t)i * SAMPLE_MS));
    return values;
}

static json_t *series(struct sandbox *sb, const json_t *track, int64_t from_ms, size_t count,
                      bool published)
{
    bool video = sb_is(track, "type", GR_STR("video"));
    const char *id = sb_text(track, "id");
    json_t *row = sb_pack(sb, "{so so}", "timestamps", moments(sb, from_ms, count), "bitrate",
                          samples(sb, id, count, video ? 900000 : 32000));

    if (video)
        sb_set(sb, row, "fps", samples(sb, id, count, 24));
    if (published) {
        sb_set(sb, row, "packet_loss_percent", samples(sb, id, count, 0));
        sb_set(sb, row, "rtt_ms", samples(sb, id, count, 60));
    } else if (video) {
        sb_set(sb, row, "freeze_count", samples(sb, id, count, 0));
    }
    return row;
}

static void add_series(struct sandbox *sb, json_t *side, const json_t *tracks, int64_t from_ms,
                       size_t count, bool published)
{
    const char *id;
    json_t *track;

    json_object_foreach(sb_mutable(tracks), id, track) {
        const char *type = sb_text(track, "type");
        json_t *row = sb_pack(sb, "{ss ss so}", "track_id", id, "type", sb_text(track, "source"),
                              "time_series", series(sb, track, from_ms, count, published));

        if (published && strcmp(type, "video") == 0)
            sb_set(sb, row, "rid", sb_pack(sb, "s", "h"));
        sb_append(sb, json_object_get(side, type), row);
    }
}

static size_t sample_count(const struct sandbox *sb, const json_t *peer, int64_t *ret_from_ms)
{
    int64_t from_ms = 0;
    int64_t to_ms = 0;
    int64_t count;

    if (!gr_time_ms(sb->host, gr_str_of(sb_text(peer, "joined_at")), &from_ms) ||
        !gr_time_ms(sb->host, gr_str_of(sb_text(peer, "left_at")), &to_ms))
        return 0;
    *ret_from_ms = from_ms;
    count = (to_ms - from_ms) / SAMPLE_MS + 1;
    return count > SAMPLES_MAX ? SAMPLES_MAX : (size_t)count;
}

static void fill_stats(struct sandbox *sb, json_t *stats, const json_t *session,
                       const char *peer_id)
{
    const json_t *peer = json_object_get(json_object_get(session, "peers"), peer_id);
    json_t *tracks = json_object_get(session, ".tracks");
    int64_t from_ms = 0;
    size_t count = sample_count(sb, peer, &from_ms);
    const char *id;
    json_t *of_peer;

    if (sb_true(session, "active") || !count)
        return; /* statistics exist only after the end of the session */
    json_object_foreach(tracks, id, of_peer) {
        bool own = strcmp(id, peer_id) == 0;

        add_series(sb, json_object_get(stats, own ? "publisher" : "subscriber"), of_peer, from_ms,
                   count, own);
    }
}

static enum gr_err analytics_peer_stats(struct gr_call *call, struct sandbox *sb)
{
    const json_t *session = sb_find(sb, "sessions", gr_query(call, "session_id"));
    const char *peer_id = gr_query(call, "peer_id").ptr;
    json_t *stats;

    if (!session)
        return sb_error(call, 404, "session not found", NULL);
    stats = sb_pack(sb, "{ss ss ss s{s[] s[]} s{s[] s[]}}", "peer_id", peer_id, "session_id",
                    sb_text(session, "id"), "room_id", sb_text(session, "room_id"), "publisher",
                    "video", "audio", "subscriber", "video", "audio");
    fill_stats(sb, stats, session, peer_id);
    return sb_reply(call, sb, stats);
}

const struct gr_route sb_analytics_routes[] = {
    SB_ADMIN(POST, "/analytics", "admin.analytics", "Add an analytics event",
             .body = GR_BODY(GR_OBJECT, .fields = event_fields, .flags = GR_FIELD_REQUIRED),
             SB_RUN_ADMIN(analytics_add)),
    SB_GET("/analytics/events", "analytics.events", "List analytics events", .query = events_query,
           SB_RUN(analytics_events)),
    SB_GET("/analytics/peer-stats", "analytics.peer_stats", "Fetch the statistics of a peer",
           .query = peer_stats_query, SB_RUN(analytics_peer_stats)),
    GR_END,
};
