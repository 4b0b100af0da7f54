/* Errors of calls: kept where they happen, and rendered once, in the format of the group that owns
 * the path. */
#include "base/err.h"
#include "base/json.h"
#include "base/log.h"
#include "call/host.h"

#include <stdio.h>

/* True for errors whose messages could disclose internals: they go into the log, and the client
 * gets a fixed one. */
static bool is_internal(enum gr_err err)
{
    return err == GR_ERR_INTERNAL || err == GR_ERR_NO_MEMORY || err == GR_ERR_STORE;
}

static enum gr_err vfail(struct grc_call *call, enum gr_err err, const char *format, va_list args)
    __attribute__((format(printf, 3, 0)));
static enum gr_err vfail(struct grc_call *call, enum gr_err err, const char *format, va_list args)
{
    if (call->error.err != GR_OK)
        return call->error.err; /* the first failure is the cause */
    call->error = (struct gr_error){.err = err};
    char *message = grc_arena_vformat(&call->arena, format, args);
    call->error.message = message ? message : grc_err_doc(err);
    return err;
}

enum gr_err grc_fail(struct grc_call *call, enum gr_err err, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    err = vfail(call, err, format, args);
    va_end(args);
    return err;
}

enum gr_err grc_host_vfail(struct gr_call *pub, enum gr_err err, const char *format, va_list args)
{
    return vfail(grc_call_of(pub), err, format, args);
}

static const char *keep_text(struct grc_call *call, const char *text)
{
    return text ? grc_arena_copy(&call->arena, gr_str_of(text)) : NULL;
}

enum gr_err grc_host_fail_with(struct gr_call *pub, const struct gr_error *error)
{
    struct grc_call *call = grc_call_of(pub);

    if (call->error.err != GR_OK)
        return call->error.err;
    call->error = *error;
    if (call->error.err == GR_OK)
        call->error.err = GR_ERR_INTERNAL;
    call->error.type = keep_text(call, error->type);
    call->error.message = keep_text(call, error->message);
    call->error.problems = NULL; /* complete() uses those of the call */
    call->error.problem_count = 0;
    if (error->details) {
        json_t *details = json_deep_copy(error->details);

        call->error.details = grc_json_defer(&call->arena, details) == GR_OK ? details : NULL;
    }
    for (size_t i = 0; i < error->problem_count; i++) {
        const struct gr_problem *p = &error->problems[i];

        if (grc_problem_add(&call->problems, p->in, p->where, p->kind, "%s", p->expected) != GR_OK)
            break;
    }
    return call->error.err;
}

enum gr_err grc_host_vinvalid(struct gr_call *pub, const char *where, enum gr_problem_kind kind,
                              const char *format, va_list args)
{
    struct grc_call *call = grc_call_of(pub);
    char *expected = grc_arena_vformat(&call->arena, format, args);

    enum gr_err err = grc_problem_add(&call->problems, call->json ? "body" : "query", where, kind,
                                      "%s", expected ? expected : "another value");
    return err == GR_ERR_NO_MEMORY ? err : GR_ERR_INVALID;
}

static const char *problem_text(char *line, size_t size, const struct gr_problem *problem)
{
    const char *where = problem->where && *problem->where ? problem->where : problem->in;

    if (problem->kind == GR_PROBLEM_MISSING)
        snprintf(line, size, "%s: required, but missing", where);
    else
        snprintf(line, size, "%s: expected %s", where, problem->expected);
    return line;
}

json_t *grc_error_json(const struct gr_error *error)
{
    json_t *body = json_pack("{s:i, s:s}", "code", error->status, "message", error->message);
    char line[512];

    if (body && error->problem_count) {
        json_t *details = json_array();

        for (size_t i = 0; i < error->problem_count; i++)
            json_array_append_new(
                details, json_string(problem_text(line, sizeof(line), &error->problems[i])));
        json_object_set_new(body, "details", details);
    } else if (body && error->details) {
        json_object_set_new(body, "details", json_deep_copy(error->details));
    }
    return body;
}

/* Returns a message that names the first problem: "Invalid body param: questions[2].weight". */
static const char *invalid_message(struct grc_call *call)
{
    const struct gr_problem *first = call->problems.count ? &call->problems.list[0] : NULL;

    if (!first)
        return "Invalid request";
    if (!first->where || !*first->where)
        return grc_arena_format(&call->arena, "Invalid %s", first->in);
    return grc_arena_format(&call->arena, "Invalid %s param: %s", first->in, first->where);
}

/* Fills in the status, type, message and problems that are not set. */
static void complete(struct grc_call *call, enum gr_err err)
{
    struct gr_error *error = &call->error;

    if (error->err == GR_OK)
        error->err = err;
    if (error->status == 0)
        error->status = grc_err_status(error->err);
    if (!error->type)
        error->type = grc_err_slug(error->err);
    error->problems = call->problems.list;
    error->problem_count = call->problems.count;
    if (is_internal(error->err)) {
        grc_log_fields(GR_LOG_ERROR, error->message ? error->message : grc_err_doc(error->err),
                       GRC_LOG_FIELDS(GRC_LT("request_id", call->request_id),
                                      GRC_LT("plugin", call->plugin ? call->plugin->self.name : ""),
                                      GRC_LT("error", error->type)));
        if (error->status >= 500)
            error->message = NULL;
    }
    if (!error->message && error->err == GR_ERR_INVALID)
        error->message = invalid_message(call);
    if (!error->message)
        error->message = grc_err_doc(error->err);
    if (error->status == 503 && error->retry_after_s == 0)
        error->retry_after_s = 1;
}

static void free_text(void *text)
{
    free(text);
}

static bool body_from(struct grc_call *call, json_t *json)
{
    char *text = json ? json_dumps(json, JSON_COMPACT) : NULL;

    json_decref(json);
    if (!text || grc_arena_defer(&call->arena, free_text, text) != GR_OK)
        return false;
    call->reply->body = gr_str_of(text);
    return true;
}

static void add_header(struct grc_call *call, const char *name, const char *value)
{
    struct grc_reply *reply = call->reply;

    if (value && reply->header_count < sizeof(reply->headers) / sizeof(reply->headers[0]))
        reply->headers[reply->header_count++] = (struct gr_pair){gr_str_of(name), gr_str_of(value)};
}

static bool has_header(const struct grc_reply *reply, const char *name)
{
    for (size_t i = 0; i < reply->header_count; i++) {
        if (gr_str_eq(reply->headers[i].name, gr_str_of(name)))
            return true;
    }
    return false;
}

static void add_headers(struct grc_call *call)
{
    const struct gr_error *error = &call->error;

    if (error->retry_after_s && !has_header(call->reply, "Retry-After"))
        add_header(call, "Retry-After", grc_arena_format(&call->arena, "%u", error->retry_after_s));
    if (error->status == 401 && !has_header(call->reply, "WWW-Authenticate"))
        add_header(call, "WWW-Authenticate", "Bearer");
}

void grc_error_render(struct grc_call *call, enum gr_err err)
{
    struct grc_reply *reply = call->reply;
    json_t *json = NULL;

    complete(call, err);
    reply->status = call->error.status;
    reply->content_type = "application/json";
    if (call->plugin && call->plugin->desc->render_error)
        json = call->plugin->desc->render_error(&call->pub, &call->error);
    if (!json)
        json = grc_error_json(&call->error);
    if (!body_from(call, json))
        reply->body = GR_STR("{\"code\":500,\"message\":\"internal error\"}");
    add_headers(call);
}
