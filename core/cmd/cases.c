#include "cmd/cases.h"

#include "base/file.h"
#include "base/format.h"
#include "base/json.h"

#include <stdlib.h>
#include <string.h>

#define FILE_BYTES_MAX (16u * 1024 * 1024)
#define DEPTH_MAX 64u
#define NAME_MAX_BYTES 160u

json_t *grc_case_calls(const json_t *one)
{
    json_t *upstream = json_object_get(one, "upstream");

    if (json_is_array(upstream))
        return json_incref(upstream);
    return upstream ? json_pack("[O]", upstream) : json_array();
}

char *grc_case_body(const json_t *object, size_t *ret_len)
{
    const json_t *raw = json_object_get(object, "raw");
    const json_t *body = json_object_get(object, "body");
    char *text =
        raw ? strdup(json_string_value(raw)) : (body ? json_dumps(body, JSON_ENCODE_ANY) : NULL);

    *ret_len = text ? strlen(text) : 0;
    return text;
}

/* --- what may stand in the file --- */

static const char *unknown_in(const json_t *object, const char *const *known)
{
    const char *name;
    json_t *value;

    json_object_foreach((json_t *)(uintptr_t)object, name, value) {
        const char *const *one = known;

        while (*one && strcmp(*one, name) != 0)
            one++;
        if (!*one)
            return name;
    }
    return NULL;
}

static const char *const no_texts[] = {NULL};

/* Refuses members that are not listed, and those listed in texts that are not strings. Both lists
 * end with NULL. */
static char *check_shape(const char *where, const json_t *object, const char *const *members,
                         const char *const *texts)
{
    if (!json_is_object(object))
        return grc_format("%s: expected an object", where);
    const char *unknown = unknown_in(object, members);
    if (unknown)
        return grc_format("%s: unknown member \"%s\"", where, unknown);
    for (; *texts; texts++) {
        const json_t *value = json_object_get(object, *texts);

        if (value && !json_is_string(value) && !json_is_null(value))
            return grc_format("%s: %s: expected a string", where, *texts);
    }
    return NULL;
}

static char *check_call(const char *where, const json_t *call)
{
    const json_t *answers = json_object_get(call, "answers");
    char *reason = check_shape(
        where, call,
        GR_LIST("receives", "at", "body", "credential", "claims", "without_claims", "answers"),
        GR_LIST("receives", "at", "credential"));

    if (!reason && answers)
        reason = check_shape(where, answers, GR_LIST("status", "body", "raw", "headers"),
                             GR_LIST("raw"));
    return reason;
}

static char *check_case(const json_t *one, size_t index)
{
    const char *name = grc_json_member(one, "name");
    const json_t *gets = json_object_get(one, "gets");
    char where[256];
    json_t *call;
    size_t i;

    snprintf(where, sizeof(where), "cases[%zu]%s%.200s", index, name ? ": " : "", name ? name : "");
    char *reason = check_shape(
        where, one,
        GR_LIST("name", "route", "defects", "send", "headers", "body", "raw", "upstream", "gets"),
        GR_LIST("name", "route", "send", "raw"));
    const char *send = reason ? NULL : grc_json_member(one, "send");
    if (!reason && (!name || !grc_json_member(one, "route") || !send || !strchr(send, ' ')))
        reason = grc_format("%s: expected name, route and send, \"METHOD TARGET\"", where);
    if (!reason && gets)
        reason = check_shape(where, gets, GR_LIST("status", "body", "headers", "names", "token"),
                             no_texts);
    json_t *calls = grc_case_calls(one);
    json_array_foreach(calls, i, call) {
        if (!reason)
            reason = check_call(where, call);
    }
    if (!reason && json_array_size(calls) == 0 && !json_object_get(gets, "status"))
        reason = grc_format("%s: expected upstream, or gets with a status", where);
    json_decref(calls);
    return reason;
}

/* --- checks become cases --- */

/* Returns the base with the patch applied: objects member by member, other values as a whole. New
 * reference. */
static json_t *merged(const json_t *base, const json_t *patch)
{
    const char *name;
    json_t *value;

    if (!json_is_object(base) || !json_is_object(patch))
        return json_deep_copy(patch);
    json_t *whole = json_deep_copy(base);
    json_object_foreach((json_t *)(uintptr_t)patch, name, value) {
        const json_t *old = json_object_get(base, name);

        json_object_set_new(whole, name, old ? merged(old, value) : json_deep_copy(value));
    }
    return whole;
}

/* Returns a body that holds inner (stolen) at the end of a path; each step is the name of a member,
 * or 0 for a list of one. */
static json_t *placed(json_t *inner, const json_t *inside, size_t step, const json_t *base)
{
    const json_t *at = json_array_get(inside, step);
    const bool last = step + 1 >= json_array_size(inside);
    json_t *outer;

    if (!at) {
        outer = json_is_object(inner) && json_is_object(base) ? merged(base, inner)
                                                              : json_incref(inner);
        json_decref(inner);
        return outer;
    }
    if (json_is_integer(at))
        return json_pack("[o]", placed(inner, inside, step + 1, NULL));
    outer = base ? json_deep_copy(base) : json_object();
    const json_t *old = json_object_get(outer, json_string_value(at));
    json_t *below = json_is_object(old) && last ? inner : placed(inner, inside, step + 1, old);
    json_object_set_new(outer, json_string_value(at), below);
    return outer;
}

