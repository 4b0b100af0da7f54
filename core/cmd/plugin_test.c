/*
 * greenroom plugin test: a gateway with this plugin alone, in front of a scripted upstream, and one
 * case after the other. What a case leaves in the store is there for the next one.
 */
#include "base/file.h"
#include "base/format.h"
#include "base/json.h"
#include "cmd/case_client.h"
#include "cmd/case_compare.h"
#include "cmd/case_upstream.h"
#include "cmd/cases.h"
#include "cmd/child.h"
#include "cmd/cmd.h"
#include "cmd/plugin_report.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define DIFFERENCES_BYTES_MAX (1024u * 1024)
#define END_TIMEOUT_MS 2000
#define LOG_BYTES_MAX ((size_t)1024 * 1024)

struct trial {
    json_t *report; /* what the plugin is */
    json_t *cases;  /* see grc_cases_load() */
    json_t *upstreams;
    struct grc_case_upstream *upstream;
    char *dir;
    char *log;
    off_t log_seen;
    struct grc_child gateway;
    unsigned port;
};

/* --- the config --- */

/* Every upstream that the plugin may call becomes the scripted one, with the settings that the file
 * of cases has for it. */
static void add_upstream(struct trial *trial, const char *name)
{
    const json_t *more = json_object_get(json_object_get(trial->cases, "upstreams"), name);
    char *url = grc_case_upstream_url(trial->upstream, name);
    json_t *settings = json_pack("{s:s,s:i,s:{s:b}}", "url", url ? url : "", "retries", 0,
                                 "breaker", "enabled", 0);

    if (more)
        json_object_update(settings, (json_t *)(uintptr_t)more);
    if (name[0])
        json_object_set_new(trial->upstreams, name, settings);
    else
        json_decref(settings);
    free(url);
}

static void add_upstreams(struct trial *trial)
{
    const json_t *config = json_object_get(trial->cases, "config");
    const json_t *item;
    const char *name;
    json_t *value;
    size_t i;

    json_array_foreach(json_object_get(trial->report, "routes"), i, item)
        add_upstream(trial, grc_json_text(item, "upstream", ""));
    json_array_foreach(json_object_get(trial->report, "upstreams"), i, item)
        add_upstream(trial, json_string_value(item));
    json_array_foreach(json_object_get(trial->report, "options"), i, item) {
        const char *given = grc_json_text(config, grc_json_text(item, "name", ""), "");

        if (strcmp(grc_json_text(item, "type", ""), "upstream") == 0)
            add_upstream(trial, given[0] ? given : grc_json_text(item, "default", ""));
    }
    json_object_foreach(json_object_get(trial->cases, "upstreams"), name, value)
        add_upstream(trial, name);
}

/* Requests come one after the other, but a worker stays busy for a moment after its answer, so
 * there are more workers than one. */
static json_t *config_of(struct trial *trial)
{
    return json_pack("{s:{s:[s],s:i},s:s,s:O,s:O,s:{s:s}}", "server", "listen", "127.0.0.1:0",
                     "workers", 16, "store", "sqlite:cases.db", "credentials",
                     json_object_get(trial->cases, "credentials"), "upstreams", trial->upstreams,
                     "plugins", "directory", "/");
}

static bool write_json(const char *dir, const char *name, json_t *stolen)
{
    char *file = grc_path_join(dir, name);
    bool fine = file && stolen && json_dump_file(stolen, file, JSON_INDENT(2)) == 0;

    if (!fine)
        grc_complain("%s/%s: %s", dir, name, strerror(errno));
    json_decref(stolen);
    free(file);
    return fine;
}

static bool write_config(struct trial *trial, const char *plugin)
{
    char library[PATH_MAX];
    char *groups = grc_path_join(trial->dir, "plugins.d");
    bool fine = groups && mkdir(groups, 0700) == 0 && realpath(plugin, library) &&
                write_json(trial->dir, "greenroom.json", config_of(trial)) &&
                write_json(groups, "plugin.json",
                           json_pack("{s:s,s:O}", "library", library, "config",
                                     json_object_get(trial->cases, "config")));

    free(groups);
    return fine;
}

