/* greenroom explain: shows how a request would be handled. */
#include "base/format.h"
#include "base/json.h"
#include "base/near.h"
#include "base/secure.h"
#include "cmd/cmd.h"
#include "config/units.h"
#include "server/explain.h"
#include "server/runtime_build.h"

#include <stdio.h>
#include <stdlib.h>

struct args {
    struct grc_texts headers;
    const char *data;
    const char *key;
    const char *from;
    bool json;
    bool offline;
};

/* --- asking --- */

/* The header for --key; NULL without memory. */
static char *authorization(const struct args *args)
{
    return grc_format("Authorization: Bearer %s", args->key);
}

static json_t *question(const struct grc_explain *asked)
{
    json_t *headers = json_array();

    for (const char *const *header = asked->headers; *header; header++)
        json_array_append_new(headers, json_string(*header));
    return json_pack("{s:s, s:s, s:s, s:o, s:o*}", "method", asked->method, "target", asked->target,
                     "peer", asked->peer, "headers", headers, "body",
                     asked->body.ptr ? json_stringn(asked->body.ptr, asked->body.len) : NULL);
}

static json_t *explain_offline(const struct grc_cli *cli, const struct grc_explain *asked)
{
    grc_cli_quiet(GR_LOG_ERROR, true);
    struct grc_runtime *runtime =
        grc_runtime_new(cli->config_dir, GRC_RUNTIME_READY, grc_cli_report, NULL);
    bool ready = runtime && grc_runtime_read_keys(runtime, grc_cli_report, NULL);
    json_t *result = ready ? grc_explain(runtime, asked) : NULL;

    if (ready && !result)
        grc_complain("out of memory");
    grc_runtime_unref(runtime);
    return result;
}

/* Returns NULL after complaining. *ret_running: whether a running gateway answered. */
static json_t *explain(const struct grc_cli *cli, const struct grc_explain *asked, bool offline,
                       bool *ret_running)
{
    json_t *details = offline ? NULL : question(asked);
    char *reason = NULL;
    json_t *result = details ? grc_cli_ask(cli, "explain", details, &reason) : NULL;

    json_decref(details);
    free(reason);
    *ret_running = result != NULL;
    return result ? result : explain_offline(cli, asked);
}

/* --- as text --- */

/* A dash stands for what the gateway did not say. */
static const char *text_of(const json_t *object, const char *name)
{
    return grc_json_text(object, name, "-");
}

static void print_list(const json_t *list)
{
    const json_t *item;
    size_t i;

    json_array_foreach(list, i, item)
        printf("%s%s", i ? " " : "", json_string_value(item));
}

static void print_route(const json_t *result)
{
    const json_t *route = json_object_get(result, "route");
    json_t *params = json_object_get(result, "params");
    const char *name;
    json_t *value;

    if (!route)
        return; /* it was not looked for */
    if (json_is_null(route)) {
        printf("route      none");
        if (json_object_get(result, "allowed"))
            printf("; the path has %s", text_of(result, "allowed"));
        putchar('\n');
        return;
    }
    printf("route      %s: %s\n           %s %s of group %s (%s)\n", text_of(route, "id"),
           text_of(route, "summary"), text_of(route, "method"), text_of(route, "path"),
           text_of(route, "group"), text_of(route, "library"));
    json_object_foreach(params, name, value)
        printf("           %s = %s\n", name, json_string_value(value));
    if (json_object_get(result, "overrides"))
        printf("changed    by %s\n", text_of(result, "overrides"));
}

static void print_bound(const json_t *caller)
{
    json_t *bound = json_object_get(caller, "bound");
    const char *kind;
    json_t *values;

    json_object_foreach(bound, kind, values) {
        printf(", bound to %s ", kind);
        print_list(values);
    }
}

static void print_caller(const json_t *result)
{
    const json_t *caller = json_object_get(result, "caller");
    const json_t *scope = json_object_get(result, "scope");
    const char *access = text_of(json_object_get(result, "route"), "access");

    if (strcmp(access, "open") == 0)
        printf("caller     any; the route is open\n");
    else if (strcmp(access, "group") == 0)
        printf("caller     decided by the group itself, which is not asked here\n");
    if (caller) {
        printf("caller     %s (%s), holds ", text_of(caller, "id"), text_of(caller, "provider"));
        print_list(json_object_get(caller, "scopes"));
        print_bound(caller);
        putchar('\n');
    }
    if (scope)
        printf("scope      %s, %s\n", text_of(scope, "wanted"),
               json_is_true(json_object_get(scope, "held")) ? "held" : "missing");
}

static void print_limits(const json_t *result)
{
    const json_t *limits = json_object_get(result, "limits");
    const json_t *limit;
    size_t i;

    json_array_foreach(limits, i, limit) {
        const json_t *left = json_object_get(limit, "left");

        printf("%s%s %s%s%g a second, ", i ? "           " : "limits     ", text_of(limit, "of"),
               text_of(limit, "name"), text_of(limit, "name")[0] ? " " : "",
               json_real_value(json_object_get(limit, "per_s")));
        if (left)
            printf("%lld of ", (long long)json_integer_value(left));
        printf("%lld%s\n", (long long)json_integer_value(json_object_get(limit, "burst")),
               left ? " left" : " at once");
    }
}

