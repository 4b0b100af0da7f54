/* Forward rows: pass a request to an upstream, and its answer back, unchanged. */
#include "base/err.h"
#include "call/host.h"
#include "call/select.h"
#include "upstream/headers.h"

#include <strings.h>

/* Appends the value of a parameter, escaped for the inside of a JSON string. */
static enum gr_err add_json_param(struct grc_call *call, struct grc_buf *buf, gr_str name)
{
    struct grc_buf quoted;
    gr_str value = {NULL, 0};

    for (size_t i = 0; i < call->match.param_count; i++) {
        if (gr_str_eq(call->match.params[i].name, name))
            value = call->match.params[i].value;
    }
    grc_buf_init(&quoted, 8192);
    enum gr_err err = grc_buf_json_string(&quoted, value);
    if (err == GR_OK)
        err = grc_buf_add(buf, quoted.ptr + 1, quoted.len - 2);
    grc_buf_done(&quoted);
    return err;
}

/* Fills a body template: JSON text in which a string "{name}" stands for a path parameter. Braces
 * outside of strings are JSON's own. */
static gr_str fill_template(struct grc_call *call, const char *text)
{
    struct grc_buf buf;
    enum gr_err err = GR_OK;
    char *copy = NULL;

    grc_buf_init(&buf, 65536);
    while (*text && err == GR_OK) {
        if (text[0] == '"' && text[1] == '{') {
            size_t name = strcspn(text + 2, "}\"");

            err = grc_buf_char(&buf, '"');
            if (err == GR_OK)
                err = add_json_param(call, &buf, (gr_str){text + 2, name});
            text += 2 + name + (text[2 + name] == '}');
        } else {
            err = grc_buf_char(&buf, *text++);
        }
    }
    size_t len = buf.len;
    if (err == GR_OK)
        copy = grc_arena_copy(&call->arena, grc_buf_view(&buf));
    grc_buf_done(&buf);
    return (gr_str){copy, copy ? len : 0};
}

static void free_text(void *text)
{
    free(text);
}

/* Returns the body without the members that are meant for the gateway. */
static gr_str stripped_body(struct grc_call *call)
{
    json_t *copy = grc_schema_strip(call->route->body, call->json);
    char *text = copy ? json_dumps(copy, JSON_COMPACT) : NULL;

    json_decref(copy);
    if (!text || grc_arena_defer(&call->arena, free_text, text) != GR_OK)
        return (gr_str){NULL, 0};
    return gr_str_of(text);
}

/* Returns the body to send. POST, PUT and PATCH always have one, an empty one if need be. */
static gr_str body_of(struct grc_call *call, const struct gr_forward *forward,
                      enum gr_method method)
{
    const struct gr_field *body = call->route->row->body;

    if (forward->body)
        return fill_template(call, forward->body);
    if (method == GR_METHOD_GET || method == GR_METHOD_DELETE)
        return (gr_str){NULL, 0};
    if ((forward->flags & GR_FORWARD_NO_BODY) || call->body.len == 0)
        return body && body->type == GR_ARRAY ? GR_STR("[]") : GR_STR("{}");
    if (call->route->body && call->json && grc_schema_strips(call->route->body))
        return stripped_body(call);
    return grc_buf_view(&call->body);
}

static enum gr_err build(struct grc_call *call, const struct gr_forward *forward,
                         struct grc_exchange *exchange)
{
    const char *target = grc_target(call, forward->path, call->match.params,
                                    call->match.param_count, call->query, call->query_count);

    if (!target)
        return call->error.err;
    grc_exchange_of(call, exchange);
    exchange->upstream = forward->upstream;
    exchange->method = forward->method ? forward->method : call->request->method;
    exchange->target = gr_str_of(target);
    exchange->path_template = forward->path;
    exchange->body = body_of(call, forward, exchange->method);
    exchange->has_body = exchange->body.ptr != NULL;
    exchange->idempotent = (forward->flags & GR_FORWARD_IDEMPOTENT) != 0;
    exchange->timeout_ms = call->route->timeout_ms;
    exchange->cache = call->route->cache;
    if (!exchange->has_body && exchange->method != GR_METHOD_GET &&
        exchange->method != GR_METHOD_DELETE)
        return grc_fail(call, GR_ERR_NO_MEMORY, "no memory for the upstream's body");
    return GR_OK;
}

static enum gr_err reply_as_it_came(struct grc_call *call, const struct grc_exchange *exchange)
{
    const char *type = grc_arena_copy(&call->arena, exchange->answer_type);

    return grc_host_reply_bytes(&call->pub, exchange->status,
                                exchange->answer_type.len && type ? type : "application/json",
                                exchange->answer);
}

static enum gr_err fail_upstream(struct grc_call *call, const struct grc_exchange *exchange)
{
    struct gr_error error = {.err = exchange->err, .message = grc_err_doc(exchange->err)};

