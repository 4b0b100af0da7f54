/* Finds the caller, and checks what the caller may do. */
#include "guard/guard.h"

#include "auth/callers.h"
#include "base/bearer.h"
#include "base/clock.h"
#include "base/log.h"
#include "guard/limits.h"
#include "guard/page.h"
#include "guard/state.h"

#define REALM "Bearer realm=\"greenroom\""

bool grc_guard_header(struct grc_call *call, const char *name, const char *value)
{
    struct grc_reply *reply = call->reply;

    if (!value || reply->header_count == sizeof(reply->headers) / sizeof(reply->headers[0]))
        return false;
    reply->headers[reply->header_count++] = (struct gr_pair){gr_str_of(name), gr_str_of(value)};
    return true;
}

/* --- the caller --- */

static enum gr_err unauthorized(struct grc_call *call, const char *reason)
{
    const char *challenge = grc_arena_format(
        &call->arena, REALM ", error=\"invalid_token\", error_description=\"%s\"", reason);

    grc_guard_header(call, "WWW-Authenticate", challenge ? challenge : REALM);
    return grc_fail(call, GR_ERR_UNAUTHORIZED, "the credential is refused: %s", reason);
}

/* Counts an invalid credential. Fails with GR_ERR_RATE when the address has failed too often. */
static enum gr_err count_failure(struct grc_call *call)
{
    gr_str peer = gr_str_of(call->request->peer);
    int64_t retry_s = 0;

    if (grc_limits_failure(call->runtime->limits, peer, grc_mono_us(), &retry_s))
        return GR_OK;
    enum gr_err err = grc_fail(call, GR_ERR_RATE, "too many wrong credentials from this address");
    call->error.retry_after_s = (unsigned)retry_s;
    return err;
}

enum gr_err grc_guard_group_refused(struct grc_call *call)
{
    const struct gr_error of_group = call->error;

    /* grc_fail() keeps the first error of a call, so the group's error is taken out meanwhile. */
    call->error = (struct gr_error){.err = GR_OK};
    enum gr_err err = count_failure(call);
    if (err != GR_OK)
        return err;
    call->error = of_group;
    return GR_ERR_UNAUTHORIZED;
}

/* Refuses an invalid credential. The client gets the reason until the address has failed too often.
 */
static enum gr_err refuse(struct grc_call *call, const char *reason)
{
    gr_str peer = gr_str_of(call->request->peer);
    enum gr_err err = count_failure(call);

    if (err != GR_OK)
        return err;
    grc_log_fields(GR_LOG_INFO, "credential refused",
                   GRC_LOG_FIELDS(GRC_LT("request_id", call->request_id), GRC_LS("peer", peer),
                                  GRC_LT("route", call->route->row->id), GRC_LT("reason", reason)));
    return unauthorized(call, reason);
}

static enum gr_err no_credential(struct grc_call *call, const char *reason)
{
    grc_guard_header(call, "WWW-Authenticate", REALM);
    return grc_fail(call, GR_ERR_UNAUTHORIZED, "%s", reason);
}

/* Reads the credential, of which there may be only one (RFC 6750, section 2). Returns NULL, or what
 * is wrong. */
static const char *read_credentials(struct grc_call *call, struct grc_credentials *credentials)
{
    gr_str authorization = {NULL, 0};
    size_t shown = grc_request_header_count(call->request, "Authorization", &authorization) +
                   grc_request_header_count(call->request, "X-API-Key", &credentials->api_key);

    if (shown > 1)
        return "there is more than one";
    credentials->bearer = grc_bearer_token(authorization);
    if (authorization.len && !credentials->bearer.len)
        return "the scheme is not Bearer";
    return NULL;
}

enum grc_auth_verdict grc_guard_identify(struct grc_call *call, const char **ret_reason)
{
    struct grc_auth *auth = call->runtime->auth;
    struct grc_credentials credentials = {.arena = &call->arena, .request_id = call->request_id};
    enum grc_auth_verdict verdict = GRC_AUTH_WRONG;

    *ret_reason = grc_auth_open(auth) ? NULL : read_credentials(call, &credentials);
    if (!*ret_reason)
        verdict = grc_auth_identify(auth, &credentials, &call->caller, ret_reason);
    if (verdict == GRC_AUTH_FOUND)
        call->caller_id = call->caller->id;
    return verdict;
}

enum gr_err grc_guard_authenticate(struct grc_call *call)
{
    const char *reason = NULL;

