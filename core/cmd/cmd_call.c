/* greenroom call: calls an operation by its id, through the running gateway. */
#include "base/err.h"
#include "base/format.h"
#include "base/near.h"
#include "base/uri.h"
#include "cmd/call_names.h"
#include "cmd/cmd.h"
#include "config/setting.h"
#include "server/runtime_build.h"

#include <stdio.h>
#include <stdlib.h>

#define TARGET_MAX_BYTES 16384u
#define ANSWER_MAX_BYTES ((size_t)64 * 1024 * 1024)
#define NAMES_MAX 128u
#define UPSTREAM "the gateway" /* no name that a config can have */

struct args {
    struct grc_texts headers;
    const char *data;
    const char *key;
    const char *url;
    bool include;
    bool names;
};

/* The call and its parts. */
struct calling {
    const struct args *args;
    const struct grc_route *route;
    char **words; /* NAME=VALUE */
    int count;
    bool taken[GRC_REPEAT_MAX * 4];
    struct grc_buf target;
    json_t *body; /* NULL: none */
};

/* --- the operation --- */

static const struct grc_route *find_route(const struct grc_runtime *runtime, const char *id)
{
    for (size_t p = 0; p < runtime->plugin_count; p++) {
        const struct grc_plugin *plugin = runtime->plugins[p];

        for (size_t r = 0; plugin->state == GRC_LOAD_OK && r < plugin->route_count; r++) {
            if (strcmp(plugin->routes[r].row->id, id) == 0)
                return &plugin->routes[r];
        }
    }
    return NULL;
}

static void complain_unknown(const struct grc_runtime *runtime, const char *id)
{
    size_t room = 1;
    size_t count = 0;

    for (size_t p = 0; p < runtime->plugin_count; p++)
        room += runtime->plugins[p]->route_count;
    const char **names = calloc(room, sizeof(*names));
    for (size_t p = 0; names && p < runtime->plugin_count; p++) {
        const struct grc_plugin *plugin = runtime->plugins[p];

        for (size_t r = 0; plugin->state == GRC_LOAD_OK && r < plugin->route_count; r++)
            names[count++] = plugin->routes[r].row->id;
    }
    const char *near = names ? grc_name_near(id, names) : NULL;
    grc_complain("no operation is called '%s'%s%s%s", id, near ? ", did you mean '" : "",
                 near ? near : "", near ? "'?" : "; see greenroom routes");
    free(names);
}

/* --- parameters and body --- */

/* Returns the value of NAME=VALUE and marks it as used; NULL if there is none. */
static const char *take(struct calling *calling, gr_str name)
{
    for (int i = 0; i < calling->count; i++) {
        const char *word = calling->words[i];

        if (!calling->taken[i] && strncmp(word, name.ptr, name.len) == 0 && word[name.len] == '=') {
            calling->taken[i] = true;
            return word + name.len + 1;
        }
    }
    return NULL;
}

/* Makes the path with its parameters. Complains and returns false if one is missing. */
static bool add_path(struct calling *calling)
{
    const char *path = calling->route->path;
    enum gr_err err = GR_OK;

    while (*path && err == GR_OK) {
        size_t plain = strcspn(path, "{");
        gr_str name = {path + plain + 1, 0};

        err = grc_buf_add(&calling->target, path, plain);
        path += plain;
        if (!*path || err != GR_OK)
            break;
        name.len = strcspn(name.ptr, "}");
        const char *value = take(calling, name);
        if (!value) {
            grc_complain("%s needs %.*s=VALUE; see greenroom call --names %s",
                         calling->route->row->id, (int)name.len, name.ptr, calling->route->row->id);
            return false;
        }
        err = grc_segment_encode(&calling->target, gr_str_of(value));
        path = name.ptr + name.len + 1;
    }
    if (err != GR_OK)
        grc_complain("the path is too long");
    return err == GR_OK;
}

