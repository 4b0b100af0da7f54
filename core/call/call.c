#include "call/call.h"

#include "auth/callers.h"
#include "base/json.h"
#include "base/log.h"
#include "base/memory.h"
#include "call/large.h"

void grc_call_begin(struct grc_call *call, struct grc_runtime *runtime, struct grc_plugin *plugin)
{
    const struct grc_settings *settings = runtime->settings;

    call->runtime = runtime;
    call->plugin = NULL;
    call->route = NULL;
    call->request = NULL;
    call->reply = NULL;
    call->arena.max_bytes = (size_t)settings->call_memory_max_bytes;
    call->match = (struct grc_match){.err = GR_OK};
    call->request_id[0] = '\0';
    call->traceparent[0] = '\0';
    call->parent_id[0] = '\0';
    call->trace = NULL;
    call->query = NULL;
    call->query_count = 0;
    call->body.max_bytes = (size_t)settings->body_max_bytes;
    call->json = NULL;
    call->json_bytes = 0;
    call->problems = (struct grc_problems){.arena = &call->arena, .max = 32};
    call->error = (struct gr_error){.err = GR_OK};
    call->guard = NULL;
    call->caller_id = (gr_str){NULL, 0};
    call->account = (struct gr_account){{NULL, 0}, {NULL, 0}};
    call->caller = NULL;
    call->session = NULL;
    call->deadline_ms = 0;
    call->acted = false;
    call->claim = NULL;
    call->upstream_status = 0;
    call->upstream_us = 0;
    call->upstream_attempts = 0;
    call->upstream_source = GRC_FROM_UPSTREAM;
    grc_call_own(call, plugin);
    call->subject.operation = "";
    call->subject.request_id = call->request_id;
    call->subject_before = grc_fault_subject_set(&call->subject);
    call->has_subject = true;
}

void grc_call_own(struct grc_call *call, struct grc_plugin *plugin)
{
    call->plugin = plugin;
    call->pub.host = &grc_host;
    call->pub.self = plugin ? &plugin->self : NULL;
    call->pub.state = plugin ? plugin->instance : NULL;
    call->subject.plugin = plugin ? plugin->self.name : NULL;
    call->subject.module = plugin ? plugin->module : NULL;
}

void grc_call_drop_json(struct grc_call *call)
{
    grc_json_drop(call->json, call->json_bytes);
    if (call->json_bytes >= GRC_MEMORY_LARGE)
        grc_large_leave(call->json_bytes);
    call->json = NULL;
    call->json_bytes = 0;
}

void grc_call_end(struct grc_call *call)
{
    /* First, since a deferred function may use the body, to wipe a password in it. */
    grc_arena_reset(&call->arena);
    if (call->has_subject)
        (void)grc_fault_subject_set(call->subject_before);
    call->has_subject = false;
    grc_call_drop_json(call);
    grc_trace_discard(call->trace); /* of a call that did not get to its end */
    call->trace = NULL;
    /* The memory of a large body is not kept. */
    if (call->body.cap > 65536)
        grc_buf_done(&call->body);
    else
        grc_buf_clear(&call->body);
}

void grc_call_done(struct grc_call *call)
{
    grc_call_end(call);
    grc_arena_done(&call->arena);
    grc_buf_done(&call->body);
}

bool grc_call_has_scope(const struct grc_call *call, const char *scope)
{
    if (!call->caller)
        return call->request == NULL;
    return scope && grc_caller_has(call->caller, gr_str_of(scope));
}

bool grc_call_may(const struct grc_call *call, const char *binds, gr_str value)
{
    return !call->caller || grc_caller_may(call->caller, binds, value);
}
