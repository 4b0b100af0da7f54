/*
 * Fault injection: the next calls that match a rule are delayed, answered with an error, or cut
 * off. A client can request a fault for one call: "X-Sandbox-Fault: delay=500;status=503".
 */
#include "faults.h"

#include <fnmatch.h>
#include <stdlib.h>
#include <time.h>

#define DELAY_MAX_MS 600000

const struct gr_field sb_fault_fields[] = {
    GR_FIELD("count", GR_INT, "Number of calls to which the rule applies; -1: all",
             .range = GR_MIN(-1), .default_doc = "1"),
    GR_FIELD("skip", GR_INT, "Number of matching calls to skip at the beginning",
             .range = GR_MIN(0), .default_doc = "0"),
    GR_FIELD("every", GR_INT, "Applies to every n-th matching call", .range = GR_MIN(1),
             .default_doc = "1"),
    GR_FIELD("method", GR_STRING, "Method; absent: any"),
    GR_FIELD("path", GR_STRING, "Path below /v2, with * for any text; absent: any"),
    GR_FIELD("delay", GR_INT, "Milliseconds to wait first", .range = GR_RANGE(0, DELAY_MAX_MS)),
    GR_FIELD("status", GR_INT, "Status to answer", .range = GR_RANGE(200, 599)),
    GR_FIELD("body", GR_ANY, "JSON body for the status"),
    GR_FIELD("raw", GR_STRING, "Text to send in place of a JSON body"),
    GR_FIELD("content_type", GR_STRING, "Content type of `raw`", .default_doc = "application/json"),
    GR_FIELD("retry_after", GR_INT, "Seconds in Retry-After", .range = GR_RANGE(1, 86400)),
    GR_FIELD("drop", GR_BOOL,
             "Whether to handle the call but close the connection without an answer",
             .default_doc = "false"),
    GR_FIELD("truncate", GR_INT,
             "Handles the call but closes the connection after this many bytes of the answer",
             .range = GR_MIN(0)),
    GR_END,
};

static const char *method_name(enum gr_method method)
{
    static const char *const names[] = {"", "GET", "POST", "PUT", "PATCH", "DELETE"};

    return (size_t)method < sizeof(names) / sizeof(names[0]) ? names[method] : "";
}

static bool rule_matches(const json_t *rule, const char *method, const char *path)
{
    const char *wanted_method = sb_text(rule, "method");
    const char *wanted_path = sb_text(rule, "path");

    return (!*wanted_method || strcasecmp(wanted_method, method) == 0) &&
           (!*wanted_path || fnmatch(wanted_path, path, 0) == 0);
}

/* True when the rule applies to this matching call, which it counts. */
static bool rule_fires(struct sandbox *sb, json_t *rule)
{
    int64_t skip = sb_int(rule, "skip");
    int64_t count = sb_int(rule, "count");
    int64_t every = sb_int(rule, "every");
    int64_t passed = sb_int(rule, "passed");

    if (skip > 0) {
        sb_set(sb, rule, "skip", json_integer(skip - 1));
        return false;
    }
    if (every > 1 && count != 0) {
        sb_set(sb, rule, "passed", json_integer((passed + 1) % every));
        if (passed + 1 < every)
            return false;
    }
    if (count > 0)
        sb_set(sb, rule, "count", json_integer(count - 1));
    return count != 0;
}

/* Returns a copy of the first rule that applies to this call; NULL when there is none. */
static json_t *rule_for(struct gr_call *call, struct sandbox *sb)
{
    const char *method = method_name(gr_route_of(call)->method);
    const char *path = sb_local_path(call);
    json_t *met = NULL;
    const json_t *rules;
    size_t i;
    json_t *rule;

    pthread_mutex_lock(&sb->lock);
    rules = json_object_get(sb->root, "faults");
    json_array_foreach(rules, i, rule) {
        if (!path || !rule_matches(rule, method, path) || !rule_fires(sb, rule))
            continue;
        met = json_deep_copy(rule);
        break;
    }
    pthread_mutex_unlock(&sb->lock);
    return met;
}

