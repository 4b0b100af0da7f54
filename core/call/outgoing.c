/* Calls of handlers to upstreams. Text from a client never gets into a URL without encoding. */
#include "auth/callers.h"
#include "base/log.h"
#include "base/uri.h"
#include "call/host.h"
#include "call/spans.h"
#include "call/timers.h"

#define TARGET_MAX_BYTES 16384u
#define PAIRS_MAX 64u
#define PLACE_MAX_BYTES 1024u

static const gr_str *find_param(const struct gr_pair *params, size_t count, gr_str name)
{
    for (size_t i = 0; i < count; i++) {
        if (gr_str_eq(params[i].name, name))
            return &params[i].value;
    }
    return NULL;
}

/* Appends the value of a {name} of the pattern. */
static enum gr_err add_param(struct grc_call *call, struct grc_buf *buf, gr_str name,
                             const struct gr_pair *params, size_t count)
{
    const gr_str *value = find_param(params, count, name);

    if (!value)
        return grc_fail(call, GR_ERR_INTERNAL, "path parameter '%.*s' has no value", (int)name.len,
                        name.ptr);
    if (!grc_segment_safe(*value))
        return grc_fail(call, GR_ERR_BAD_REQUEST, "path parameter '%.*s' is not one path segment",
                        (int)name.len, name.ptr);
    return grc_uri_encode(buf, *value);
}

static enum gr_err add_path(struct grc_call *call, struct grc_buf *buf, const char *pattern,
                            const struct gr_pair *params, size_t count)
{
    enum gr_err err = GR_OK;

    while (*pattern && err == GR_OK) {
        size_t plain = strcspn(pattern, "{");

        err = grc_buf_add(buf, pattern, plain);
        pattern += plain;
        if (err != GR_OK || !*pattern)
            break;
        size_t name = strcspn(pattern + 1, "}");
        err = add_param(call, buf, (gr_str){pattern + 1, name}, params, count);
        pattern += 1 + name;
        if (*pattern == '}')
            pattern++;
    }
    return err;
}

static enum gr_err add_query(struct grc_buf *buf, const struct gr_pair *query, size_t count)
{
    enum gr_err err = GR_OK;

    for (size_t i = 0; i < count && err == GR_OK; i++) {
        err = grc_buf_char(buf, i ? '&' : '?');
        if (err == GR_OK)
            err = grc_uri_encode(buf, query[i].name);
        if (err == GR_OK)
            err = grc_buf_char(buf, '=');
        if (err == GR_OK)
            err = grc_uri_encode(buf, query[i].value);
    }
    return err;
}

const char *grc_target(struct grc_call *call, const char *pattern, const struct gr_pair *params,
                       size_t param_count, const struct gr_pair *query, size_t query_count)
{
    struct grc_buf buf;
    char *target = NULL;

    grc_buf_init(&buf, TARGET_MAX_BYTES);
    enum gr_err err = add_path(call, &buf, pattern, params, param_count);
    if (err == GR_OK)
        err = add_query(&buf, query, query_count);
    if (err == GR_OK)
        target = grc_arena_copy(&call->arena, grc_buf_view(&buf));
    if (!target)
        grc_fail(call, err == GR_OK ? GR_ERR_NO_MEMORY : err, "the upstream's URL is too long");
    grc_buf_done(&buf);
    return target;
}

/* The answer is not waited for any more: the client has left, or the gateway ends. */
static bool unwanted(void *arg)
{
    return grc_request_given_up(arg) || grc_conn_gone(arg);
}

/* The same for a call whose client may come back for the answer. */
static bool given_up(void *arg)
{
    return grc_request_given_up(arg);
}

static bool (*gone_of(const struct grc_call *call))(void *arg)
{
    if (!call->request)
        return grc_plugin_timers_given_up;
    return call->claim ? given_up : unwanted;
}

static enum gr_err add_bindings(struct grc_buf *buf, const struct grc_binding *binding)
{
    enum gr_err err = GR_OK;

    for (; binding && binding->kind; binding++) {
        err = grc_buf_format(buf, "\n%s", binding->kind);
        for (const char *const *value = binding->values; err == GR_OK && *value; value++)
            err = grc_buf_format(buf, "\t%s", *value);
        if (err != GR_OK)
            break;
    }
    return err;
}