/* Writes a path like "roles[0].teacher" in front of a name. */
static void add_prefix(struct grc_buf *buf, const json_t *inside)
{
    const json_t *step;
    size_t i;

    json_array_foreach(inside, i, step) {
        if (json_is_integer(step))
            (void)grc_buf_text(buf, "[0]");
        else
            (void)grc_buf_format(buf, "%s%s", buf->len ? "." : "", json_string_value(step));
    }
}

static json_t *prefixed(const json_t *inside, const char *name)
{
    struct grc_buf buf;

    grc_buf_init(&buf, 4096);
    add_prefix(&buf, inside);
    (void)grc_buf_format(&buf, "%s%s", buf.len ? "." : "", name);
    json_t *text = json_string(buf.ptr ? buf.ptr : name);
    grc_buf_done(&buf);
    return text;
}

/* One line of a block of checks. If refused is set, the answer has to name what is wrong. */
struct line {
    const json_t *block;
    const json_t *send;
    const json_t *entry;
    bool refused;
};

static json_t *line_body(const struct line *line, char **ret_what)
{
    const json_t *valid = json_object_get(line->block, "valid");
    const char *without = line->refused ? grc_json_member(line->entry, "without") : NULL;
    const json_t *patch = line->refused ? json_object_get(line->entry, "body") : line->entry;
    json_t *inner = valid ? json_deep_copy(valid) : json_object();

    if (without) {
        json_object_del(inner, without);
        *ret_what = grc_format("no %s", without);
    } else {
        json_t *whole = merged(inner, patch);

        json_decref(inner);
        inner = whole;
        *ret_what = json_dumps(patch, JSON_ENCODE_ANY);
    }
    return placed(inner, json_object_get(line->send, "inside"), 0,
                  json_object_get(line->send, "base"));
}

/* True when the query has a value for the name of the pair. */
static bool has_key(const char *query, const char *pair)
{
    const size_t key = strcspn(pair, "=&");

    for (const char *at = query; *at; at += strcspn(at, "&"), at += *at == '&') {
        if (strcspn(at, "=&") == key && memcmp(at, pair, key) == 0)
            return true;
    }
    return false;
}

/* Returns the valid query without the names that the line leaves out or replaces, followed by the
 * pairs of the line. */
static char *line_query(const struct line *line, char **ret_what)
{
    const char *valid = grc_json_member(line->block, "valid_query");
    const char *without = line->refused ? grc_json_member(line->entry, "without") : NULL;
    const char *given =
        line->refused ? grc_json_member(line->entry, "query") : json_string_value(line->entry);
    struct grc_buf buf;

    given = given ? given : "";
    grc_buf_init(&buf, 65536);
    for (const char *at = valid ? valid : ""; *at; at += *at == '&') {
        const size_t len = strcspn(at, "&");

        if (!has_key(given, at) && !(without && has_key(without, at)))
            (void)grc_buf_format(&buf, "%s%.*s", buf.len ? "&" : "", (int)len, at);
        at += len;
    }
    if (given[0])
        (void)grc_buf_format(&buf, "%s%s", buf.len ? "&" : "", given);
    *ret_what = without ? grc_format("no %s", without) : strdup(given);
    char *query = strdup(buf.ptr ? buf.ptr : "");
    grc_buf_done(&buf);
    return query;
}

static json_t *names_of(const struct line *line, bool body)
{
    const json_t *names = json_object_get(line->entry, "names");
    const json_t *inside = json_object_get(line->send, "inside");

    return body && json_is_string(names) ? prefixed(inside, json_string_value(names))
                                         : json_deep_copy(names);
}

static json_t *line_case(const struct line *line)
{
    const char *send = grc_json_member(line->send, "send");
    const bool body = strncmp(send, "GET ", 4) != 0;
    char *what = NULL;
    char *query = body ? NULL : line_query(line, &what);
    json_t *one =
        json_pack("{s:O,s:o}", "route", json_object_get(line->send, "route"), "send",
                  json_sprintf("%s%s%s", send, query && *query ? "?" : "", query ? query : ""));

    if (body)
        json_object_set_new(one, "body", line_body(line, &what));
    json_object_set_new(one, "name",
                        json_sprintf("%.*s %s %.*s", (int)strcspn(send, " "), send,
                                     line->refused ? "refuses" : "accepts", (int)NAME_MAX_BYTES,
                                     what ? what : ""));
    if (json_object_get(line->send, "headers"))
        json_object_set(one, "headers", json_object_get(line->send, "headers"));
    if (line->refused)
        json_object_set_new(one, "gets",
                            json_pack("{s:i,s:o}", "status", 400, "names", names_of(line, body)));
    else if (json_object_get(line->send, "gets"))
        json_object_set(one, "gets", json_object_get(line->send, "gets"));
    else
        json_object_set_new(one, "upstream",
                            json_pack("{s:n,s:s*}", "receives", "body", body ? "same" : NULL));
    free(query);
    free(what);
    return one;
}