/* Parses "delay=500;status=503" into a rule; NULL when it is malformed. */
static json_t *rule_of_header(struct gr_call *call, gr_str text)
{
    json_t *rule = json_object();
    char *rest = gr_copy(call, text);
    char *part;

    while (rest && (part = strsep(&rest, ";, "))) {
        char *name = strsep(&part, "=");
        char *end = NULL;
        json_int_t number = part ? strtoll(part, &end, 10) : 1;

        if (!*name)
            continue;
        if (part && (end == part || *end)) {
            json_decref(rule);
            return NULL;
        }
        if (json_object_set_new(rule, name,
                                strcmp(name, "drop") == 0 ? json_boolean(number != 0)
                                                          : json_integer(number))) {
            json_decref(rule);
            return NULL;
        }
    }
    return rule;
}

static void wait_ms(int64_t ms)
{
    struct timespec left = {(time_t)(ms / 1000), (long)(ms % 1000) * 1000000};

    while (nanosleep(&left, &left))
        ; /* continue after a signal */
}

static const char *message_for(int status)
{
    switch (status) {
    case 401:
        return "Token validation error";
    case 403:
        return "insufficient permissions";
    case 404:
        return "not found";
    case 408:
        return "timed out";
    case 429:
        return "rate limit exceeded";
    case 503:
        return "service unavailable";
    default:
        return status >= 500 ? "internal server error" : "injected fault";
    }
}

/* wait_s is the value of Retry-After and part of the message, like in the service. With 0, both
 * have none. */
static enum gr_err answer_error(struct gr_call *call, int status, unsigned wait_s)
{
    const char *message = message_for(status);
    char *text = wait_s ? gr_format(call, "%s, retry after %u seconds", message, wait_s) : NULL;
    struct gr_error error = {
        .err = status == 429   ? GR_ERR_RATE
               : status >= 500 ? GR_ERR_INTERNAL
                               : GR_ERR_BAD_REQUEST,
        .status = status,
        .code = status,
        .message = text ? text : message,
        .retry_after_s = wait_s,
    };

    return gr_fail_with(call, &error);
}

enum gr_err sb_too_many(struct gr_call *call, unsigned wait_s)
{
    return answer_error(call, 429, wait_s);
}

static enum gr_err answer(struct gr_call *call, const json_t *rule)
{
    int status = json_object_get(rule, "status") ? (int)sb_int(rule, "status") : 200;
    const char *type = sb_text(rule, "content_type");
    const json_t *body = json_object_get(rule, "body");
    int64_t wait_s = sb_int(rule, "retry_after");

    if (!body && !json_object_get(rule, "raw"))
        return answer_error(call, status, (unsigned)wait_s);
    if (wait_s) {
        char *text = gr_format(call, "%lld", (long long)wait_s);
        enum gr_err err =
            text ? gr_reply_header(call, "Retry-After", gr_str_of(text)) : GR_ERR_NO_MEMORY;

        if (err != GR_OK)
            return gr_fail(call, err, "cannot set Retry-After");
    }
    if (body)
        return gr_reply_json(call, status, json_deep_copy(body));
    type = gr_copy(call, gr_str_of(type)); /* the rule is released before the answer is sent */
    return gr_reply(call, status, type && *type ? type : "application/json",
                    gr_str_of(gr_copy(call, gr_str_of(sb_text(rule, "raw")))));
}

static enum gr_err apply(struct gr_call *call, const json_t *rule, bool *ret_done)
{
    const json_t *length = json_object_get(rule, "truncate");

    if (sb_int(rule, "delay") > 0)
        wait_ms(sb_int(rule, "delay"));
    if (sb_true(rule, "drop"))
        gr_reply_cut(call, 0);
    else if (json_is_integer(length))
        gr_reply_cut(call, (size_t)json_integer_value(length));
    *ret_done = json_object_get(rule, "status") || json_object_get(rule, "raw");
    return *ret_done ? answer(call, rule) : GR_OK;
}

enum gr_err sb_faults_apply(struct gr_call *call, struct sandbox *sb, bool *ret_done)
{
    gr_str header = gr_header(call, "X-Sandbox-Fault");
    enum gr_err err = GR_OK;
    json_t *rule;

    if (header.len) {
        rule = rule_of_header(call, header);
        if (!rule ||
            gr_validate(call,
                        GR_BODY(GR_OBJECT, .fields = sb_fault_fields, .flags = GR_FIELD_STRICT),
                        rule) != GR_OK) {
            json_decref(rule);
            return sb_error(call, 400, "Invalid header: X-Sandbox-Fault",
                            "expected name=number pairs, separated by semicolons");
        }
    } else {
        rule = rule_for(call, sb);
    }
    if (rule)
        err = apply(call, rule, ret_done);
    json_decref(rule);
    return err;
}
