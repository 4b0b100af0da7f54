/* The answers of rig: {"message", "payload"} and {"message", "errorCode", "details"}. */
#include "rig.h"

#include <stdio.h>

struct code_row {
    enum rig_code code;
    const char *message;
};

static const struct code_row codes[] = {
    {RIG_NOT_FOUND, "Not found"},
    {RIG_METHOD, "Method not allowed"},
    {RIG_MEDIA_TYPE, "Content-Type should be application/json"},
    {RIG_CREDENTIALS, "Invalid credentials"},
    {RIG_MISSING, "Missing required input"},
    {RIG_INVALID, "Invalid input"},
    {RIG_CREATE, "Unable to create resource"},
    {RIG_UPDATE, "Unable to update resource"},
    {RIG_FETCH, "Unable to fetch resource"},
    {RIG_IN_USE, "Resource is already in use"},
    {RIG_TOO_MANY, "Too many requests"},
};

static const char *message_of(enum rig_code code)
{
    for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
        if (codes[i].code == code)
            return codes[i].message;
    }
    return "Invalid input";
}

enum gr_err rig_reply(struct gr_call *call, const char *message, json_t *stolen_payload)
{
    json_t *payload = stolen_payload ? stolen_payload : json_null();

    return gr_reply_json(call, 200,
                         json_pack("{s:s, s:o}", "message", message, "payload", payload));
}

enum gr_err rig_fail(struct gr_call *call, enum gr_err err, int status, enum rig_code code,
                     const char *message)
{
    const struct gr_error error = {.err = err,
                                   .status = status,
                                   .code = (int)code,
                                   .message = message ? message : message_of(code)};

    return gr_fail_with(call, &error);
}

static enum gr_err fail_details(struct gr_call *call, struct gr_error error, json_t *stolen_details)
{
    error.message = message_of((enum rig_code)error.code);
    error.details = stolen_details;
    enum gr_err err = gr_fail_with(call, &error);
    json_decref(stolen_details);
    return err;
}

enum gr_err rig_fail_limit(struct gr_call *call, int64_t limit)
{
    return fail_details(call,
                        (struct gr_error){.err = GR_ERR_INVALID, .status = 400, .code = RIG_CREATE},
                        json_pack("{s:I}", "limit", (json_int_t)limit));
}

enum gr_err rig_fail_rate(struct gr_call *call, int64_t retry_after_ms)
{
    int64_t seconds = retry_after_ms > 1000 ? (retry_after_ms + 999) / 1000 : 1;

    return fail_details(call,
                        (struct gr_error){.err = GR_ERR_RATE,
                                          .status = 429,
                                          .code = RIG_TOO_MANY,
                                          .retry_after_s = (unsigned)seconds},
                        json_pack("{s:I}", "retryAfter", (json_int_t)seconds));
}

enum gr_err rig_fail_store(struct gr_call *call, enum gr_err err, enum rig_code code,
                           const char *message)
{
    switch (err) {
    case GR_ERR_STORE_DOWN:
    case GR_ERR_STORE_BUSY:
        return rig_fail(call, err, 503, code, message);
    case GR_ERR_STORE_UNIQUE:
    case GR_ERR_STORE_FOREIGN:
    case GR_ERR_STORE_CHECK:
        return rig_fail(call, err, 400, code, message);
    case GR_ERR_STORE:
        return rig_fail(call, err, 500, code, message);
    default:
        return err;
    }
}

gr_str rig_text(const json_t *object, const char *name)
{
    const json_t *value = json_object_get(object, name);

    return (gr_str){json_string_value(value), json_string_length(value)};
}

/* ------------------------------------------------------------------------------------------ */
/* Errors of the host                                                                         */

const enum rig_code rig_fetches = RIG_FETCH;
const enum rig_code rig_updates = RIG_UPDATE;

/* The code of the route's kind of operation, for a failure before or in the handler. */
static enum rig_code code_of_operation(const struct gr_call *call)
{
    const struct gr_route *route = gr_route_of(call);
    const enum rig_code *code = route ? route->data : NULL;

    if (code)
        return *code;
    if (!route || route->method == GR_METHOD_GET)
        return RIG_FETCH;
    return route->method == GR_METHOD_POST ? RIG_CREATE : RIG_UPDATE;
}

/* True for a missing member, false for a missing body. */
static bool is_missing(const struct gr_problem *problem)
{
    return problem->kind == GR_PROBLEM_MISSING && problem->where && *problem->where;
}