static void add_lines(json_t *cases, const json_t *block, const json_t *send, bool refused)
{
    const json_t *entry;
    size_t i;

    json_array_foreach(json_object_get(block, refused ? "refuses" : "accepts"), i, entry)
        json_array_append_new(cases, line_case(&(struct line){block, send, entry, refused}));
}

static char *add_block(json_t *cases, const json_t *block, size_t index)
{
    const json_t *send;
    char where[64];
    size_t i;

    snprintf(where, sizeof(where), "checks[%zu]", index);
    char *reason = check_shape(
        where, block, GR_LIST("about", "valid", "valid_query", "sends", "accepts", "refuses"),
        GR_LIST("about", "valid_query"));
    json_array_foreach(json_object_get(block, "sends"), i, send) {
        if (!reason)
            reason = check_shape(where, send,
                                 GR_LIST("route", "send", "headers", "gets", "inside", "base"),
                                 GR_LIST("route", "send"));
        if (!reason && (!grc_json_member(send, "route") || !grc_json_member(send, "send")))
            reason = grc_format("%s: sends: expected route and send", where);
        if (reason)
            break;
        add_lines(cases, block, send, false);
        add_lines(cases, block, send, true);
    }
    return reason;
}

/* --- the call that an accepted value makes --- */

/* Returns what the upstream receives according to the first case of the route. */
static const char *documented_call(const json_t *cases, const char *route)
{
    const json_t *other;
    size_t i;

    json_array_foreach(cases, i, other) {
        json_t *calls = grc_case_calls(other);
        const char *receives = grc_json_member(json_array_get(calls, 0), "receives");

        json_decref(calls); /* the case holds them */
        if (receives && strcmp(grc_json_member(other, "route"), route) == 0)
            return receives;
    }
    return NULL;
}

static char *fill_calls(json_t *cases)
{
    const json_t *one;
    json_t *call;
    size_t i;
    size_t j;

    json_array_foreach(cases, i, one) {
        const char *query = strchr(grc_json_member(one, "send"), '?');
        json_t *calls = grc_case_calls(one);
        char *reason = NULL;

        json_array_foreach(calls, j, call) {
            if (grc_json_member(call, "receives"))
                continue;
            const char *known = documented_call(cases, grc_json_member(one, "route"));
            if (known)
                json_object_set_new(
                    call, "receives",
                    json_sprintf("%.*s%s", (int)strcspn(known, "?"), known, query ? query : ""));
            else
                reason = grc_format("%s: %s: no case tells what the upstream receives",
                                    grc_json_member(one, "route"), grc_json_member(one, "name"));
            if (reason)
                break;
        }
        json_decref(calls);
        if (reason)
            return reason;
    }
    return NULL;
}

/* --- the file --- */

static json_t *object_or_empty(const json_t *root, const char *name)
{
    json_t *value = json_object_get(root, name);

    return value ? json_incref(value) : json_object();
}

static char *collect(const json_t *root, json_t *cases)
{
    const json_t *one;
    size_t i;
    char *reason = check_shape(
        "the file", root, GR_LIST("group", "config", "credentials", "upstreams", "cases", "checks"),
        GR_LIST("group"));

    if (!reason && json_array_size(json_object_get(root, "cases")) == 0)
        reason = grc_format("cases: expected a list of at least one");
    json_array_foreach(json_object_get(root, "cases"), i, one) {
        if (!reason)
            reason = check_case(one, i);
        if (!reason)
            json_array_append(cases, json_array_get(json_object_get(root, "cases"), i));
    }
    json_array_foreach(json_object_get(root, "checks"), i, one) {
        if (!reason)
            reason = add_block(cases, one, i);
    }
    return reason ? reason : fill_calls(cases);
}

json_t *grc_cases_load(const char *file, char **ret_reason)
{
    const char *why = NULL;
    size_t len = 0;
    char *text = grc_file_read(file, FILE_BYTES_MAX, &len, &why);
    json_t *root = text ? grc_json_parse((gr_str){text, len}, DEPTH_MAX, &why) : NULL;
    json_t *cases = json_array();
    json_t *whole = NULL;

    char *reason = root ? collect(root, cases) : grc_format("%s", why);
    if (!reason)
        whole = json_pack("{s:O,s:o,s:o,s:o}", "cases", cases, "config",
                          object_or_empty(root, "config"), "credentials",
                          object_or_empty(root, "credentials"), "upstreams",
                          object_or_empty(root, "upstreams"));
    *ret_reason = reason ? grc_format("%s: %s", file, reason) : NULL;
    free(reason);
    free(text);
    json_decref(root);
    json_decref(cases);
    return whole;
}
