/*
 * What the 100ms groups share: the shapes of ids, rows that occur in several groups, and two
 * helpers for the few routes that need code. Each group is one shared object of its own; shared.c
 * is linked into all of them.
 *
 * A group reads top down: members of bodies and answers, path and query parameters, then the
 * routes. Bodies are checked against the rows and then forwarded byte for byte; members without a
 * row pass.
 * `.default_doc` tells what 100ms assumes; the gateway never adds it.
 */
#pragma once

#include <greenroom/plugin.h>

#define HMS_VERSION "1.0.0"
#define HMS_LICENCE "MIT"

/* Where a route is documented: a page of the 100ms documentation, as a path in its repository. */
#define HMS_API(page_) "100mslive/100ms-docs docs/server-side/v2/api-reference/" page_ ".mdx"
#define HMS_GUIDE(page_) "100mslive/100ms-docs docs/server-side/v2/how-to-guides/" page_ ".mdx"
#define HMS_SEED "Mupati/100ms-golang-api"

/* Names in the config's "upstreams". */
#define HMS_UPSTREAM "api"
#define HMS_AUTH_UPSTREAM "auth"

/* ------------------------------------------------------------------------------------------ */
/* Ids. 100ms never says how they are made, and some do not look like the rest, so each is      */
/* taken for one harmless path segment and nothing more.                                       */

#define HMS_ID "[A-Za-z0-9][A-Za-z0-9._:-]{0,127}"
#define HMS_ROOM_CODE "[A-Za-z0-9-]{1,64}"
#define HMS_INDEX "[1-9][0-9]{0,5}" /* of a poll's question or option */

/* Path parameters that several groups have. */
#define HMS_PARAM_ID(name_, doc_) GR_FIELD(name_, GR_STRING, doc_, .pattern = HMS_ID)
#define HMS_PARAM_ROOM                                                                             \
    GR_FIELD("roomId", GR_STRING, "ID of the room", .pattern = HMS_ID, .binds = "room")
#define HMS_PARAM_ROLE(name_, ...)                                                                 \
    GR_FIELD(name_, GR_STRING, "Name of the role", .range = GR_RANGE(1, 256), __VA_ARGS__)

/* Only {roomId}. */
extern const struct gr_field hms_room_params[];

/* ------------------------------------------------------------------------------------------ */
/* Pages of a list                                                                            */

/* Query: page size. The general pagination text says 10 to 100; callers of the live service use
 * less, and get it. */
#define HMS_QUERY_LIMIT                                                                            \
    GR_FIELD("limit", GR_INT, "How many items to send at most", .range = GR_RANGE(1, 100),         \
             .default_doc = "10")
/* Query: page size of lists whose own page gives no bounds, and shows a smaller one. */
#define HMS_QUERY_LIMIT_OPEN                                                                       \
    GR_FIELD("limit", GR_INT, "How many items to send at most", .range = GR_MIN(1))
#define HMS_QUERY_START GR_FIELD("start", GR_STRING, "Where to go on: `last` of the page before")
/* Query: narrows a list to one room, or one session. */
#define HMS_QUERY_ROOM                                                                             \
    GR_FIELD("room_id", GR_STRING, "Only what belongs to this room", .binds = "room")
#define HMS_QUERY_SESSION GR_FIELD("session_id", GR_STRING, "Only what belongs to this session")

/* Only limit, from 10 to 100, and start. */
extern const struct gr_field hms_page_query[];
/* Jobs: room_id, session_id, status, start, limit. */
extern const struct gr_field hms_job_query[];
/* starting, running, stopping, post_processing, completed, failed. */
extern const char *const hms_job_states[];

/* The schema of a page: its list is called list_, its items have the given members. */
#define HMS_PAGE(list_, members_)                                                                  \
    GR_BODY(GR_OBJECT,                                                                             \
            .fields = (const struct gr_field[]){                                                   \
                GR_FIELD("limit", GR_INT, "Page size that was used"),                              \
                GR_FIELD(list_, GR_ARRAY, "The items of this page",                                \
                         .items = GR_ITEM(GR_OBJECT, .fields = (members_))),                       \
                GR_FIELD("last", GR_STRING, "`start` of the next page; empty after the last one"), \
                GR_END})

/* ------------------------------------------------------------------------------------------ */
/* Answers                                                                                    */