/* Adds every NAME=VALUE that is a query parameter; a name may be given several times. */
static bool add_query(struct calling *calling)
{
    const struct gr_field *row =
        calling->route->query ? grc_schema_rows(calling->route->query) : NULL;
    enum gr_err err = GR_OK;
    bool begun = false;

    for (; row && row->type && err == GR_OK; row++) {
        const char *value = take(calling, gr_str_of(row->name));

        for (; value && err == GR_OK; value = take(calling, gr_str_of(row->name))) {
            err = grc_buf_char(&calling->target, begun ? '&' : '?');
            if (err == GR_OK)
                err = grc_uri_encode(&calling->target, gr_str_of(row->name));
            if (err == GR_OK)
                err = grc_buf_char(&calling->target, '=');
            if (err == GR_OK)
                err = grc_uri_encode(&calling->target, gr_str_of(value));
            begun = true;
        }
    }
    if (err != GR_OK)
        grc_complain("the query is too long");
    return err == GR_OK;
}

/* The text as a JSON string if the row's type is a string, else parsed as JSON if possible. */
static json_t *member_of(const struct gr_field *row, const char *text)
{
    json_t *value = row->type == GR_STRING
                        ? NULL
                        : json_loads(text, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, NULL);

    return value ? value : json_string(text);
}

static bool add_members(struct calling *calling)
{
    const struct gr_field *body =
        calling->route->body ? grc_schema_rows(calling->route->body) : NULL;
    const struct gr_field *row = body && body->type == GR_OBJECT ? body->fields : NULL;

    for (; row && row->type; row++) {
        const char *value = take(calling, gr_str_of(row->name));

        if (!value)
            continue;
        if (!calling->body)
            calling->body = json_object();
        if (json_object_set_new(calling->body, row->name, member_of(row, value)) != 0) {
            grc_complain("-d: expected a JSON object, to which %s can be added", row->name);
            return false;
        }
    }
    return true;
}

static size_t add_names(const struct gr_field *rows, const char **names, size_t count)
{
    for (; rows && rows->type && count + 1 < NAMES_MAX; rows++)
        names[count++] = rows->name;
    return count;
}

/* Complains about unused words, with a suggestion. */
static bool check_all_taken(struct calling *calling)
{
    const struct grc_route *route = calling->route;
    const struct gr_field *body = route->body ? grc_schema_rows(route->body) : NULL;
    const char *names[NAMES_MAX] = {NULL};
    size_t count = add_names(route->query ? grc_schema_rows(route->query) : NULL, names, 0);

    add_names(body && body->type == GR_OBJECT ? body->fields : NULL, names, count);
    for (int i = 0; i < calling->count; i++) {
        char name[128];

        if (calling->taken[i])
            continue;
        if (!strchr(calling->words[i], '=')) {
            grc_complain("expected NAME=VALUE, found '%s'; see greenroom call --names %s",
                         calling->words[i], route->row->id);
            return false;
        }
        snprintf(name, sizeof(name), "%.*s", (int)strcspn(calling->words[i], "="),
                 calling->words[i]);
        const char *near = grc_name_near(name, names);
        grc_complain("%s takes no %s%s%s%s", route->row->id, name,
                     near ? ", did you mean " : "; see greenroom call --names ",
                     near ? near : route->row->id, near ? "?" : "");
        return false;
    }
    return true;
}

static bool read_data(struct calling *calling)
{
    json_error_t error;

    if (!calling->args->data)
        return true;
    calling->body = json_loads(calling->args->data, JSON_DECODE_ANY, &error);
    if (!calling->body)
        grc_complain("-d: not JSON, at character %d", error.position);
    return calling->body != NULL;
}

static bool read_words(struct calling *calling)
{
    if (calling->count > (int)(sizeof(calling->taken) / sizeof(calling->taken[0]))) {
        grc_complain("too many words");
        return false;
    }
    return read_data(calling) && add_path(calling) && add_query(calling) && add_members(calling) &&
           check_all_taken(calling);
}

/* --- the URL of the gateway --- */