/* Makes the text that identifies calls which may share answers: those of the same caller with the
 * same bindings. Two tokens of a subject can have different bindings, and two providers can have
 * callers of the same name. Returns false without memory. */
static bool partition_of(struct grc_call *call, gr_str *ret_partition)
{
    const struct grc_caller *caller = call->caller;
    struct grc_buf buf;

    *ret_partition = call->caller_id;
    if (!caller)
        return true;
    grc_buf_init(&buf, call->arena.max_bytes);
    enum gr_err err = grc_buf_text(&buf, caller->provider);
    if (err == GR_OK)
        err = grc_buf_char(&buf, '\n');
    if (err == GR_OK)
        err = grc_buf_str(&buf, caller->id);
    if (err == GR_OK)
        err = add_bindings(&buf, caller->bindings);
    char *copy = err == GR_OK ? grc_arena_copy(&call->arena, grc_buf_view(&buf)) : NULL;
    *ret_partition = (gr_str){copy, copy ? buf.len : 0};
    grc_buf_done(&buf);
    return copy != NULL;
}

void grc_exchange_of(struct grc_call *call, struct grc_exchange *exchange)
{
    *exchange = (struct grc_exchange){
        .deadline_ms = call->deadline_ms,
        .request_id = call->request_id[0] ? call->request_id : NULL,
        .group = call->plugin ? call->plugin->self.name : "core",
        .gone = gone_of(call),
        .gone_arg = call->request,
        .arena = &call->arena,
    };
    exchange->alone = !partition_of(call, &exchange->partition);
    if (call->traceparent[0]) {
        exchange->traceparent = call->traceparent;
        exchange->trace = call->trace;
        exchange->tracestate = grc_call_tracestate(call);
    }
}

/* Whether the upstream may have done what it was asked. With 401, 429 and 503 it says that it has
 * not. */
static bool may_have_acted(const struct grc_exchange *exchange)
{
    if (exchange->method == GR_METHOD_GET || exchange->attempts == 0)
        return false;
    if (exchange->err == GR_OK)
        return exchange->status != 401 && exchange->status != 429 && exchange->status != 503;
    return exchange->err != GR_ERR_UPSTREAM_CONNECT && exchange->err != GR_ERR_UPSTREAM_BUSY;
}

void grc_exchange_note(struct grc_call *call, const struct grc_exchange *exchange)
{
    call->acted = call->acted || may_have_acted(exchange);
    call->upstream_status = exchange->status;
    call->upstream_us += exchange->took_us;
    call->upstream_attempts += exchange->attempts;
    call->upstream_source = exchange->source;
}

static size_t count_pairs(const struct gr_pair *pairs)
{
    size_t count = 0;

    while (pairs && pairs[count].name.ptr && count < PAIRS_MAX)
        count++;
    return count;
}

/* Refuses a name that `greenroom check` could not know, since the plugin did not declare it. */
static enum gr_err refuse_unknown(struct grc_call *call, const char *upstream)
{
    grc_log_fields(GR_LOG_ERROR,
                   "the plugin calls an upstream that the config does not have; names in its code "
                   "belong into .upstreams or an option",
                   GRC_LOG_FIELDS(GRC_LT("plugin", call->plugin ? call->plugin->self.name : "core"),
                                  GRC_LT("upstream", upstream ? upstream : ""),
                                  GRC_LT("request_id", call->request_id)));
    return GR_ERR_INTERNAL;
}

enum gr_err grc_exchange_build(struct grc_call *call, const struct gr_upstream_request *request,
                               struct grc_exchange *exchange)
{
    grc_exchange_of(call, exchange);
    const char *target =
        grc_target(call, request->path, request->params, count_pairs(request->params),
                   request->query, count_pairs(request->query));
    if (!target)
        return call->error.err;
    if (!request->upstream || !grc_upstreams_has(call->runtime->upstreams, request->upstream))
        return refuse_unknown(call, request->upstream);
    exchange->upstream = request->upstream;
    exchange->method = request->method;
    exchange->target = gr_str_of(target);
    exchange->headers = request->headers;
    exchange->header_count = count_pairs(request->headers);
    exchange->has_body = request->body.ptr != NULL;
    exchange->body = request->body;
    exchange->content_type = request->content_type;
    exchange->bearer = request->bearer;
    exchange->no_credential = (request->flags & GR_UPSTREAM_NO_CREDENTIAL) != 0;
    exchange->idempotent = (request->flags & GR_UPSTREAM_IDEMPOTENT) != 0;
    exchange->timeout_ms = request->timeout_ms;
    return GR_OK;
}