/* The one documented answer of a route: HMS_ANSWER(200, "The room", .schema = …, .example = …). */
#define HMS_ANSWER(status_, doc_, ...)                                                             \
    ((const struct gr_answer[]){{.status = (status_), .doc = (doc_), __VA_ARGS__}, GR_END})
/* The schema of one object with the given members. */
#define HMS_OBJECT(members_) GR_BODY(GR_OBJECT, .fields = (members_))
/* JSON as it stands, turned into a string literal. */
#define HMS_JSON(...) #__VA_ARGS__

/* {"message": …}, what an action answers that has nothing else to tell. */
extern const struct gr_field hms_message[];
/* What recordings and streams have in common: they are jobs on a room. */
#define HMS_JOB_MEMBERS                                                                            \
    GR_FIELD("id", GR_STRING, "ID of the job"),                                                    \
        GR_FIELD("room_id", GR_STRING, "Room it is about"),                                        \
        GR_FIELD("session_id", GR_STRING, "Session it is about"),                                  \
        GR_FIELD("status", GR_STRING, "State of the job", .values = hms_job_states),               \
        GR_FIELD("meeting_url", GR_STRING, "URL that the job joined by"),                          \
        GR_FIELD("destination", GR_STRING, "Destination in the template"),                         \
        GR_FIELD("created_at", GR_TIME, "When it was asked for"),                                  \
        GR_FIELD("started_at", GR_TIME, "When it began"),                                          \
        GR_FIELD("updated_at", GR_TIME, "When it changed last"),                                   \
        GR_FIELD("stopped_at", GR_TIME, "When it ended"),                                          \
        GR_FIELD("started_by", GR_STRING, "Peer who began it; empty by REST"),                     \
        GR_FIELD("stopped_by", GR_STRING, "Peer who ended it")
#define HMS_JOB_ASSETS                                                                             \
    GR_FIELD("recording_assets", GR_ARRAY, "What it left; null in lists and while it runs",        \
             .items = GR_ITEM(GR_OBJECT, .fields = hms_asset))

/* An asset, alone or inside the recording or stream that it came from. */
extern const struct gr_field hms_asset[];
extern const char *const hms_asset_types[];

/* ------------------------------------------------------------------------------------------ */
/* Members of bodies that several groups have                                                 */

/* Where recordings are stored: s3, gs, oss, azure, r2. */
extern const char *const hms_storage_types[];
extern const struct gr_field hms_storage_options[];

/* How and where a stream or recording is started. */
#define HMS_MEETING_URL                                                                            \
    GR_FIELD("meeting_url", GR_STRING,                                                             \
             "URL into the room; needed when the template has no subdomain")
#define HMS_DESTINATION                                                                            \
    GR_FIELD("destination", GR_STRING, "Destination in the template; needed when it has several")

/* Members of "transcription" when a recording or stream is started. */
#define HMS_TRANSCRIPTION                                                                          \
    GR_FIELD("enabled", GR_BOOL, "`false` switches off what the template switches on"),            \
        GR_FIELD("output_modes", GR_ARRAY, "Formats of the transcript",                            \
                 .items = GR_ITEM(GR_STRING, .values = hms_transcript_formats)),                   \
        GR_FIELD("custom_vocabulary", GR_ARRAY, "Words to listen for",                             \
                 .items = GR_ITEM(GR_STRING)),                                                     \
        GR_FIELD("summary", GR_OBJECT, "Summary made from the transcript", .fields = hms_summary)

/* txt, srt, json. */
extern const char *const hms_transcript_formats[];
/* Members of a transcription's "summary", in start calls and in templates. */
extern const struct gr_field hms_summary[];

/* ------------------------------------------------------------------------------------------ */
/* Helpers                                                                                    */

/*
 * Calls what the route's forward row names, with this body (stolen, also on failure), and passes
 * the answer on: status, body, Retry-After. bearer: a token instead of the upstream's credential,
 * or NULL. For routes whose body is not the client's. Returns as a handler does.
 */
enum gr_err hms_relay(struct gr_call *call, json_t *stolen_body, const char *bearer);

/* What a join token says. */
struct hms_join {
    const char *room_id;
    const char *role;
    const char *user_id; /* NULL: the token names no user */
    int64_t lifetime_s;  /* 0: a day; cut to what the credential allows */
};

/*
 * Signs an app (join) token with the credential of an upstream. The token lives as long as the
 * call. When it fails, the call has failed.
 */
enum gr_err hms_join_token(struct gr_call *call, const char *upstream, const struct hms_join *join,
                           char **ret_token);
