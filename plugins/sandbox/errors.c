/* Errors in the 100ms shape: {"code": 404, "message": "…"}, and optional "details": ["…"]. */
#include "sandbox.h"

enum gr_err sb_error(struct gr_call *call, int status, const char *message, const char *detail)
{
    json_t *details = detail ? json_pack("[s]", detail) : NULL;
    struct gr_error error = {
        .err = status == 401   ? GR_ERR_UNAUTHORIZED
               : status == 403 ? GR_ERR_FORBIDDEN
               : status == 404 ? GR_ERR_NOT_FOUND
               : status == 409 ? GR_ERR_CONFLICT
               : status == 429 ? GR_ERR_RATE
               : status >= 500 ? GR_ERR_INTERNAL
                               : GR_ERR_BAD_REQUEST,
        .status = status,
        .code = status,
        .message = message,
        .details = details,
    };
    enum gr_err err = gr_fail_with(call, &error);

    json_decref(details);
    return err;
}

/* The documented messages of the service for invalid members. The first matching row is used; "%s"
 * is the member. The prefix "" matches everything. */
static const struct wording {
    const char *route; /* prefix of the route id */
    const char *in;
    const char *where; /* prefix of the member */
    enum gr_problem_kind kind;
    const char *message;
} wordings[] = {
    {"sandbox.rooms.", "body", "recording_info.upload_info.location", GR_PROBLEM_MISSING,
     "Bucket location is missing"},
    {"sandbox.rooms.", "body", "recording_info.upload_info", 0, "Invalid upload configuration"},
    {"sandbox.rooms.", "body", "region", GR_PROBLEM_VALUE, "region not supported"},
    {"sandbox.codes.", "body", "", 0, "Invalid body parameter"},
    {"sandbox.codes.", "query", "", 0, "Invalid query parameter"},
    {"sandbox.sip.dtmf", "body", "digits", GR_PROBLEM_MISSING, "digits are mandatory"},
    {"sandbox.sip.dtmf", "body", "digits", 0, "invalid digit"},
    {"sandbox.sip.", "body", "", GR_PROBLEM_MISSING, "%s is mandatory"},
    {"", "query", "", 0, "Invalid query param: %s"},
    {"", "body", "", 0, "Invalid body param: %s"},
    {"", "", "", 0, "Invalid param: %s"},
};

static bool begins(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

static const char *wording_of(const char *route, const struct gr_problem *problem)
{
    const struct wording *row = wordings;

    while (!(begins(route, row->route) && begins(problem->in, row->in) &&
             begins(problem->where, row->where) && (!row->kind || row->kind == problem->kind)))
        row++; /* the last row matches everything */
    return row->message;
}

/* Replaces "%s" by the member. */
static json_t *worded(const char *message, const char *where)
{
    const char *gap = strstr(message, "%s");

    if (!gap)
        return json_string(message);
    return json_sprintf("%.*s%s%s", (int)(gap - message), message, *where ? where : "body",
                        gap + 2);
}

static json_t *details_of(const struct gr_error *error)
{
    json_t *details;

    if (error->details)
        return json_deep_copy(error->details);
    if (!error->problem_count)
        return NULL;
    details = json_array();
    for (size_t i = 0; i < error->problem_count; i++) {
        const struct gr_problem *problem = &error->problems[i];

        if (json_array_append_new(details, json_sprintf("%s: expected %s",
                                                        *problem->where ? problem->where : "body",
                                                        problem->expected))) {
            json_decref(details);
            return NULL;
        }
    }
    return details;
}

/* The message of the service has the position of the error, counted from 1. */
static json_t *bad_json_message(struct gr_call *call)
{
    gr_str body = gr_body(call);
    json_error_t problem = {.position = 0};

    json_decref(json_loadb(body.ptr, body.len, JSON_DECODE_ANY, &problem));
    return json_sprintf("request body contains badly-formed JSON (at position %d)",
                        problem.position);
}

static const struct gr_field error_fields[] = {
    GR_FIELD("code", GR_INT, "The HTTP status once more", .flags = GR_FIELD_REQUIRED),
    GR_FIELD("message", GR_STRING, "What went wrong", .flags = GR_FIELD_REQUIRED),
    GR_FIELD("details", GR_ARRAY, "More about it", .flags = GR_FIELD_NOT_NULL,
             .items = GR_ITEM(GR_STRING)),
    GR_END,
};
const struct gr_field sb_error_body[1] = {{.type = GR_OBJECT, .fields = error_fields}};

json_t *sb_render_error(struct gr_call *call, const struct gr_error *error)
{
    const struct gr_route *route = gr_route_of(call);
    json_t *message;

    if (error->problem_count && strcmp(error->problems[0].in, "body") == 0 && !gr_body(call).len)
        message = json_string(SB_NO_BODY);
    else if (error->problem_count)
        message = worded(wording_of(route ? route->id : "", &error->problems[0]),
                         error->problems[0].where);
    else if (error->err == GR_ERR_BAD_JSON)
        message = bad_json_message(call);
    else
        message = json_string(error->message);
    return json_pack("{si so* so*}", "code", error->status, "message", message, "details",
                     details_of(error));
}
