#include "isolation/message.h"

#include "auth/callers.h"
#include "base/clock.h"
#include "base/json.h"
#include "call/host.h"

#define QUERY_MAX 256u
#define SCOPES_MAX 4096u
#define BINDINGS_MAX 64u
#define PROBLEMS_MAX 64u

static gr_str text_of(const char *text)
{
    return gr_str_of(text);
}

/* --- lists of texts, ended by NULL --- */

static void write_list(struct grc_wire *wire, const char *const *list)
{
    size_t count = 0;

    while (list && list[count])
        count++;
    grc_wire_int(wire, (int64_t)count);
    for (size_t i = 0; i < count; i++)
        grc_wire_text(wire, text_of(list[i]));
}

static const char *const *read_list(struct grc_unwire *unwire, struct grc_arena *arena)
{
    size_t count = grc_unwire_count(unwire, SCOPES_MAX);
    const char **list = grc_arena_alloc(arena, (count + 1) * sizeof(*list));

    for (size_t i = 0; list && i < count; i++) {
        list[i] = grc_unwire_text(unwire).ptr;
        unwire->broken = unwire->broken || !list[i];
    }
    unwire->broken = unwire->broken || !list;
    return list;
}

/* --- the caller --- */

static void write_caller(struct grc_wire *wire, const struct grc_call *call)
{
    const struct grc_caller *caller = call->caller;
    size_t count = 0;

    grc_wire_text(wire, call->caller_id);
    grc_wire_text(wire, call->account.label);
    grc_wire_text(wire, call->account.audience);
    grc_wire_text(wire, caller ? caller->id : (gr_str){NULL, 0});
    if (!caller)
        return;
    grc_wire_text(wire, text_of(caller->provider));
    write_list(wire, caller->scopes);
    while (caller->bindings && caller->bindings[count].kind)
        count++;
    grc_wire_int(wire, (int64_t)count);
    for (size_t i = 0; i < count; i++) {
        grc_wire_text(wire, text_of(caller->bindings[i].kind));
        write_list(wire, caller->bindings[i].values);
    }
}

static const struct grc_binding *read_bindings(struct grc_unwire *unwire, struct grc_arena *arena)
{
    size_t count = grc_unwire_count(unwire, BINDINGS_MAX);
    struct grc_binding *bindings =
        count ? grc_arena_alloc(arena, (count + 1) * sizeof(*bindings)) : NULL;

    unwire->broken = unwire->broken || (count && !bindings);
    for (size_t i = 0; bindings && i < count; i++) {
        bindings[i].kind = grc_unwire_text(unwire).ptr;
        bindings[i].values = read_list(unwire, arena);
    }
    return bindings;
}

static void read_caller(struct grc_unwire *unwire, struct grc_call *call)
{
    call->caller_id = grc_unwire_text(unwire);
    call->account.label = grc_unwire_text(unwire);
    call->account.audience = grc_unwire_text(unwire);
    gr_str id = grc_unwire_text(unwire);
    struct grc_caller *caller = id.ptr ? grc_arena_alloc(&call->arena, sizeof(*caller)) : NULL;

    unwire->broken = unwire->broken || (id.ptr && !caller);
    if (!caller)
        return;
    caller->id = id;
    caller->provider = grc_unwire_text(unwire).ptr;
    caller->scopes = read_list(unwire, &call->arena);
    caller->bindings = read_bindings(unwire, &call->arena);
    call->caller = caller;
}

/* --- the request --- */

static void write_request(struct grc_wire *wire, const struct grc_request *request)
{
    grc_wire_int(wire, request != NULL);
    if (!request)
        return;
    grc_wire_int(wire, request->method);
    grc_wire_int(wire, request->head);
    grc_wire_int(wire, request->tls);
    grc_wire_int(wire, request->content_length);
    grc_wire_text(wire, request->method_text);
    grc_wire_text(wire, request->path);
    grc_wire_text(wire, request->query);
    grc_wire_text(wire, text_of(request->peer));
    grc_wire_pairs(wire, request->headers, request->header_count);
}

static void read_request(struct grc_unwire *unwire, struct grc_call *call)
{
    if (!grc_unwire_int(unwire))
        return;
    struct grc_request *request = grc_arena_alloc(&call->arena, sizeof(*request));
    unwire->broken = unwire->broken || !request;
    if (!request)
        return;
    request->method = (enum gr_method)grc_unwire_int(unwire);
    request->head = grc_unwire_int(unwire) != 0;
    request->tls = grc_unwire_int(unwire) != 0;
    request->content_length = grc_unwire_int(unwire);
    request->method_text = grc_unwire_text(unwire);
    request->path = grc_unwire_text(unwire);
    request->query = grc_unwire_text(unwire);
    gr_str peer = grc_unwire_text(unwire);
    unwire->broken = unwire->broken || peer.len >= sizeof(request->peer);
    if (!unwire->broken && peer.len)
        memcpy(request->peer, peer.ptr, peer.len);
    request->header_count = grc_unwire_pairs(unwire, request->headers, GRC_HEADERS_MAX);
    request->started_us = grc_mono_us();
    call->request = request;
}