    if (exchange->err == GR_ERR_UPSTREAM_BUSY || exchange->err == GR_ERR_OVERLOAD) {
        int64_t seconds = grc_header_seconds(exchange->retry_after);

        error.retry_after_s = seconds > 0 && seconds < 86400 ? (unsigned)seconds : 1;
    }
    return grc_host_fail_with(&call->pub, &error);
}

/* Where the gateway itself may limit the request, rate-limit headers of the upstream are left out,
 * since a client would take them for the gateway's. */
void grc_reply_pass(struct grc_call *call, const struct gr_pair *header)
{
    static const char ours[] = "RateLimit";
    struct grc_reply *reply = call->reply;

    if (call->guard && header->name.len >= sizeof(ours) - 1 &&
        strncasecmp(header->name.ptr, ours, sizeof(ours) - 1) == 0)
        return;
    if (reply->header_count < sizeof(reply->headers) / sizeof(reply->headers[0]))
        reply->headers[reply->header_count++] = *header;
}

/* Adds Age, and Cache-Status (RFC 9211). */
static void add_cache_headers(struct grc_call *call, const struct grc_exchange *exchange)
{
    const char *status = NULL;
    char *age = NULL;

    if (exchange->cache_state == GRC_CACHE_HIT) {
        age = grc_arena_format(&call->arena, "%lld", (long long)exchange->age_s);
        status = grc_arena_format(&call->arena, "greenroom; hit; ttl=%lld%s",
                                  (long long)exchange->fresh_s,
                                  exchange->cache_shared ? "; detail=shared" : "");
    } else if (exchange->cache_state != GRC_CACHE_UNUSED) {
        status = grc_arena_format(&call->arena, "greenroom; fwd=%s%s%s",
                                  exchange->cache_state == GRC_CACHE_STALE ? "stale" : "miss",
                                  exchange->source == GRC_FROM_OTHER_CALL ? "; collapsed" : "",
                                  exchange->cache_stored ? "; stored" : "");
    }
    if (age)
        (void)grc_host_reply_header(&call->pub, "Age", gr_str_of(age));
    if (status)
        (void)grc_host_reply_header(&call->pub, "Cache-Status", gr_str_of(status));
}

/* select names what to keep of the answer; NULL keeps all of it. */
static enum gr_err reply_with(struct grc_call *call, const struct gr_select *select,
                              const struct grc_exchange *exchange)
{
    if (exchange->err != GR_OK)
        return fail_upstream(call, exchange);
    /* A redirect is neither followed nor passed on, since it would lead the caller past the
     * gateway. */
    if (exchange->status < 200 || (exchange->status >= 300 && exchange->status < 400))
        return grc_fail(call, GR_ERR_UPSTREAM_BROKEN, "the upstream answered with status %d",
                        exchange->status);
    for (size_t i = 0; i < exchange->answer_header_count; i++)
        grc_reply_pass(call, &exchange->answer_headers[i]);
    add_cache_headers(call, exchange);
    if (!select || exchange->status != 200)
        return reply_as_it_came(call, exchange);
    bool changed = false;
    gr_str kept = {NULL, 0};
    enum gr_err err = grc_select(call, select, exchange->answer, &kept, &changed);
    if (err != GR_OK)
        return err;
    return changed ? grc_host_reply_bytes(&call->pub, exchange->status, "application/json", kept)
                   : reply_as_it_came(call, exchange);
}

enum gr_err grc_forward(struct grc_call *call)
{
    const struct gr_forward *forward = call->route ? call->route->forward : NULL;
    struct grc_exchange exchange;

    if (!forward || !call->request || !call->reply)
        return grc_fail(call, GR_ERR_INTERNAL, "this call has no forward row");
    enum gr_err err = build(call, forward, &exchange);
    if (err != GR_OK)
        return err;
    /* The body was checked, and a route without a handler needs only its bytes from now on. The
     * tree would take up to eighty times their memory until the upstream has answered. */
    if (!call->route->row->handle)
        grc_call_drop_json(call);
    grc_upstreams_run(call->runtime->upstreams, &exchange, 1);
    grc_exchange_note(call, &exchange);
    return reply_with(call, forward->select, &exchange);
}

enum gr_err grc_host_forward(struct gr_call *pub)
{
    return grc_forward(grc_call_of(pub));
}

enum gr_err grc_host_relay(struct gr_call *pub, const struct gr_upstream_request *request)
{
    struct grc_call *call = grc_call_of(pub);
    struct grc_exchange exchange;

    if (!call->request || !call->reply)
        return grc_fail(call, GR_ERR_INTERNAL, "this call has no client to answer");
    enum gr_err err = grc_exchange_build(call, request, &exchange);
    if (err != GR_OK)
        return err;
    if (exchange.timeout_ms == 0 && call->route)
        exchange.timeout_ms = call->route->timeout_ms;
    grc_upstreams_run(call->runtime->upstreams, &exchange, 1);
    grc_exchange_note(call, &exchange);
    return reply_with(call, NULL, &exchange);
}
