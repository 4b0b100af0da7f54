#include "cmd/case_compare.h"

#include "base/bearer.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/secure.h"
#include "base/uri.h"
#include "cmd/cases.h"
#include "token/jwt.h"

#include <ctype.h>
#include <stdlib.h>

#define SHOWN_BYTES 400
#define PATH_BYTES 256
#define JSON_DEPTH_MAX 256u
#define LEEWAY_S 60u
#define PAIRS_MAX 256u
#define ARENA_BYTES_MAX (1024u * 1024)

static void differ(struct grc_buf *out, const char *what, const char *wanted, const char *found)
{
    (void)grc_buf_format(out, "    %s\n      expected %.*s\n      found    %.*s\n", what,
                         SHOWN_BYTES, wanted, SHOWN_BYTES, found);
}

static char *shown(const json_t *value)
{
    return value ? json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT) : strdup("nothing");
}

/* --- JSON against JSON, by path --- */

static bool same_scalar(const json_t *wanted, const json_t *found)
{
    if (json_is_number(wanted) && json_is_number(found))
        return json_number_value(wanted) == json_number_value(found);
    return json_equal(wanted, found);
}

static void compare_json(struct grc_buf *out, const char *path, const json_t *wanted,
                         const json_t *found);

static void compare_members(struct grc_buf *out, const char *path, const json_t *wanted,
                            const json_t *found)
{
    char below[PATH_BYTES];
    const char *name;
    json_t *value;

    json_object_foreach((json_t *)(uintptr_t)wanted, name, value) {
        snprintf(below, sizeof(below), "%s.%s", path, name);
        compare_json(out, below, value, json_object_get(found, name));
    }
    json_object_foreach((json_t *)(uintptr_t)found, name, value) {
        snprintf(below, sizeof(below), "%s.%s", path, name);
        if (!json_object_get(wanted, name))
            compare_json(out, below, NULL, value);
    }
}

static void compare_json(struct grc_buf *out, const char *path, const json_t *wanted,
                         const json_t *found)
{
    char below[PATH_BYTES];

    if (wanted && found && json_is_object(wanted) && json_is_object(found)) {
        compare_members(out, path, wanted, found);
    } else if (json_is_array(wanted) && json_is_array(found)) {
        const size_t most = json_array_size(wanted) > json_array_size(found)
                                ? json_array_size(wanted)
                                : json_array_size(found);

        for (size_t i = 0; i < most; i++) {
            snprintf(below, sizeof(below), "%s[%zu]", path, i);
            compare_json(out, below, json_array_get(wanted, i), json_array_get(found, i));
        }
    } else if (!wanted || !found || !same_scalar(wanted, found)) {
        char *left = shown(wanted);
        char *right = shown(found);

        differ(out, path, left ? left : "", right ? right : "");
        free(left);
        free(right);
    }
}

static void compare_text(struct grc_buf *out, const char *what, const char *wanted,
                         const char *found)
{
    if (strcmp(wanted, found) != 0)
        differ(out, what, wanted, found);
}

/* --- the calls --- */

/* True when both queries have the same names and values in the same order. How they are escaped
 * does not matter. */
static bool same_query(struct grc_arena *arena, const char *wanted, const char *found)
{
    struct gr_pair *left = NULL;
    struct gr_pair *right = NULL;
    size_t left_count = 0;
    size_t right_count = 0;

    if (grc_query_parse(arena, gr_str_of(wanted), PAIRS_MAX, &left, &left_count) != GR_OK ||
        grc_query_parse(arena, gr_str_of(found), PAIRS_MAX, &right, &right_count) != GR_OK ||
        left_count != right_count)
        return false;
    for (size_t i = 0; i < left_count; i++) {
        if (!gr_str_eq(left[i].name, right[i].name) || !gr_str_eq(left[i].value, right[i].value))
            return false;
    }
    return true;
}

static void compare_query(struct grc_buf *out, const char *wanted, const char *found)
{
    struct grc_arena arena;

    wanted += *wanted == '?';
    found += *found == '?';
    grc_arena_init(&arena, ARENA_BYTES_MAX);
    if (!same_query(&arena, wanted, found))
        differ(out, "the upstream's query", wanted[0] ? wanted : "none", found[0] ? found : "none");
    grc_arena_done(&arena);
}

static void compare_target(struct grc_buf *out, const json_t *call, const json_t *record)
{
    const char *receives = grc_json_text(call, "receives", "");
    const char *target = grc_json_text(record, "target", "");
    const size_t line = strcspn(receives, "?");
    char found[4096];

    snprintf(found, sizeof(found), "%s %.*s", grc_json_text(record, "method", ""),
             (int)strcspn(target, "?"), target);
    if (strlen(found) != line || strncmp(found, receives, line) != 0)
        differ(out, "the upstream's request", receives, found);
    compare_query(out, receives + line, target + strcspn(target, "?"));
}