/* --- the gateway --- */

/* Prints the warnings and errors that the gateway has logged since the last call. */
static void print_log(struct trial *trial)
{
    const char *why = NULL;
    size_t len = 0;
    char *text = grc_file_read(trial->log, LOG_BYTES_MAX, &len, &why);
    char *line = text && (off_t)len > trial->log_seen ? text + trial->log_seen : NULL;

    while (line && *line) {
        char *end = strchrnul(line, '\n');
        const bool last = *end == '\0';

        *end = '\0';
        if (!strstr(line, "\"level\":\"info\"") && !strstr(line, "\"level\":\"debug\""))
            printf("    log: %s\n", line);
        line = last ? end : end + 1;
    }
    free(text);
}

static void note_log(struct trial *trial)
{
    struct stat info;

    trial->log_seen = stat(trial->log, &info) == 0 ? info.st_size : 0;
}

static bool start(struct trial *trial)
{
    char *state = grc_path_join(trial->dir, "state");
    int log = trial->log ? open(trial->log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600) : -1;
    char url[256];
    bool fine = state && log >= 0 && mkdir(state, 0700) == 0 &&
                grc_child_start(&trial->gateway, trial->dir, state, log) &&
                grc_child_wait_ready(&trial->gateway, trial->dir, url, sizeof(url));
    const char *colon = fine ? strrchr(url, ':') : NULL;

    trial->port = colon ? (unsigned)strtoul(colon + 1, NULL, 10) : 0;
    if (log >= 0)
        close(log);
    free(state);
    if (trial->port == 0) {
        grc_complain("the gateway with this plugin does not start:");
        print_log(trial);
    }
    return trial->port != 0;
}

/* --- the cases --- */

/* The upstream of a call that names none: that of the route's row, or else the first one. */
static const char *upstream_of(const struct trial *trial, const char *route)
{
    const json_t *row;
    size_t i;

    json_array_foreach(json_object_get(trial->report, "routes"), i, row) {
        if (strcmp(grc_json_text(row, "id", ""), route) == 0 && json_object_get(row, "upstream"))
            return grc_json_text(row, "upstream", "");
    }
    const char *first = json_object_iter_key(json_object_iter(trial->upstreams));
    return first ? first : "";
}

static json_t *calls_of(const struct trial *trial, const json_t *one)
{
    json_t *calls = grc_case_calls(one);
    json_t *call;
    size_t i;

    json_array_foreach(calls, i, call) {
        if (!json_object_get(call, "at"))
            json_object_set_new(call, "at",
                                json_string(upstream_of(trial, grc_json_text(one, "route", ""))));
    }
    return calls;
}

static bool known_route(const struct trial *trial, const char *id)
{
    const json_t *row;
    size_t i;

    json_array_foreach(json_object_get(trial->report, "routes"), i, row) {
        if (strcmp(grc_json_text(row, "id", ""), id) == 0)
            return true;
    }
    return false;
}