enum gr_err grc_host_upstream_call(struct gr_call *pub, const struct gr_upstream_request *requests,
                                   struct gr_upstream_reply *replies, size_t count)
{
    struct grc_call *call = grc_call_of(pub);
    struct grc_exchange *exchanges =
        count < PAIRS_MAX ? grc_arena_alloc(&call->arena, count * sizeof(*exchanges)) : NULL;
    enum gr_err first = GR_OK;

    if (!exchanges)
        return GR_ERR_NO_MEMORY;
    for (size_t i = 0; i < count; i++) {
        enum gr_err err = grc_exchange_build(call, &requests[i], &exchanges[i]);

        if (err != GR_OK)
            return err;
    }
    grc_upstreams_run(call->runtime->upstreams, exchanges, count);
    for (size_t i = 0; i < count; i++) {
        replies[i] = (struct gr_upstream_reply){
            .err = exchanges[i].err,
            .status = exchanges[i].status,
            .body = exchanges[i].answer,
            .content_type = exchanges[i].answer_type,
            .retry_after = exchanges[i].retry_after,
        };
        grc_exchange_note(call, &exchanges[i]);
        if (first == GR_OK)
            first = exchanges[i].err;
    }
    return first;
}

static void log_problem(void *arg, const char *line)
{
    const struct gr_self *self = arg;

    grc_error("%s: %s", self->name, line);
}

enum gr_err grc_host_upstream_define(struct gr_self *self, const char *name, const json_t *settings)
{
    struct grc_plugin *plugin = (struct grc_plugin *)self;
    char *reason = NULL;
    char where[PLACE_MAX_BYTES];

    /* Messages then read "FILE: upstream NAME.url: expected …". */
    snprintf(where, sizeof(where), "%s: upstream %s", plugin->settings->file, name);
    struct grc_upstream_settings *parsed =
        grc_upstream_settings_parse(where, name, settings, log_problem, self);

    if (!parsed)
        return GR_ERR_INVALID;
    if (grc_upstreams_define(plugin->runtime->upstreams, parsed, &reason))
        return GR_OK;
    grc_error("%s: upstream '%s': %s", self->name, name, reason ? reason : "out of memory");
    free(reason);
    return GR_ERR_INVALID;
}

enum gr_err grc_host_upstream_define_url(struct gr_self *self, const char *name, const char *url,
                                         const json_t *settings, const char **ret_path)
{
    struct grc_plugin *plugin = (struct grc_plugin *)self;
    gr_str origin = {NULL, 0};
    const char *path = NULL;

    if (!grc_url_split(url, &origin, &path)) {
        grc_error("%s: upstream '%s': expected an http or https URL without user, query and "
                  "fragment",
                  self->name, name);
        return GR_ERR_INVALID;
    }
    char *copy = grc_keep_copy(&plugin->keep, gr_str_of(path));
    json_t *whole = settings ? json_copy((json_t *)(uintptr_t)settings) : json_object();
    enum gr_err err = GR_ERR_NO_MEMORY;
    if (copy && whole &&
        json_object_set_new(whole, "url", json_stringn(origin.ptr, origin.len)) == 0)
        err = grc_host_upstream_define(self, name, whole);
    json_decref(whole);
    if (err == GR_OK)
        *ret_path = copy;
    return err;
}

enum gr_err grc_host_credential_sign(struct gr_call *pub, const char *upstream,
                                     const json_t *claims, int64_t lifetime_s, char **ret_token)
{
    struct grc_call *call = grc_call_of(pub);

    if (!upstream || !grc_upstreams_has(call->runtime->upstreams, upstream))
        return refuse_unknown(call, upstream);
    return grc_upstreams_sign(call->runtime->upstreams, upstream, &call->arena, claims, lifetime_s,
                              ret_token);
}