/* Replaces an address that listens on all interfaces, since it cannot be called. */
static char *reachable(const char *url)
{
    static const struct {
        const char *any;
        const char *near;
    } rows[] = {{"://0.0.0.0:", "://127.0.0.1:"}, {"://[::]:", "://[::1]:"}};

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const char *at = strstr(url, rows[i].any);

        if (at)
            return grc_format("%.*s%s%s", (int)(at - url), url, rows[i].near,
                              at + strlen(rows[i].any));
    }
    return grc_format("%s", url);
}

/* malloc'ed; NULL after complaining. */
static char *url_of(const struct grc_cli *cli, const struct args *args)
{
    char *reason = NULL;

    if (args->url)
        return grc_format("%s", args->url);
    json_t *status = grc_cli_ask(cli, "status", NULL, &reason);
    const char *url = json_string_value(json_array_get(json_object_get(status, "listen"), 0));
    char *made = url ? reachable(url) : NULL;
    if (!made)
        grc_complain("%s; give its URL with --url", reason ? reason : "out of memory");
    free(reason);
    json_decref(status);
    return made;
}

/* Whether the URL has a loopback address, for which certificates are not issued. */
static bool is_near(const char *url)
{
    return strstr(url, "://127.") || strstr(url, "://[::1]");
}

/* The line begins as for a key of the config: "--url.url: …". */
static void report_url(void *arg, const char *line)
{
    const char *colon = strchr(line, ':');

    (void)arg;
    grc_complain("--url%s", colon ? colon : "");
}

static bool define(struct grc_runtime *runtime, const char *url)
{
    json_t *object = json_pack("{s:s, s:b, s:i, s:s, s:{s:b}}", "url", url, "verify", !is_near(url),
                               "retries", 0, "timeout", "5m", "breaker", "enabled", false);
    struct grc_upstream_settings *settings =
        grc_upstream_settings_parse("--url", UPSTREAM, object, report_url, NULL);
    char *reason = NULL;

    json_decref(object);
    if (!settings)
        return false;
    if (grc_upstreams_define(runtime->upstreams, settings, &reason))
        return true;
    grc_complain("%s", reason ? reason : "out of memory");
    free(reason);
    return false;
}

/* --- the call --- */

/* Complains and returns false if a header is malformed. */
static bool headers_of(const struct grc_texts *texts, struct gr_pair *ret_headers)
{
    for (size_t i = 0; i < texts->count; i++) {
        const char *colon = strchr(texts->list[i], ':');

        if (!colon || colon == texts->list[i]) {
            grc_complain("-H: expected 'NAME: VALUE', found '%s'", texts->list[i]);
            return false;
        }
        ret_headers[i].name = (gr_str){texts->list[i], (size_t)(colon - texts->list[i])};
        ret_headers[i].value = gr_str_of(colon + 1 + strspn(colon + 1, " \t"));
    }
    return true;
}

static void print_head(const struct grc_exchange *exchange)
{
    fprintf(stderr, "HTTP %d %s\n", exchange->status, grc_status_reason(exchange->status));
    for (size_t i = 0; i < exchange->answer_header_count; i++) {
        const struct gr_pair *header = &exchange->answer_headers[i];

        fprintf(stderr, "%.*s: %.*s\n", (int)header->name.len, header->name.ptr,
                (int)header->value.len, header->value.ptr);
    }
}

static int print_answer(const struct grc_exchange *exchange, bool include)
{
    if (exchange->err != GR_OK) {
        grc_complain("no answer from the gateway: %s", grc_err_doc(exchange->err));
        return GRC_EXIT_FAILED;
    }
    bool fine = exchange->status < 300;
    if (include || !fine)
        print_head(exchange);
    if (exchange->answer.len > 0)
        (void)fwrite(exchange->answer.ptr, 1, exchange->answer.len, stdout);
    if (exchange->answer.len > 0 && exchange->answer.ptr[exchange->answer.len - 1] != '\n')
        putchar('\n');
    return grc_print_done(fine ? GRC_EXIT_OK : GRC_EXIT_FAILED);
}

