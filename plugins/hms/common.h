/*
 * What the 100ms groups share: the patterns of ids, rows that several groups use, and two helpers
 * for the few routes that need code. Each group is a shared object of its own; shared.c is linked
 * into all of them.
 *
 * Each file declares the rows of bodies, answers and parameters first and its routes last. A body
 * is checked against its rows and then forwarded byte for byte; members without a row pass
 * unchecked.
 * `.default_doc` says what 100ms assumes when a member is absent; the gateway never adds it.
 */
#pragma once

#include "../shared/hms_fields.h"

#include <greenroom/plugin.h>
#include <jansson.h>

#define HMS_VERSION "1.0.0"
#define HMS_LICENCE "MIT"

/* Where a route is documented: the path of a page in the repository of the 100ms documentation. */
#define HMS_API(page_) "100mslive/100ms-docs docs/server-side/v2/api-reference/" page_ ".mdx"
#define HMS_GUIDE(page_) "100mslive/100ms-docs docs/server-side/v2/how-to-guides/" page_ ".mdx"
#define HMS_SEED "Mupati/100ms-golang-api"

/* Names in the config's "upstreams". */
#define HMS_UPSTREAM "api"
#define HMS_AUTH_UPSTREAM "auth"

/* ------------------------------------------------------------------------------------------ */
/* Routes that 100ms serves at the same path                                                  */

#define HMS_GET(path_, id_, ...)                                                                   \
    GR_GET(path_, id_, __VA_ARGS__, .forward = GR_FORWARD(HMS_UPSTREAM, path_))
#define HMS_POST(path_, id_, ...)                                                                  \
    GR_POST(path_, id_, __VA_ARGS__, .forward = GR_FORWARD(HMS_UPSTREAM, path_))
/* A POST that says everything in its path, and a DELETE: no body is sent to 100ms. */
#define HMS_ACTION(path_, id_, ...)                                                                \
    GR_POST(path_, id_, __VA_ARGS__,                                                               \
            .forward = GR_FORWARD(HMS_UPSTREAM, path_, .flags = GR_FORWARD_NO_BODY))
#define HMS_DELETE(path_, id_, ...)                                                                \
    GR_DELETE(path_, id_, __VA_ARGS__,                                                             \
              .forward = GR_FORWARD(HMS_UPSTREAM, path_, .flags = GR_FORWARD_NO_BODY))

/* ------------------------------------------------------------------------------------------ */
/* Ids. 100ms does not document their format, and they differ between resources. The pattern only */
/* makes sure that an id is one path segment without special meaning.                          */

#define HMS_ID "[A-Za-z0-9][A-Za-z0-9._:-]{0,127}"
#define HMS_ROOM_CODE "[A-Za-z0-9-]{1,64}"
#define HMS_INDEX "[1-9][0-9]{0,5}" /* index of a poll's question or option */

/* Path parameters that several groups use. */
#define HMS_PARAM_ID(name_, doc_) GR_FIELD(name_, GR_STRING, doc_, .pattern = HMS_ID)
#define HMS_PARAM_ROOM                                                                             \
    GR_FIELD("roomId", GR_STRING, "ID of the room", .pattern = HMS_ID, .binds = "room")
#define HMS_PARAM_ROLE(name_, ...)                                                                 \
    GR_FIELD(name_, GR_STRING, "Name of the role", .range = GR_RANGE(1, 256), __VA_ARGS__)

/* The one parameter {roomId}. */
extern const struct gr_field hms_room_params[];

/* ------------------------------------------------------------------------------------------ */
/* Pages of a list                                                                            */

/* Query: page size. The general pagination text says 10 to 100, but the live service accepts
 * smaller sizes and clients use them. */
#define HMS_QUERY_LIMIT                                                                            \
    GR_FIELD("limit", GR_INT, "Maximum number of items in the answer", .range = GR_RANGE(1, 100),  \
             .default_doc = "10")
/* Query: page size of lists for which 100ms documents no bounds and shows a size below 10. */
#define HMS_QUERY_LIMIT_OPEN                                                                       \
    GR_FIELD("limit", GR_INT, "Maximum number of items in the answer", .range = GR_MIN(1))
#define HMS_QUERY_START                                                                            \
    GR_FIELD("start", GR_STRING, "Start of the page: `last` of the previous page")