/* --- errors --- */

static void write_problems(struct grc_wire *wire, const struct grc_problems *problems)
{
    grc_wire_int(wire, (int64_t)problems->count);
    for (size_t i = 0; i < problems->count; i++) {
        const struct gr_problem *problem = &problems->list[i];

        grc_wire_text(wire, text_of(problem->in));
        grc_wire_text(wire, text_of(problem->where));
        grc_wire_int(wire, problem->kind);
        grc_wire_text(wire, text_of(problem->expected));
    }
}

static void read_problems(struct grc_unwire *unwire, struct grc_problems *problems)
{
    size_t count = grc_unwire_count(unwire, PROBLEMS_MAX);

    for (size_t i = 0; i < count && !unwire->broken; i++) {
        gr_str in = grc_unwire_text(unwire);
        gr_str where = grc_unwire_text(unwire);
        enum gr_problem_kind kind = (enum gr_problem_kind)grc_unwire_int(unwire);
        gr_str expected = grc_unwire_text(unwire);

        unwire->broken = unwire->broken || !in.ptr || !where.ptr || !expected.ptr ||
                         grc_problem_add(problems, in.ptr, where.ptr, kind, "%s", expected.ptr) ==
                             GR_ERR_NO_MEMORY;
    }
}

static void write_details(struct grc_wire *wire, const json_t *details)
{
    struct grc_buf text;

    grc_buf_init(&text, GRC_FRAME_MAX_BYTES);
    if (details && wire->err == GR_OK)
        wire->err = grc_json_write(&text, details);
    grc_wire_text(wire, details ? grc_buf_view(&text) : (gr_str){NULL, 0});
    grc_buf_done(&text);
}

static const json_t *read_details(struct grc_unwire *unwire, struct grc_arena *arena)
{
    gr_str text = grc_unwire_text(unwire);
    json_t *details = text.ptr ? grc_json_parse(text, GRC_JSON_DEPTH_MAX, NULL) : NULL;

    if (details && grc_json_defer(arena, details) != GR_OK)
        details = NULL;
    unwire->broken = unwire->broken || (text.ptr && !details);
    return details;
}

static void write_error(struct grc_wire *wire, const struct grc_call *call)
{
    const struct gr_error *error = &call->error;

    grc_wire_int(wire, error->err);
    grc_wire_int(wire, error->status);
    grc_wire_int(wire, error->code);
    grc_wire_text(wire, text_of(error->type));
    grc_wire_text(wire, text_of(error->message));
    grc_wire_int(wire, error->retry_after_s);
    write_details(wire, error->details);
    write_problems(wire, &call->problems);
}

/* The problems belong to the call, see call/error.c. */
static void read_error(struct grc_unwire *unwire, struct grc_call *call)
{
    struct gr_error error = {.err = (enum gr_err)grc_unwire_int(unwire)};

    error.status = (int)grc_unwire_int(unwire);
    error.code = (int)grc_unwire_int(unwire);
    error.type = grc_unwire_text(unwire).ptr;
    error.message = grc_unwire_text(unwire).ptr;
    error.retry_after_s = (unsigned)grc_unwire_int(unwire);
    error.details = read_details(unwire, &call->arena);
    read_problems(unwire, &call->problems);
    if (!unwire->broken && call->error.err == GR_OK)
        call->error = error;
}

/* --- calls --- */

static int64_t route_number(const struct grc_call *call)
{
    return call->route ? call->route - call->plugin->routes + 1 : 0;
}

static const struct grc_route *read_route(struct grc_unwire *unwire,
                                          const struct grc_plugin *plugin)
{
    int64_t number = grc_unwire_int(unwire);

    unwire->broken = unwire->broken || number < 0 || (uint64_t)number > plugin->route_count;
    return !unwire->broken && number > 0 ? &plugin->routes[number - 1] : NULL;
}

void grc_call_write(struct grc_wire *wire, const struct grc_call *call, enum grc_ask ask,
                    int64_t deadline_ms)
{
    grc_wire_int(wire, ask);
    grc_wire_int(wire, route_number(call));
    grc_wire_int(wire, deadline_ms);
    grc_wire_text(wire, text_of(call->request_id));
    grc_wire_text(wire, text_of(call->traceparent));
    write_request(wire, call->request);
    grc_wire_pairs(wire, call->match.params, call->match.param_count);
    grc_wire_pairs(wire, call->query, call->query_count);
    grc_wire_text(wire, grc_buf_view(&call->body));
    write_caller(wire, call);
    if (ask == GRC_ASK_RENDER_ERROR)
        write_error(wire, call);
}