static void compare_body(struct grc_buf *out, const json_t *one, const json_t *call,
                         const json_t *record)
{
    const json_t *wanted = json_object_get(call, "body");
    const char *found = grc_json_text(record, "body", "");
    size_t len = 0;

    if (wanted && json_is_string(wanted) && strcmp(json_string_value(wanted), "same") == 0) {
        char *sent = grc_case_body(one, &len);

        compare_text(out, "the upstream's body, which is the client's byte for byte",
                     sent ? sent : "", found);
        free(sent);
    } else if (!wanted || json_is_null(wanted)) {
        if (found[0] && strcmp(found, "{}") != 0)
            differ(out, "the upstream's body", "nothing, or {}", found);
    } else {
        json_t *value = grc_json_parse(gr_str_of(found), JSON_DEPTH_MAX, NULL);

        compare_json(out, "the upstream's body", wanted, value);
        json_decref(value);
    }
}

/* Returns the claims of a token, or NULL if it was not signed with the secret. */
static json_t *claims_of(gr_str token, const char *secret)
{
    const char *why = NULL;
    struct grc_jwt_key *key =
        grc_jwt_key_new(&(struct gr_jwt_key){.alg = "HS256", .key = gr_str_of(secret)}, &why);
    const struct grc_jwt_key *const keys[] = {key};
    const struct gr_jwt_rules rules = {.leeway_s = LEEWAY_S};
    json_t *claims = NULL;

    if (key && grc_jwt_verify(keys, 1, &rules, token, grc_now_ms() / 1000, &claims) != GRC_JWT_OK)
        claims = NULL;
    grc_jwt_key_free(key);
    return claims;
}

static void compare_claims(struct grc_buf *out, const char *what, const json_t *wanted,
                           const json_t *without, const json_t *claims)
{
    char path[PATH_BYTES];
    const char *name;
    json_t *value;
    size_t i;

    json_object_foreach((json_t *)(uintptr_t)wanted, name, value) {
        snprintf(path, sizeof(path), "%s: claim %s", what, name);
        compare_json(out, path, value, json_object_get(claims, name));
    }
    json_array_foreach(without, i, value) {
        snprintf(path, sizeof(path), "%s: claim %s", what, json_string_value(value));
        if (json_object_get(claims, json_string_value(value)))
            compare_json(out, path, NULL, json_object_get(claims, json_string_value(value)));
    }
}

/* Checks that a token is one that the 100ms credential of the upstream makes. */
static void compare_token(struct grc_buf *out, const json_t *call, const char *kind,
                          const char *given, const json_t *credential)
{
    json_t *claims =
        claims_of(grc_bearer_token(gr_str_of(given)), grc_json_text(credential, "secret", ""));

    if (!claims) {
        differ(out, "the upstream's credential", "a token that the upstream's secret signed",
               given[0] ? given : "nothing");
        return;
    }
    json_t *wanted = json_pack("{s:s,s:O*}", "type", kind, "access_key",
                               json_object_get(credential, "access_key"));
    json_object_update(wanted, json_object_get(call, "claims"));
    compare_claims(out, "the upstream's credential", wanted,
                   json_object_get(call, "without_claims"), claims);
    json_decref(wanted);
    json_decref(claims);
}

static void compare_credential(struct grc_buf *out, const json_t *call, const json_t *record,
                               const struct grc_case_upstreams *all)
{
    const json_t *settings = json_object_get(all->upstreams, grc_json_text(call, "at", ""));
    const json_t *credential =
        json_object_get(all->credentials, grc_json_text(settings, "credential", ""));
    const char *given = grc_json_text(json_object_get(record, "headers"), "authorization", "");
    const char *wanted = grc_json_text(call, "credential", "");

    if (!wanted[0])
        wanted = strcmp(grc_json_text(credential, "kind", ""), "100ms") == 0 ? "management" : "";
    if (strcmp(wanted, "management") == 0 || strcmp(wanted, "app") == 0)
        compare_token(out, call, wanted, given, credential);
    else if (strncmp(wanted, "Bearer ", 7) == 0)
        compare_text(out, "the upstream's credential", wanted, given);
    else if (given[0] && (strcmp(wanted, "none") == 0 || !credential))
        differ(out, "the upstream's credential", "none", given);
}

/* Returns the record of the request that was matched to a call. */
static const json_t *record_of(const json_t *received, size_t call)
{
    const json_t *record;
    size_t i;

    json_array_foreach(received, i, record) {
        if (json_integer_value(json_object_get(record, "call")) == (json_int_t)call)
            return record;
    }
    return NULL;
}

void grc_case_compare_calls(struct grc_buf *out, const json_t *one, const json_t *calls,
                            const json_t *received, const struct grc_case_upstreams *all)
{
    const json_t *call;
    const json_t *record;
    char line[4096];
    size_t i;

    json_array_foreach(calls, i, call) {
        record = record_of(received, i);
        if (!record) {
            snprintf(line, sizeof(line), "upstream '%s'", grc_json_text(call, "at", ""));
            differ(out, line, grc_json_text(call, "receives", ""), "no such call");
            continue;
        }
        compare_target(out, call, record);
        compare_body(out, one, call, record);
        compare_credential(out, call, record, all);
    }
    json_array_foreach(received, i, record) {
        if (json_integer_value(json_object_get(record, "call")) >= 0)
            continue;
        snprintf(line, sizeof(line), "%s %s", grc_json_text(record, "method", ""),
                 grc_json_text(record, "target", ""));
        char what[128];
        snprintf(what, sizeof(what), "upstream '%.80s'", grc_json_text(record, "at", ""));
        differ(out, what, "no such call", line);
    }
}