static int send(struct grc_runtime *runtime, const struct calling *calling)
{
    const struct args *args = calling->args;
    struct gr_pair headers[GRC_REPEAT_MAX];
    char *body = calling->body ? json_dumps(calling->body, JSON_COMPACT | JSON_ENCODE_ANY) : NULL;
    struct grc_arena arena;
    struct grc_exchange exchange = {
        .upstream = UPSTREAM,
        .method = calling->route->row->method,
        .target = grc_buf_view(&calling->target),
        .headers = headers,
        .header_count = args->headers.count,
        .has_body = body != NULL,
        .body = gr_str_of(body ? body : ""),
        .bearer = args->key ? args->key : getenv("GREENROOM_KEY"),
        .no_credential = true,
        .alone = true,
        .group = "command",
        .arena = &arena,
    };
    int status = GRC_EXIT_USAGE;

    grc_arena_init(&arena, ANSWER_MAX_BYTES);
    if (headers_of(&args->headers, headers)) {
        grc_upstreams_run(runtime->upstreams, &exchange, 1);
        status = print_answer(&exchange, args->include);
    }
    grc_arena_done(&arena);
    free(body);
    return status;
}

static int call(const struct grc_cli *cli, struct grc_runtime *runtime, struct calling *calling)
{
    int status = GRC_EXIT_USAGE;

    grc_buf_init(&calling->target, TARGET_MAX_BYTES);
    if (read_words(calling)) {
        char *url = url_of(cli, calling->args);

        status = calling->args->url ? GRC_EXIT_USAGE : GRC_EXIT_FAILED;
        if (url && define(runtime, url))
            status = send(runtime, calling);
        free(url);
    }
    grc_buf_done(&calling->target);
    json_decref(calling->body);
    return status;
}

static int run(const struct grc_cli *cli, const void *args, int count, char **words)
{
    struct calling calling = {.args = args, .words = words + 1, .count = count - 1};
    char reason[GRC_LIBRARY_REASON];
    int status = GRC_EXIT_USAGE;

    grc_cli_quiet(GR_LOG_ERROR, true);
    if (!grc_upstreams_load_library(reason)) {
        grc_complain("libcurl cannot be loaded: %s", reason);
        return GRC_EXIT_FAILED;
    }
    struct grc_runtime *runtime =
        grc_runtime_new(cli->config_dir, GRC_RUNTIME_TABLES, grc_cli_report, NULL);
    if (!runtime)
        return GRC_EXIT_CONFIG;
    calling.route = find_route(runtime, words[0]);
    if (calling.route && calling.args->names)
        status = grc_call_names_print(calling.route);
    else if (calling.route)
        status = call(cli, runtime, &calling);
    else
        complain_unknown(runtime, words[0]);
    grc_runtime_unref(runtime);
    return status;
}

static const struct grc_flag flags[] = {
    GRC_TEXT(args, "--data", data, "JSON", "The body, to which NAME=VALUE adds members",
             .letter = "-d"),
    GRC_TEXTS(args, "--header", headers, "'NAME: VALUE'", "A header of the request",
              .letter = "-H"),
    GRC_TEXT(args, "--key", key, "KEY", "An API key or token; by default $GREENROOM_KEY"),
    GRC_TEXT(args, "--url", url, "URL",
             "URL of the gateway; by default the one that runs with this config"),
    GRC_SWITCH(args, "--include", include, "Also print status and headers, to standard error"),
    GRC_SWITCH(args, "--names", names,
               "Print each NAME that the operation takes, and call nothing"),
    GRC_FLAG_END,
};

const struct grc_command grc_command_call = {
    .name = "call",
    .words = "OPERATION [NAME=VALUE]…",
    .choices = {&grc_choices_operations, &grc_choices_members},
    .summary = "Call one operation through the running gateway, and print its answer",
    .detail = "OPERATION is an id from the list of greenroom routes. Each NAME is a parameter of "
              "its path or query, or a member of its body. Exit status 0 means an answer with a "
              "status below 300, 1 another answer or none.",
    .flags = flags,
    .args_size = sizeof(struct args),
    .run = run,
};