static void print_upstream(const json_t *result)
{
    const json_t *upstream = json_object_get(result, "upstream");
    char timeout[32];
    char cache[32];

    if (!upstream)
        return;
    grc_duration_text(json_integer_value(json_object_get(upstream, "timeout_ms")), timeout);
    grc_duration_text(json_integer_value(json_object_get(upstream, "cache_ms")), cache);
    printf("upstream   %s %s\n           %s, credential %s, timeout %s, cache %s",
           text_of(upstream, "method"), text_of(upstream, "url"), text_of(upstream, "name"),
           text_of(upstream, "credential"), timeout, cache);
    if (json_object_get(upstream, "state"))
        printf(", %s", text_of(upstream, "state"));
    putchar('\n');
}

static void print_refusals(const json_t *result)
{
    const json_t *refusal;
    const json_t *problem;
    size_t i;
    size_t j;

    json_array_foreach(json_object_get(result, "refusals"), i, refusal) {
        printf("%s %lld: %s\n", i ? "and       " : "answer    ",
               (long long)json_integer_value(json_object_get(refusal, "status")),
               text_of(refusal, "message"));
        json_array_foreach(json_object_get(refusal, "problems"), j, problem)
            printf("           %s%s%s: expected %s\n", text_of(problem, "in"),
                   text_of(problem, "where")[0] ? " " : "", text_of(problem, "where"),
                   text_of(problem, "expected"));
    }
    if (json_is_true(json_object_get(result, "passes")))
        printf("answer     that of the %s\n",
               json_object_get(result, "upstream") ? "upstream" : "group");
}

static void print_text(const json_t *result, bool running)
{
    const json_t *request = json_object_get(result, "request");

    printf("%s %s\n", text_of(request, "method"), text_of(request, "target"));
    print_route(result);
    print_caller(result);
    print_limits(result);
    print_upstream(result);
    print_refusals(result);
    if (!running)
        grc_complain("no gateway runs with this config, so the current state of limits is unknown");
}

/* --- the command --- */

/* A client may send "get", and it is not served, so that is what is shown. Most often "GET" was
 * meant. */
static void hint_method(const char *method)
{
    static const char *const methods[] = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", NULL};
    const char *near = grc_name_near(method, methods);

    if (near && strcmp(near, method) != 0)
        grc_complain("'%s' is not a method (they are in upper case), did you mean '%s'?", method,
                     near);
}

static bool are_headers(const struct grc_texts *headers)
{
    for (size_t i = 0; i < headers->count; i++) {
        const char *colon = strchr(headers->list[i], ':');

        if (!colon || colon == headers->list[i])
            return false;
    }
    return true;
}

static int run(const struct grc_cli *cli, const void *pointer, int count, char **words)
{
    struct args args = *(const struct args *)pointer;
    char *bearer = args.key ? authorization(&args) : NULL;
    const struct grc_explain asked = {
        .method = words[0],
        .target = words[1],
        .headers = args.headers.list,
        .body = {args.data, args.data ? strlen(args.data) : 0},
        .peer = args.from ? args.from : "127.0.0.1",
    };
    bool running = false;

    (void)count;
    if (words[1][0] != '/') {
        free(bearer);
        return grc_usage_error(cli, "expected a path such as /rooms, without the address");
    }
    if (!are_headers(&args.headers)) {
        free(bearer);
        return grc_usage_error(cli, "-H: expected 'NAME: VALUE'");
    }
    if (bearer && args.headers.count < GRC_REPEAT_MAX)
        args.headers.list[args.headers.count++] = bearer;
    json_t *result = explain(cli, &asked, args.offline, &running);
    int status = json_is_true(json_object_get(result, "passes")) ? GRC_EXIT_OK : GRC_EXIT_FAILED;
    if (bearer)
        grc_wipe(bearer, strlen(bearer));
    free(bearer);
    if (!result)
        return GRC_EXIT_CONFIG;
    if (!args.json)
        print_text(result, running);
    else if (grc_print_json(json_incref(result)) != GRC_EXIT_OK)
        status = GRC_EXIT_FAILED;
    json_decref(result);
    hint_method(asked.method);
    return grc_print_done(status);
}

static const struct grc_flag flags[] = {
    GRC_TEXTS(args, "--header", headers, "'NAME: VALUE'", "A header of the request",
              .letter = "-H"),
    GRC_TEXT(args, "--data", data, "BODY", "Its body", .letter = "-d"),
    GRC_TEXT(args, "--key", key, "KEY", "An API key or token, instead of an Authorization header"),
    GRC_TEXT(args, "--from", from, "ADDRESS", "The client's address; 127.0.0.1 by default"),
    GRC_SWITCH(args, "--offline", offline, "Use only the config, even if a gateway runs with it"),
    GRC_SWITCH(args, "--json", json, "As JSON"),
    GRC_FLAG_END,
};

const struct grc_command grc_command_explain = {
    .name = "explain",
    .words = "METHOD PATH",
    .choices = {&grc_choices_methods, &grc_choices_paths},
    .summary = "Show how a request would be handled, without serving it",
    .detail = "Prints the route and its group, the required scope and whether the caller has it, "
              "the limits and how much of them is left, problems of parameters and body, and the "
              "URL of the upstream. If no gateway runs with this config, the answer comes from the "
              "config alone. Exit status 0 means that the request would be served, 1 that it would "
              "be refused.",
    .flags = flags,
    .args_size = sizeof(struct args),
    .run = run,
};
