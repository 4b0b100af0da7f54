#include "access.h"

#include "account/authn.h"
#include "account/authz.h"
#include "base/ids.h"
#include "base/problem.h"
#include "base/state.h"

static const char *const id_names[] = {"minigroup_id", "webinar_id", "id"};

/* --- authentication --- */

static gr_str raw_id(const struct gr_call *call)
{
    gr_str id = {NULL, 0};

    for (size_t i = 0; i < sizeof(id_names) / sizeof(id_names[0]) && id.len == 0; i++)
        id = gr_param(call, id_names[i]);
    return id;
}

const char *mini_path_id(struct gr_call *call)
{
    char id[MINI_UUID_SIZE];

    return mini_uuid_parse(raw_id(call), id) ? gr_copy(call, gr_str_of(id)) : NULL;
}

enum gr_err mini_authenticate(struct gr_call *call)
{
    char id[MINI_UUID_SIZE];
    const char *reason = NULL;
    struct gr_account account;
    gr_str path_id = raw_id(call);
    gr_str token = gr_bearer(call);

    if (path_id.len && !mini_uuid_parse(path_id, id))
        return mini_fail(call, MINI_BAD_PARAMETER, "the id in the path is not a UUID");
    if (token.len == 0 && gr_header(call, "Authorization").len)
        return mini_fail(call, MINI_BAD_TOKEN, "the Authorization header has no bearer token");
    if (token.len == 0)
        token = gr_query(call, "access_token");
    if (token.len == 0)
        return mini_fail(call, MINI_NO_TOKEN,
                         "a bearer token or the query parameter access_token is required");
    if (mini_authn_check(call, mini_state_of(call)->authn, token, &account, &reason) != GR_OK)
        return mini_fail(call, MINI_BAD_TOKEN, reason);
    return gr_set_caller_account(call, &account);
}

enum gr_err mini_admit_json(struct gr_call *call)
{
    gr_str length = gr_header(call, "Content-Length");
    bool has_body =
        (length.len && !gr_str_eq(length, GR_STR("0"))) || gr_header(call, "Transfer-Encoding").len;

    if (!has_body || gr_body_is_json(call))
        return GR_OK;
    return mini_fail(call, MINI_BAD_PAYLOAD, "the body must be application/json");
}

/* --- authorization --- */

enum gr_err mini_authorize(struct gr_call *call, const char *audience, const char *class_id,
                           const char *action)
{
    const char *const object[] = {"classrooms", class_id, NULL};
    const struct mini_intent intent = {gr_caller_account(call), object, action};
    gr_str caller = gr_caller(call);

    switch (mini_authz_check(call, mini_state_of(call)->authz, audience, &intent)) {
    case MINI_ALLOWED:
        return GR_OK;
    case MINI_UNDECIDED:
        return mini_fail(call, MINI_AUTHZ_FAILED, "the authorization service did not answer");
    case MINI_DENIED:
        break;
    }
    return mini_fail(call, MINI_ACCESS_DENIED,
                     gr_format(call, "%.*s may not %s classrooms%s%s: not allowed", (int)caller.len,
                               caller.ptr, action, class_id ? "/" : "", class_id ? class_id : ""));
}

/* Makes the id of a class that does not exist: constant per scope, secret to the caller. */
static const char *absent_id(struct gr_call *call)
{
    const char *name =
        gr_format(call, "%s\n%s", gr_param(call, "audience").ptr, gr_param(call, "scope").ptr);
    const unsigned char *key = mini_state_of(call)->absent_key;
    unsigned char digest[32];
    char hex[2 * sizeof(digest) + 1];

    if (!name)
        return NULL;
    gr_hmac_sha256(call->host, (gr_str){(const char *)key, MINI_KEY_SIZE}, gr_str_of(name), digest);
    digest[6] = (unsigned char)((digest[6] & 0x0f) | 0x40); /* RFC 9562, section 5.4: version 4 */
    digest[8] = (unsigned char)((digest[8] & 0x3f) | 0x80);
    gr_hex(call->host, digest, sizeof(digest), hex);
    return gr_format(call, "%.8s-%.4s-%.4s-%.4s-%.12s", hex, hex + 8, hex + 12, hex + 16, hex + 20);
}

/* Authorises a caller for a class that does not exist, so that a caller without access gets the
 * same answer whether or not the class exists. */
static enum gr_err authorize_absent(struct gr_call *call, const char *action)
{
    const char *id = absent_id(call);

    if (!id)
        return gr_fail(call, GR_ERR_NO_MEMORY, "no memory for an id");
    return mini_authorize(call, gr_param(call, "audience").ptr, id, action);
}

enum gr_err mini_load_class(struct gr_call *call, const char *action, struct mini_class *ret_class)
{
    const char *id = mini_path_id(call);
    enum gr_err err =
        id ? mini_class_find(call, MINI_BY_ID, gr_str_of(id), (gr_str){NULL, 0}, ret_class)
           : mini_class_find(call, MINI_BY_SCOPE, gr_param(call, "audience"),
                             gr_param(call, "scope"), ret_class);

    if (err != GR_OK && err != GR_ERR_NOT_FOUND)
        return mini_fail_store(call, err);
    if (err == GR_OK)
        return mini_authorize(call, ret_class->audience, ret_class->id, action);
    if (!id)
        err = authorize_absent(call, action);
    return err == GR_OK || id ? mini_fail(call, MINI_NO_CLASS, "Failed to find minigroup") : err;
}

/* --- answers --- */

static const char *pick_turn_host(struct gr_call *call)
{
    const char *const *hosts = mini_state_of(call)->options->turn_hosts;
    uint32_t random;
    size_t count = 0;

    while (hosts && hosts[count])
        count++;
    if (count == 0)
        return NULL;
    gr_random(call->host, &random, sizeof(random));
    return hosts[random % count];
}

enum gr_err mini_view_load(struct gr_call *call, const struct mini_class *row,
                           struct mini_recordings *ret_recordings, struct mini_view *ret_view)
{
    enum gr_err err = mini_recordings_load(call, row->id, ret_recordings);

    if (err != GR_OK)
        return mini_fail_store(call, err);
    *ret_view = (struct mini_view){.recordings = ret_recordings,
                                   .turn_host = pick_turn_host(call),
                                   .now_ms = gr_now_ms(call->host)};
    return GR_OK;
}

enum gr_err mini_reply_row(struct gr_call *call, int status, const struct mini_class *row)
{
    struct mini_recordings recordings = {NULL, 0};
    struct mini_view view;
    enum gr_err err = mini_view_load(call, row, &recordings, &view);

    if (err != GR_OK)
        return err;
    return gr_reply_json(call, status, mini_response_row(row, &view));
}

enum gr_err mini_reply_empty(struct gr_call *call, int status)
{
    return gr_reply_json(call, status, json_object());
}