    switch (grc_guard_identify(call, &reason)) {
    case GRC_AUTH_FOUND:
        return grc_auth_is_anonymous(call->runtime->auth, call->caller) ? grc_guard_page(call)
                                                                        : GR_OK;
    case GRC_AUTH_MISSING:
        return no_credential(call, reason);
    case GRC_AUTH_UNAVAILABLE:
        return grc_fail(call, GR_ERR_OVERLOAD, "%s", reason);
    case GRC_AUTH_WRONG:
        break;
    }
    return refuse(call, reason);
}

/* --- what the caller may do --- */

/* True when a row, at any depth, binds values of that kind. Rows end with a row without a type. */
static bool row_names(const struct gr_field *row, const char *kind);
static bool rows_name(const struct gr_field *rows, const char *kind)
{
    for (; rows && rows->type; rows++) {
        if (row_names(rows, kind))
            return true;
    }
    return false;
}

static bool row_names(const struct gr_field *row, const char *kind)
{
    if (row->binds && strcmp(row->binds, kind) == 0)
        return true;
    return rows_name(row->fields, kind) || (row->items && row_names(row->items, kind));
}

static bool route_names(const struct grc_route *route, const char *kind)
{
    if (route->params && rows_name(grc_schema_rows(route->params), kind))
        return true;
    if (route->query && rows_name(grc_schema_rows(route->query), kind))
        return true;
    return route->body && row_names(grc_schema_rows(route->body), kind);
}

static const struct grc_binding *bindings_of(const struct grc_call *call)
{
    return call->caller ? call->caller->bindings : NULL;
}

enum gr_err grc_guard_scope(struct grc_call *call)
{
    const struct grc_binding *binding = bindings_of(call);
    const char *scope = call->route->scope;

    if (!grc_call_has_scope(call, scope)) {
        grc_guard_header(call, "WWW-Authenticate",
                         grc_arena_format(&call->arena,
                                          REALM ", error=\"insufficient_scope\", scope=\"%s\"",
                                          scope));
        return grc_fail(call, GR_ERR_FORBIDDEN, "the scope %s is missing", scope);
    }
    for (; binding && binding->kind; binding++) {
        if (!route_names(call->route, binding->kind))
            return grc_fail(call, GR_ERR_FORBIDDEN,
                            "this caller is bound to certain %ss, and %s does not name one",
                            binding->kind, call->route->row->id);
    }
    return GR_OK;
}

/* --- what the caller is bound to --- */

struct bound {
    struct grc_call *call;
    unsigned seen; /* a bit for each binding that a value was found for */
};

static enum gr_err visit_value(void *arg, const char *kind, gr_str value)
{
    struct bound *bound = arg;
    const struct grc_binding *bindings = bindings_of(bound->call);

    if (!grc_call_may(bound->call, kind, value))
        return grc_fail(bound->call, GR_ERR_FORBIDDEN, "this caller may not use that %s", kind);
    for (unsigned i = 0; bindings[i].kind; i++) {
        if (strcmp(bindings[i].kind, kind) == 0)
            bound->seen |= 1u << i;
    }
    return GR_OK;
}

/* Refuses a name that an upstream may take for the name that is checked here. */
static enum gr_err refuse_shadows(struct grc_call *call)
{
    const struct grc_route *route = call->route;
    gr_str name = {NULL, 0};
    const char *row = grc_schema_shadow_pairs(route->query, call->query, call->query_count, &name);

    if (!row && route->body && call->json)
        row = grc_schema_shadow_json(route->body, call->json, &name);
    if (!row)
        return GR_OK;
    return grc_fail(call, GR_ERR_FORBIDDEN,
                    "this caller is bound by %s, and '%.*s' may be taken for it", row,
                    (int)(name.len < 100 ? name.len : 100), name.ptr);
}

enum gr_err grc_guard_binds(struct grc_call *call)
{
    const struct grc_route *route = call->route;
    const struct grc_binding *bindings = bindings_of(call);
    struct bound bound = {.call = call};

    if (!bindings)
        return GR_OK;
    enum gr_err err = refuse_shadows(call);
    if (err == GR_OK)
        err = grc_schema_binds_pairs(route->params, call->match.params, call->match.param_count,
                                     visit_value, &bound);
    if (err == GR_OK)
        err = grc_schema_binds_pairs(route->query, call->query, call->query_count, visit_value,
                                     &bound);
    if (err == GR_OK && route->body && call->json)
        err = grc_schema_binds_json(route->body, call->json, visit_value, &bound);
    /* A request without a value would be about all of them. */
    for (unsigned i = 0; err == GR_OK && bindings[i].kind; i++) {
        if (!(bound.seen & 1u << i))
            err = grc_fail(call, GR_ERR_FORBIDDEN,
                           "this caller is bound to certain %ss, and has to name one",
                           bindings[i].kind);
    }
    return err;
}