static bool run_case(struct trial *trial, const json_t *one)
{
    const struct grc_case_upstreams all = {trial->upstreams,
                                           json_object_get(trial->cases, "credentials")};
    json_t *calls = calls_of(trial, one);
    struct grc_buf differences;
    char *reason = NULL;

    grc_buf_init(&differences, DIFFERENCES_BYTES_MAX);
    note_log(trial);
    grc_case_upstream_expect(trial->upstream, calls);
    json_t *answer = grc_case_send(trial->port, one, &reason);
    json_t *received = grc_case_upstream_received(trial->upstream);
    if (!known_route(trial, grc_json_text(one, "route", "")))
        (void)grc_buf_text(&differences, "    the plugin has no such route\n");
    if (answer)
        grc_case_compare_answer(&differences, one, calls, answer);
    else
        (void)grc_buf_format(&differences, "    %s\n", reason ? reason : "out of memory");
    if (!answer) /* the connection may have ended because the gateway is ending */
        (void)grc_child_ends(&trial->gateway, END_TIMEOUT_MS);
    grc_case_compare_calls(&differences, one, calls, received, &all);
    const bool good = differences.len == 0;
    if (!good) {
        printf("failed: %s: %s\n%s", grc_json_text(one, "route", ""),
               grc_json_text(one, "name", ""), differences.ptr);
        print_log(trial);
    }
    grc_buf_done(&differences);
    free(reason);
    json_decref(answer);
    json_decref(received);
    json_decref(calls);
    return good;
}

static int run_cases(struct trial *trial)
{
    const json_t *cases = json_object_get(trial->cases, "cases");
    const json_t *one;
    size_t failed = 0;
    size_t run = 0;
    size_t i;

    json_array_foreach(cases, i, one) {
        failed += !run_case(trial, one);
        run++;
        if (grc_child_ends(&trial->gateway, 0)) {
            const int status = trial->gateway.status;

            printf("the gateway ended: %s\n",
                   WIFSIGNALED(status) ? strsignal(WTERMSIG(status)) : "by itself");
            failed += failed == 0;
            break;
        }
    }
    printf("%s %s: %zu of %zu case%s, %zu failed\n", grc_json_text(trial->report, "name", ""),
           grc_json_text(trial->report, "version", ""), run, json_array_size(cases),
           grc_plural(json_array_size(cases)), failed);
    return failed == 0 ? GRC_EXIT_OK : GRC_EXIT_FAILED;
}

/* --- the command --- */

static int run_trial(struct trial *trial, const char *plugin)
{
    trial->upstreams = json_object();
    trial->log = grc_path_join(trial->dir, "log");
    trial->upstream = grc_case_upstream_new();
    if (!trial->upstream || !trial->log) {
        grc_complain("the scripted upstream cannot listen: %s", strerror(errno));
        return GRC_EXIT_FAILED;
    }
    add_upstreams(trial);
    int status = write_config(trial, plugin) && start(trial) ? run_cases(trial) : GRC_EXIT_CONFIG;
    grc_child_stop(&trial->gateway);
    return status;
}

/* Prints what is wrong with the plugin or with the file of cases. */
static bool load(struct trial *trial, const char *plugin, const char *cases)
{
    char *reason = NULL;
    const json_t *problem;
    size_t i;

    trial->report = grc_plugin_report(plugin);
    json_array_foreach(json_object_get(trial->report, "problems"), i, problem)
        grc_complain("%s", json_string_value(problem));
    trial->cases = grc_cases_load(cases, &reason);
    if (!trial->cases)
        grc_complain("%s", reason ? reason : "out of memory");
    free(reason);
    return trial->cases && json_array_size(json_object_get(trial->report, "problems")) == 0;
}

int grc_plugin_test(const char *file, const char *cases)
{
    const char *place = getenv("TMPDIR");
    char *dir = grc_format("%s/greenroom-test-XXXXXX", place && place[0] ? place : "/tmp");
    struct trial trial = {.dir = NULL};
    int status = GRC_EXIT_CONFIG;

    if (load(&trial, file, cases)) {
        trial.dir = dir ? mkdtemp(dir) : NULL;
        if (trial.dir)
            status = run_trial(&trial, file);
        else
            grc_complain("cannot make a directory for the test: %s", strerror(errno));
        if (trial.dir)
            grc_tree_remove(trial.dir);
    }
    grc_case_upstream_free(trial.upstream);
    free(trial.log);
    free(dir);
    json_decref(trial.report);
    json_decref(trial.cases);
    json_decref(trial.upstreams);
    return grc_print_done(status);
}
