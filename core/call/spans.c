#include "call/spans.h"

#include "base/clock.h"
#include "base/err.h"

#include <stdio.h>

#define NAME_BYTES 256u
/* Shorter waits for a worker are not worth a span: almost every request has one. */
#define WAIT_MIN_US 1000

gr_str grc_call_tracestate(const struct grc_call *call)
{
    gr_str state = {NULL, 0};

    if (call->request)
        state = grc_request_header(call->request, "tracestate");
    return grc_context_state_good(state) ? state : (gr_str){NULL, 0};
}

static void record(struct grc_call *call)
{
    if (call->runtime->tracer && grc_context_sampled(call->traceparent))
        call->trace = grc_trace_new(call->runtime->tracer, grc_call_tracestate(call));
}

static gr_str parent_id(const struct grc_call *call)
{
    return gr_str_of(call->parent_id);
}

/* --- requests --- */

void grc_call_trace_begin(struct grc_call *call, gr_str traceparent)
{
    const struct grc_tracer *tracer = call->runtime->tracer;
    bool joined = grc_context_accept(traceparent, call->traceparent);

    if (!joined && !tracer && !call->runtime->settings->trace_generates)
        return;
    if (joined)
        snprintf(call->parent_id, sizeof(call->parent_id), "%.16s",
                 grc_context_span_id(call->traceparent).ptr);
    else
        grc_context_begin(call->traceparent);
    grc_context_child(call->traceparent, call->traceparent);
    if (tracer)
        grc_tracer_decide(tracer, call->traceparent, joined);
    if (!call->request->admin)
        record(call);
}

void grc_call_trace_go_on(struct grc_call *call)
{
    record(call);
}

/* The conventions know these methods, and call all others by one name. */
static const char *method_of(const struct grc_request *request)
{
    static const char *const known[] = {"GET",    "HEAD",    "POST",    "PUT",  "PATCH",
                                        "DELETE", "OPTIONS", "CONNECT", "TRACE"};

    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (gr_str_eq(request->method_text, gr_str_of(known[i])))
            return known[i];
    }
    return "_OTHER";
}

/* The error.type of an answer that counts as failed; by the conventions, a 4xx does not. */
static const char *error_of(const struct grc_call *call, bool sent, char ret_status[16])
{
    int status = call->reply->status;

    snprintf(ret_status, 16, "%d", status);
    if (status >= 500)
        return call->error.err != GR_OK && call->error.type ? call->error.type : ret_status;
    return sent ? "" : "not_sent";
}

/* The time in which the whole head of the request was there, but no worker was free for it. */
static void add_wait(const struct grc_call *call)
{
    const struct grc_request *request = call->request;
    char context[GRC_CONTEXT_BYTES];

    if (request->waited_us < WAIT_MIN_US)
        return;
    grc_context_child(call->traceparent, context);
    const struct grc_span span = {
        .context = context,
        .parent_id = grc_context_span_id(call->traceparent),
        .name = "wait for a worker",
        .kind = GRC_SPAN_INTERNAL,
        .began_us = request->started_us - request->waited_us,
        .ended_us = request->started_us,
    };
    grc_trace_add(call->trace, &span);
}

static void add_request(const struct grc_call *call, bool sent)
{
    static const char *const sources[] = {
        [GRC_FROM_UPSTREAM] = "", [GRC_FROM_OTHER_CALL] = "other_call", [GRC_FROM_CACHE] = "cache"};
    const struct grc_request *request = call->request;
    const char *method = method_of(request);
    const char *route = call->route ? call->route->path : "";
    char status[16];
    const char *error = error_of(call, sent, status);
    char name[NAME_BYTES];

    snprintf(name, sizeof(name), "%s%s%s", strcmp(method, "_OTHER") == 0 ? "HTTP" : method,
             route[0] ? " " : "", route);
    const struct grc_span span = {
        .context = call->traceparent,
        .parent_id = parent_id(call),
        .name = name,
        .kind = GRC_SPAN_SERVER,
        .began_us = request->started_us - request->waited_us,
        .ended_us = grc_mono_us(),
        .failed = error[0] != '\0',
        .attributes = GRC_LOG_FIELDS(
            GRC_LT("http.request.method", method), GRC_LT("http.route", route),
            GRC_LT("url.scheme", request->tls ? "https" : "http"),
            GRC_LT("network.protocol.version", request->http_1_0 ? "1.0" : "1.1"),
            GRC_LI("http.response.status_code", call->reply->status), GRC_LT("error.type", error),
            GRC_LT("greenroom.request_id", call->request_id),
            GRC_LT("greenroom.operation", call->route ? call->route->row->id : ""),
            GRC_LT("greenroom.group", call->match.owner ? call->match.owner->self.name : ""),
            GRC_LT("greenroom.answer_from", sources[call->upstream_source])),
    };
    grc_trace_add(call->trace, &span);
}

void grc_call_trace_end(struct grc_call *call, bool sent)
{
    struct grc_trace *trace = call->trace;

    if (!trace)
        return;
    /* Probes and the gateway's own pages are not of interest, and are asked for all the time. */
    if (call->route && !call->route->plugin->settings) {
        grc_trace_discard(trace);
    } else {
        add_wait(call);
        add_request(call, sent);
        grc_trace_end(trace);
    }
    call->trace = NULL;
}

/* --- timers --- */

void grc_call_trace_begin_timer(struct grc_call *call)
{
    if (!call->runtime->tracer)
        return;
    grc_context_begin(call->traceparent);
    grc_tracer_decide(call->runtime->tracer, call->traceparent, false);
    record(call);
}

void grc_call_trace_end_timer(struct grc_call *call, const char *name, int64_t began_us,
                              enum gr_err err)
{
    if (!call->trace)
        return;
    const struct grc_span span = {
        .context = call->traceparent,
        .name = name,
        .kind = GRC_SPAN_INTERNAL,
        .began_us = began_us,
        .ended_us = grc_mono_us(),
        .failed = err != GR_OK,
        .attributes = GRC_LOG_FIELDS(GRC_LT("error.type", err != GR_OK ? grc_err_slug(err) : ""),
                                     GRC_LT("greenroom.request_id", call->request_id),
                                     GRC_LT("greenroom.group", call->plugin->self.name)),
    };
    grc_trace_add(call->trace, &span);
    grc_trace_end(call->trace);
    call->trace = NULL;
}

/* --- parts --- */

void grc_part_begin(const struct grc_call *call, struct grc_part *part)
{
    if (!call->trace)
        return;
    part->began_us = grc_mono_us();
    grc_context_child(call->traceparent, part->context);
}

void grc_part_end(const struct grc_call *call, const struct grc_part *part, enum grc_span_kind kind,
                  const char *name, enum gr_err err, const struct grc_log_field *attributes)
{
    if (!call->trace)
        return;
    const struct grc_span span = {
        .context = part->context,
        .parent_id = grc_context_span_id(call->traceparent),
        .name = name,
        .kind = kind,
        .began_us = part->began_us,
        .ended_us = grc_mono_us(),
        .failed = err != GR_OK,
        .attributes = attributes,
    };
    grc_trace_add(call->trace, &span);
}