/* Copies a text into an array of the call. */
static void read_into(struct grc_unwire *unwire, char *into, size_t size)
{
    gr_str text = grc_unwire_text(unwire);

    unwire->broken = unwire->broken || text.len >= size;
    if (!unwire->broken && text.len)
        memcpy(into, text.ptr, text.len + 1);
}

static void read_query(struct grc_unwire *unwire, struct grc_call *call)
{
    struct grc_unwire ahead = *unwire;
    size_t count = grc_unwire_count(&ahead, QUERY_MAX);

    if (count)
        call->query = grc_arena_alloc(&call->arena, count * sizeof(*call->query));
    unwire->broken = unwire->broken || (count && !call->query);
    call->query_count = grc_unwire_pairs(unwire, call->query, count);
}

static void read_body(struct grc_unwire *unwire, struct grc_call *call)
{
    gr_str body = grc_unwire_text(unwire);

    call->body.max_bytes = body.len;
    if (body.len && grc_buf_str(&call->body, body) != GR_OK)
        unwire->broken = true;
}

bool grc_call_read(struct grc_unwire *unwire, struct grc_call *call, enum grc_ask *ret_ask)
{
    *ret_ask = (enum grc_ask)grc_unwire_int(unwire);
    call->route = read_route(unwire, call->plugin);
    call->deadline_ms = grc_unwire_int(unwire);
    read_into(unwire, call->request_id, sizeof(call->request_id));
    read_into(unwire, call->traceparent, sizeof(call->traceparent));
    read_request(unwire, call);
    call->match.route = call->route;
    call->match.param_count = grc_unwire_pairs(unwire, call->match.params, GRC_PARAMS_MAX + 1);
    read_query(unwire, call);
    read_body(unwire, call);
    read_caller(unwire, call);
    if (*ret_ask == GRC_ASK_RENDER_ERROR)
        read_error(unwire, call);
    if (call->route)
        call->subject.operation = call->route->row->id;
    return !unwire->broken;
}

/* --- answers --- */

static void write_reply(struct grc_wire *wire, const struct grc_reply *reply)
{
    grc_wire_int(wire, reply->status);
    grc_wire_text(wire, text_of(reply->content_type));
    grc_wire_pairs(wire, reply->headers, reply->header_count);
    grc_wire_text(wire, reply->body);
    grc_wire_int(wire, reply->cut);
    grc_wire_int(wire, (int64_t)reply->cut_after);
}

static void read_reply(struct grc_unwire *unwire, struct grc_call *call)
{
    struct grc_reply *reply = call->reply;
    struct gr_pair headers[sizeof(reply->headers) / sizeof(reply->headers[0])];
    int status = (int)grc_unwire_int(unwire);
    const char *type = grc_unwire_text(unwire).ptr;
    size_t count = grc_unwire_pairs(unwire, headers, sizeof(headers) / sizeof(headers[0]));
    gr_str body = grc_unwire_text(unwire);
    bool cut = grc_unwire_int(unwire) != 0;
    int64_t cut_after = grc_unwire_int(unwire);

    if (unwire->broken || !reply)
        return;
    for (size_t i = 0; i < count; i++)
        grc_reply_pass(call, &headers[i]);
    if (status) {
        reply->status = status;
        reply->content_type = type;
        reply->body = body;
    }
    reply->cut = reply->cut || cut;
    reply->cut_after = cut ? (size_t)cut_after : reply->cut_after;
}

void grc_answer_write(struct grc_wire *wire, const struct grc_call *call, enum gr_err err)
{
    grc_wire_int(wire, err);
    grc_wire_text(wire, call->caller_id);
    grc_wire_text(wire, call->account.label);
    grc_wire_text(wire, call->account.audience);
    grc_wire_int(wire, call->upstream_status);
    grc_wire_int(wire, call->upstream_us);
    grc_wire_int(wire, call->upstream_attempts);
    grc_wire_int(wire, call->upstream_source);
    write_reply(wire, call->reply);
    write_error(wire, call);
}

enum gr_err grc_answer_read(struct grc_unwire *unwire, struct grc_call *call)
{
    enum gr_err err = (enum gr_err)grc_unwire_int(unwire);

    call->caller_id = grc_unwire_text(unwire);
    call->account.label = grc_unwire_text(unwire);
    call->account.audience = grc_unwire_text(unwire);
    int status = (int)grc_unwire_int(unwire);
    if (status)
        call->upstream_status = status;
    call->upstream_us += grc_unwire_int(unwire);
    call->upstream_attempts += (unsigned)grc_unwire_int(unwire);
    enum grc_answer_source source = (enum grc_answer_source)grc_unwire_int(unwire);
    if (status)
        call->upstream_source = source;
    read_reply(unwire, call);
    read_error(unwire, call);
    if (!unwire->broken)
        return err;
    call->caller_id = (gr_str){NULL, 0};
    call->account = (struct gr_account){{NULL, 0}, {NULL, 0}};
    return GR_ERR_UPSTREAM_BROKEN;
}
