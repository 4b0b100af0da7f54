#include "problem.h"

#include <jansson.h>

struct row {
    const char *type;
    int status;
    const char *title;
};

static const struct row rows[MINI_PROBLEM_COUNT] = {
#define MINI_PROBLEM_ROW(name, type_, status_, title_) [name] = {type_, status_, title_},
    MINI_PROBLEM_LIST(MINI_PROBLEM_ROW)
#undef MINI_PROBLEM_ROW
};

/* The types that clients of this group know, for errors of the host. */
static const struct {
    enum gr_err err;
    enum mini_problem problem;
} host_errors[] = {
    {GR_ERR_INTERNAL, MINI_INTERNAL},          {GR_ERR_NO_MEMORY, MINI_INTERNAL},
    {GR_ERR_BAD_JSON, MINI_BAD_PAYLOAD},       {GR_ERR_MEDIA_TYPE, MINI_BAD_PAYLOAD},
    {GR_ERR_UNAUTHORIZED, MINI_BAD_TOKEN},     {GR_ERR_FORBIDDEN, MINI_ACCESS_DENIED},
    {GR_ERR_NOT_FOUND, MINI_NO_PATH},          {GR_ERR_METHOD, MINI_BAD_METHOD},
    {GR_ERR_TOO_LARGE, MINI_TOO_LARGE},        {GR_ERR_STORE_DOWN, MINI_NO_DATABASE},
    {GR_ERR_STORE_BUSY, MINI_BAD_DATABASE},    {GR_ERR_STORE_UNIQUE, MINI_BAD_DATABASE},
    {GR_ERR_STORE_FOREIGN, MINI_BAD_DATABASE}, {GR_ERR_STORE_CHECK, MINI_BAD_DATABASE},
    {GR_ERR_STORE, MINI_BAD_DATABASE},
};

static enum gr_err err_of(int status)
{
    switch (status) {
    case 400:
        return GR_ERR_INVALID;
    case 401:
        return GR_ERR_UNAUTHORIZED;
    case 403:
        return GR_ERR_FORBIDDEN;
    case 404:
        return GR_ERR_NOT_FOUND;
    case 422:
        return GR_ERR_UNPROCESSABLE;
    case 502:
        return GR_ERR_UPSTREAM_CONNECT;
    default: /* not GR_ERR_INTERNAL, for which the host would hide the detail from the client */
        return GR_ERR_UPSTREAM_BROKEN;
    }
}

enum gr_err mini_fail(struct gr_call *call, enum mini_problem problem, const char *detail)
{
    const struct row *row = &rows[problem];

    return gr_fail_with(call, &(const struct gr_error){.err = err_of(row->status),
                                                       .status = row->status,
                                                       .type = row->type,
                                                       .message = detail});
}

enum gr_err mini_fail_store(struct gr_call *call, enum gr_err err)
{
    switch (err) {
    case GR_ERR_STORE_DOWN:
        return mini_fail(call, MINI_NO_DATABASE, "the store cannot be reached");
    case GR_ERR_STORE:
    case GR_ERR_STORE_BUSY:
    case GR_ERR_STORE_CHECK:
    case GR_ERR_STORE_FOREIGN:
    case GR_ERR_STORE_UNIQUE:
        return mini_fail(call, MINI_BAD_DATABASE, "the store refused a statement");
    default:
        return err;
    }
}

/* Returns which part of the request was wrong: the path when no route was found, the query of a
 * GET, otherwise the body. */
static enum mini_problem bad_request(const struct gr_call *call)
{
    const struct gr_route *route = gr_route_of(call);

    if (!route)
        return MINI_BAD_PARAMETER;
    return route->method == GR_METHOD_GET ? MINI_BAD_QUERY : MINI_BAD_PAYLOAD;
}

static const char *type_of(const struct gr_call *call, const struct gr_error *error)
{
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (strcmp(rows[i].type, error->type) == 0)
            return rows[i].type;
    }
    if (error->err == GR_ERR_INVALID) {
        const char *in = error->problem_count ? error->problems[0].in : "body";

        if (strcmp(in, "path") == 0)
            return rows[MINI_BAD_PARAMETER].type;
        return rows[strcmp(in, "query") == 0 ? MINI_BAD_QUERY : MINI_BAD_PAYLOAD].type;
    }
    if (error->err == GR_ERR_BAD_REQUEST)
        return rows[bad_request(call)].type;
    for (size_t i = 0; i < sizeof(host_errors) / sizeof(host_errors[0]); i++) {
        if (host_errors[i].err == error->err)
            return rows[host_errors[i].problem].type;
    }
    return error->type;
}

static const char *title_of(const char *type)
{
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (strcmp(rows[i].type, type) == 0)
            return rows[i].title;
    }
    return "Request failed";
}

static const char *detail_of(struct gr_call *call, const struct gr_error *error)
{
    const char *text = NULL;

    for (size_t i = 0; i < error->problem_count; i++) {
        const struct gr_problem *p = &error->problems[i];
        const char *where = p->where && *p->where ? p->where : p->in;
        const char *line = p->kind == GR_PROBLEM_MISSING
                               ? gr_format(call, "%s: missing", where)
                               : gr_format(call, "%s: expected %s", where, p->expected);

        text = text && line ? gr_format(call, "%s; %s", text, line) : line;
    }
    return text ? text : error->message;
}

static const struct gr_field error_fields[] = {
    GR_FIELD("type", GR_STRING, "A name for the kind of problem", .flags = GR_FIELD_REQUIRED,
             .example = "\"access_denied\""),
    GR_FIELD("title", GR_STRING, "The kind of problem as a text for people",
             .flags = GR_FIELD_REQUIRED, .example = "\"Access denied\""),
    GR_FIELD("status", GR_INT, "The HTTP status", .flags = GR_FIELD_REQUIRED, .example = "403"),
    GR_FIELD("detail", GR_STRING, "Details of this case", .flags = GR_FIELD_NOT_NULL),
    GR_END,
};
const struct gr_field mini_error_body[1] = {{.type = GR_OBJECT, .fields = error_fields}};

json_t *mini_render_error(struct gr_call *call, const struct gr_error *error)
{
    const char *type = type_of(call, error);
    const char *detail = detail_of(call, error);

    return json_pack("{s:s, s:s, s:i, s:s*}", "type", type, "title", title_of(type), "status",
                     error->status, "detail", detail && *detail ? detail : NULL);
}