static enum rig_code code_of_input(const struct gr_error *error)
{
    for (size_t i = 0; i < error->problem_count; i++) {
        if (is_missing(&error->problems[i]))
            return RIG_MISSING;
    }
    return RIG_INVALID;
}

static enum rig_code code_of(const struct gr_call *call, const struct gr_error *error)
{
    switch (error->status) {
    case 401:
    case 403:
        return RIG_CREDENTIALS;
    case 404:
        return RIG_NOT_FOUND;
    case 405:
        return RIG_METHOD;
    case 409:
        return RIG_IN_USE;
    case 415:
        return RIG_MEDIA_TYPE;
    case 429:
        return RIG_TOO_MANY;
    default:
        return error->status >= 500 ? code_of_operation(call) : code_of_input(error);
    }
}

static const char *reason_of(const struct gr_problem *problem)
{
    switch (problem->kind) {
    case GR_PROBLEM_MISSING:
        return "zero value";
    case GR_PROBLEM_MIN:
        return "less than min";
    case GR_PROBLEM_MAX:
        return "greater than max";
    case GR_PROBLEM_TYPE:
        return "wrong type";
    case GR_PROBLEM_TEXT:
        return "invalid characters";
    default:
        /* The checks of rig give the text of the reason. */
        return problem->expected ? problem->expected : "invalid value";
    }
}

/* The list of reasons for a member, which details names in upper case: "OldPassword" for
 * "oldPassword". NULL without memory. */
static json_t *reasons_under(struct gr_call *call, json_t *details, const char *where)
{
    char *name = gr_copy(call, gr_str_of(where));

    if (!name)
        return NULL;
    if (name[0] >= 'a' && name[0] <= 'z')
        name[0] = (char)(name[0] - 'a' + 'A');
    json_t *list = json_object_get(details, name);
    if (list)
        return list;
    list = json_array();
    return json_object_set_new(details, name, list) == 0 ? list : NULL;
}

/* Returns a new reference, or NULL when there are no details. */
static json_t *details_of(struct gr_call *call, const struct gr_error *error, enum rig_code code)
{
    json_t *details = json_object();

    for (size_t i = 0; i < error->problem_count; i++) {
        const struct gr_problem *problem = &error->problems[i];

        if (!problem->where || !*problem->where)
            continue;
        if (code == RIG_MISSING && problem->kind != GR_PROBLEM_MISSING)
            continue;
        json_t *list = reasons_under(call, details, problem->where);
        if (!list || json_array_append_new(list, json_string(reason_of(problem))) != 0)
            break;
    }
    if (json_object_size(details))
        return details;
    json_decref(details);
    return NULL;
}

static const struct gr_field error_fields[] = {
    GR_FIELD("message", GR_STRING, "What went wrong", .flags = GR_FIELD_REQUIRED,
             .example = "\"Invalid input\""),
    GR_FIELD("errorCode", GR_INT, "A number that stands for the kind of error",
             .flags = GR_FIELD_REQUIRED, .example = "1005"),
    GR_FIELD("details", GR_OBJECT, "Problems of each member; null if there are none",
             .example = "{\"Email\": [\"is not an address\"]}"),
    GR_END,
};
const struct gr_field rig_error_body[1] = {{.type = GR_OBJECT, .fields = error_fields}};

json_t *rig_render_error(struct gr_call *call, const struct gr_error *error)
{
    bool ours = error->code != 0;
    enum rig_code code = ours ? (enum rig_code)error->code : code_of(call, error);
    const char *message = ours && error->message ? error->message : message_of(code);
    json_t *details = NULL;

    /* The host removes the message of an internal error, so the message of the code replaces it. */
    if (error->status == 500)
        message = message_of(code);
    if (error->details)
        details = json_deep_copy(error->details);
    else if (!ours)
        details = details_of(call, error, code);
    if (!details && code == RIG_TOO_MANY && error->retry_after_s)
        details = json_pack("{s:I}", "retryAfter", (json_int_t)error->retry_after_s);
    return json_pack("{s:s, s:i, s:o}", "message", message, "errorCode", (int)code, "details",
                     details ? details : json_null());
}

const struct gr_field rig_no_flags[] = {GR_END};

int rig_command_failed(const char *reason)
{
    (void)fprintf(stderr, "greenroom: %s\n", reason);
    return 1;
}