/* Query: restricts a list to one room or one session. */
#define HMS_QUERY_ROOM GR_FIELD("room_id", GR_STRING, "Only items of this room", .binds = "room")
#define HMS_QUERY_SESSION GR_FIELD("session_id", GR_STRING, "Only items of this session")

/* The parameters limit, from 10 to 100, and start. */
extern const struct gr_field hms_page_query[];
/* The parameters of a list of jobs: room_id, session_id, status, start, limit. */
extern const struct gr_field hms_job_query[];

/* The schema of a page: the member list_ is the list, and its items have the given members. */
#define HMS_PAGE(list_, members_)                                                                  \
    GR_BODY(GR_OBJECT,                                                                             \
            .fields = (const struct gr_field[]){                                                   \
                GR_FIELD("limit", GR_INT, "Page size used"),                                       \
                GR_FIELD(list_, GR_ARRAY, "The items of this page",                                \
                         .items = GR_ITEM(GR_OBJECT, .fields = (members_))),                       \
                GR_FIELD("last", GR_STRING, "`start` of the next page; empty on the last page"),   \
                GR_END})

/* ------------------------------------------------------------------------------------------ */
/* Answers                                                                                    */

/* The only documented answer of a route: HMS_ANSWER(200, "The room", .schema = …, .example = …). */
#define HMS_ANSWER(status_, doc_, ...)                                                             \
    ((const struct gr_answer[]){{.status = (status_), .doc = (doc_), __VA_ARGS__}, GR_END})
/* The schema of one object with the given members. */
#define HMS_OBJECT(members_) GR_BODY(GR_OBJECT, .fields = (members_))
/* JSON text as a string literal. */
#define HMS_JSON(...) #__VA_ARGS__

/* {"message": …}, the answer of an action that returns no object. */
extern const struct gr_field hms_message[];
/* The members that recordings and streams have in common: both are jobs on a room. */
#define HMS_JOB_MEMBERS                                                                            \
    GR_FIELD("id", GR_STRING, "ID of the job"), GR_FIELD("room_id", GR_STRING, "Room of the job"), \
        GR_FIELD("session_id", GR_STRING, "Session of the job"),                                   \
        GR_FIELD("status", GR_STRING, "State of the job", .values = HMS_JOB_STATES),               \
        GR_FIELD("meeting_url", GR_STRING, "URL with which the job joined"),                       \
        GR_FIELD("destination", GR_STRING, "Destination in the template"),                         \
        GR_FIELD("created_at", GR_TIME, "When the job was requested"),                             \
        GR_FIELD("started_at", GR_TIME, "When the job began"),                                     \
        GR_FIELD("updated_at", GR_TIME, "When the job changed last"),                              \
        GR_FIELD("stopped_at", GR_TIME, "When the job ended"),                                     \
        GR_FIELD("started_by", GR_STRING, "Peer who started the job; empty: the API did"),         \
        GR_FIELD("stopped_by", GR_STRING, "Peer who stopped the job")
#define HMS_JOB_ASSETS                                                                             \
    GR_FIELD("recording_assets", GR_ARRAY,                                                         \
             "Assets of the job; null in lists and while the job runs",                            \
             .items = GR_ITEM(GR_OBJECT, .fields = hms_asset))

/* An asset, on its own or inside the recording or stream that it came from. */
extern const struct gr_field hms_asset[];
extern const char *const hms_asset_types[];

/* ------------------------------------------------------------------------------------------ */
/* Helpers                                                                                    */

/* The text of a member; NULL when it is absent or no string. */
static inline const char *hms_text(const json_t *object, const char *member)
{
    return json_string_value(json_object_get(object, member));
}

/*
 * Makes the upstream call of the route's forward row with a body that the plugin made, and passes
 * status, body and Retry-After of the answer on. Takes over the reference to the body, also on
 * failure. bearer: a token to send instead of the upstream's credential, or NULL. Returns what a
 * handler returns.
 */
enum gr_err hms_relay(struct gr_call *call, json_t *stolen_body, const char *bearer);

/* The claims of a join token. */
struct hms_join {
    const char *room_id;
    const char *role;
    const char *user_id; /* NULL: no user */
    int64_t lifetime_s;  /* 0: one day; the credential may set a lower limit */
};

/*
 * Signs an app (join) token with the credential of an upstream. The token is valid memory until the
 * call ends. On an error the failure of the call is already recorded.
 */
enum gr_err hms_join_token(struct gr_call *call, const char *upstream, const struct hms_join *join,
                           char **ret_token);