/* --- the answer --- */

static void compare_headers(struct grc_buf *out, const json_t *wanted, const json_t *found)
{
    char path[PATH_BYTES];
    const char *name;
    json_t *value;

    json_object_foreach((json_t *)(uintptr_t)wanted, name, value) {
        char lower[128];
        size_t len = strlen(name) < sizeof(lower) ? strlen(name) : sizeof(lower) - 1;

        for (size_t i = 0; i < len; i++)
            lower[i] = (char)tolower((unsigned char)name[i]);
        lower[len] = '\0';
        snprintf(path, sizeof(path), "header %s", name);
        compare_json(out, path, value, json_object_get(found, lower));
    }
}

static void compare_name(struct grc_buf *out, const char *name, const json_t *error)
{
    const size_t len = strlen(name);
    const json_t *line;
    size_t i;

    json_array_foreach(json_object_get(error, "details"), i, line) {
        const char *text = json_string_value(line);

        if (text && strncmp(text, name, len) == 0 && strncmp(text + len, ": ", 2) == 0)
            return;
    }
    char *found = shown(error);
    char wanted[PATH_BYTES];
    snprintf(wanted, sizeof(wanted), "an error whose details name %s", name);
    differ(out, "body", wanted, found ? found : "");
    free(found);
}

static void compare_names(struct grc_buf *out, const json_t *names, const json_t *error)
{
    const json_t *name;
    size_t i;

    if (json_is_string(names))
        compare_name(out, json_string_value(names), error);
    json_array_foreach(names, i, name)
        compare_name(out, json_string_value(name), error);
}

/* Compares a token in the answer. Its signature is not checked here. */
static void compare_answer_token(struct grc_buf *out, const json_t *wanted, const json_t *body)
{
    const char *token = grc_json_text(body, grc_json_text(wanted, "at", ""), "");
    const char *payload = strchr(token, '.');
    const size_t len = payload ? strcspn(payload + 1, ".") : 0;
    unsigned char *bytes = malloc(len + 1);
    size_t count = 0;
    json_t *claims = NULL;

    if (bytes && payload && grc_b64url_decode((gr_str){payload + 1, len}, bytes, &count))
        claims = grc_json_parse((gr_str){(char *)bytes, count}, JSON_DEPTH_MAX, NULL);
    free(bytes);
    if (!claims) {
        differ(out, "body", "a token", token[0] ? token : "nothing");
        return;
    }
    compare_claims(out, "body", json_object_get(wanted, "claims"),
                   json_object_get(wanted, "without"), claims);
    const json_t *lifetime = json_object_get(wanted, "lifetime");
    json_t *found = json_integer(json_integer_value(json_object_get(claims, "exp")) -
                                 json_integer_value(json_object_get(claims, "nbf")));
    if (lifetime)
        compare_json(out, "body: exp - nbf", lifetime, found);
    json_decref(found);
    json_decref(claims);
}

/* Returns the status that the case names, or else that of the answer to its last call. */
static json_int_t status_of(const json_t *gets, const json_t *calls)
{
    const json_t *own = json_object_get(gets, "status");
    const json_t *last = json_array_get(calls, json_array_size(calls) - 1);
    const json_t *answered = json_object_get(json_object_get(last, "answers"), "status");

    if (own)
        return json_integer_value(own);
    return answered ? json_integer_value(answered) : 200;
}

void grc_case_compare_answer(struct grc_buf *out, const json_t *one, const json_t *calls,
                             const json_t *answer)
{
    const json_t *gets = json_object_get(one, "gets");
    const char *text = grc_json_text(answer, "body", "");
    const size_t count = json_array_size(calls);
    json_t *wanted = json_integer(status_of(gets, calls));
    json_t *body = grc_json_parse(gr_str_of(text), JSON_DEPTH_MAX, NULL);
    const size_t before = out->len;

    compare_json(out, "status", wanted, json_object_get(answer, "status"));
    if (json_object_get(gets, "body")) {
        compare_json(out, "body", json_object_get(gets, "body"), body);
    } else if (count == 1 && !json_object_get(gets, "status")) {
        const json_t *answers = json_object_get(json_array_get(calls, 0), "answers");
        size_t len = 0;
        char *given = grc_case_body(answers, &len);

        compare_text(out, "body, which is the upstream's byte for byte",
                     given ? given : GRC_CASE_ANSWER, text);
        free(given);
    } else if (out->len > before) {
        (void)grc_buf_format(out, "      body     %.*s\n", SHOWN_BYTES, text);
    }
    if (json_object_get(gets, "names"))
        compare_names(out, json_object_get(gets, "names"), body);
    if (json_object_get(gets, "token"))
        compare_answer_token(out, json_object_get(gets, "token"), body);
    compare_headers(out, json_object_get(gets, "headers"), json_object_get(answer, "headers"));
    json_decref(wanted);
    json_decref(body);
}
