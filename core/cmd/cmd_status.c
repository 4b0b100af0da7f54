/* greenroom status, health and reload: ask the gateway that runs with this config. */
#include "base/format.h"
#include "base/json.h"
#include "cmd/cmd.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

/* Returns the answer to a word, or NULL after complaining. */
static json_t *ask(const struct grc_cli *cli, const char *word)
{
    char *reason = NULL;
    json_t *answer = grc_cli_ask(cli, word, NULL, &reason);

    if (!answer)
        grc_complain("%s", reason ? reason : "out of memory");
    free(reason);
    return answer;
}

/* A dash stands for what the gateway did not say. */
static const char *text_of(const json_t *object, const char *name)
{
    return grc_json_text(object, name, "-");
}

static long long number_of(const json_t *object, const char *name)
{
    return (long long)json_integer_value(json_object_get(object, name));
}

static const char *plural_of(const json_t *object, const char *name)
{
    return grc_plural((size_t)number_of(object, name));
}

/* --- status --- */

static void print_span(long long ms)
{
    long long s = ms / 1000;

    if (s >= 86400)
        printf("%lldd %lldh", s / 86400, s / 3600 % 24);
    else if (s >= 3600)
        printf("%lldh %lldm", s / 3600, s / 60 % 60);
    else if (s >= 60)
        printf("%lldm %llds", s / 60, s % 60);
    else
        printf("%llds", s);
}

static void print_head(const json_t *status)
{
    const json_t *reload = json_object_get(status, "reload");
    const json_t *workers = json_object_get(status, "workers");
    const json_t *item;
    size_t i;

    printf("greenroom  %s, process %lld, up ", text_of(status, "version"),
           number_of(status, "pid"));
    print_span(number_of(status, "uptime_ms"));
    printf("\nconfig     %s, generation %lld%s\n", text_of(status, "config"),
           number_of(reload, "generation"),
           json_is_true(json_object_get(reload, "failed")) ? ", the last reload was refused" : "");
    printf("listens    ");
    json_array_foreach(json_object_get(status, "listen"), i, item)
        printf("%s%s", i ? " " : "", json_string_value(item));
    if (json_object_get(status, "admin"))
        printf(", admin %s", text_of(status, "admin"));
    printf("\nworkers    %lld; requests in progress %lld; connections %lld\n",
           number_of(workers, "total"), number_of(workers, "busy"),
           number_of(status, "connections"));
}

static void print_groups(const json_t *status)
{
    const json_t *group;
    size_t i;
    size_t on = 0;

    printf("groups    ");
    json_array_foreach(json_object_get(status, "groups"), i, group) {
        if (strcmp(text_of(group, "state"), "ok") != 0)
            continue;
        printf(" %s", text_of(group, "name"));
        on++;
    }
    printf("%s, %lld route%s\n", on ? "" : " none is on (greenroom plugins enable NAME)",
           number_of(status, "routes"), plural_of(status, "routes"));
    json_array_foreach(json_object_get(status, "groups"), i, group) {
        if (strcmp(text_of(group, "state"), "left out") == 0)
            printf("           %s is left out: %s\n", text_of(group, "name"),
                   text_of(group, "reason"));
    }
}

static void print_upstreams(const json_t *status)
{
    const json_t *store = json_object_get(status, "store");
    const json_t *upstream;
    size_t i;

    printf("upstreams ");
    json_array_foreach(json_object_get(status, "upstreams"), i, upstream)
        printf("%s %s %s", i ? "," : "", text_of(upstream, "name"), text_of(upstream, "state"));
    printf("\nstore      %s%s\n", json_is_null(store) ? "not used" : text_of(store, "kind"),
           json_is_false(json_object_get(store, "reachable")) ? ", cannot be reached" : "");
}

static void print_shared_limits(const json_t *status)
{
    const json_t *shared = json_object_get(status, "shared_limits");

    if (!shared)
        return;
    if (json_is_true(json_object_get(shared, "reached")))
        printf("limits     are counted over all gateways\n");
    else
        printf("limits     %s, since their server cannot be used: %s\n",
               strcmp(text_of(shared, "on_failure"), "closed") == 0
                   ? "refuse requests with 503"
                   : "are counted by this gateway alone",
               text_of(shared, "reason"));
}

static void print_shared_cache(const json_t *status)
{
    const json_t *shared = json_object_get(status, "shared_cache");

    if (!shared)
        return;
    if (json_is_true(json_object_get(shared, "reached")))
        printf("cache      is shared with other gateways\n");
    else
        printf("cache      is this gateway's alone, since the server cannot be used: %s\n",
               text_of(shared, "reason"));
}

static double rate_of(const json_t *rates, const char *name)
{
    return json_real_value(json_object_get(rates, name));
}

/* Prints a rate with enough digits to show one event in a minute. */
static void print_rate(const char *before, double rate, const char *after)
{
    printf("%s%.*f%s", before, rate > 0 && rate < 0.1 ? 3 : 1, rate, after);
}

static void print_rates(const json_t *status)
{
    const json_t *rates = json_object_get(status, "rates");

    printf("last ");
    print_span(number_of(rates, "over_ms"));
    print_rate("   ", rate_of(rates, "requests_per_s"), " requests a second");
    printf(", %.1f ms each", rate_of(rates, "mean_ms"));
    print_rate(", ", rate_of(rates, "failed_per_s"), " failed");
    print_rate(", ", rate_of(rates, "refused_per_s"), " refused");
    print_rate("; ", rate_of(rates, "upstream_per_s"), " upstream calls");
    print_rate(", ", rate_of(rates, "upstream_failed_per_s"), " failed\n");
}

static void print_status(const json_t *status)
{
    print_head(status);
    print_rates(status);
    print_groups(status);
    print_upstreams(status);
    print_shared_limits(status);
    print_shared_cache(status);
}

/* Ends when the gateway does not answer any more, or by an interrupt. */
static int watch(const struct grc_cli *cli)
{
    const struct timespec second = {.tv_sec = 1};

    for (;;) {
        json_t *answer = ask(cli, "status");

        if (!answer)
            return GRC_EXIT_FAILED;
        printf("\033[H\033[2J");
        print_status(answer);
        json_decref(answer);
        if (grc_print_done(GRC_EXIT_OK) != GRC_EXIT_OK)
            return GRC_EXIT_FAILED;
        nanosleep(&second, NULL);
    }
}

struct status_args {
    bool json;
    bool watched;
};

static int status(const struct grc_cli *cli, const void *args, int count, char **words)
{
    const struct status_args *asked = args;

    (void)count;
    (void)words;
    if (asked->json && asked->watched)
        return grc_usage_error(cli, "either --json or --watch");
    if (asked->watched)
        return watch(cli);
    json_t *answer = ask(cli, "status");
    if (!answer)
        return GRC_EXIT_FAILED;
    if (asked->json)
        return grc_print_json(answer);
    print_status(answer);
    json_decref(answer);
    return grc_print_done(GRC_EXIT_OK);
}

static const struct grc_flag status_flags[] = {
    GRC_SWITCH(status_args, "--json", json, "As JSON"),
    GRC_SWITCH(status_args, "--watch", watched, "Update it every second, until interrupted"),
    GRC_FLAG_END,
};

const struct grc_command grc_command_status = {
    .name = "status",
    .summary = "Show the state of the gateway that runs with this config",
    .detail =
        "Uses a socket in the state directory, which only the gateway's user and root can open.",
    .flags = status_flags,
    .args_size = sizeof(struct status_args),
    .run = status,
};

/* --- health --- */

/* Writes the problems to the buffer, which stays empty if there are none. */
static void add_troubles(struct grc_buf *troubles, const json_t *status)
{
    const json_t *upstream;
    size_t i;

    json_array_foreach(json_object_get(status, "upstreams"), i, upstream) {
        const char *name = text_of(upstream, "name");
        const char *state = text_of(upstream, "state");

        /* When the upstream of an issuer's keys fails, the keys fetched before still work. */
        if (strncmp(name, "jwks:", 5) != 0 && strcmp(state, "ok") != 0 &&
            strcmp(state, "unused") != 0)
            (void)grc_buf_format(troubles, "%supstream %s: %s", troubles->len ? ", " : "", name,
                                 state);
    }
    if (json_is_false(json_object_get(json_object_get(status, "store"), "reachable")))
        (void)grc_buf_format(troubles, "%sstore: cannot be reached", troubles->len ? ", " : "");
    const json_t *shared = json_object_get(status, "shared_limits");
    if (json_is_false(json_object_get(shared, "reached")) &&
        strcmp(text_of(shared, "on_failure"), "closed") == 0)
        (void)grc_buf_format(troubles, "%sshared limits: %s", troubles->len ? ", " : "",
                             text_of(shared, "reason"));
}

static int health(const struct grc_cli *cli, const void *args, int count, char **words)
{
    struct grc_buf troubles;

    (void)args;
    (void)count;
    (void)words;
    json_t *answer = ask(cli, "status");
    if (!answer)
        return GRC_EXIT_FAILED;
    grc_buf_init(&troubles, 4096);
    add_troubles(&troubles, answer);
    int exit_status = troubles.len > 0 ? GRC_EXIT_FAILED : GRC_EXIT_OK;
    puts(troubles.len > 0 ? troubles.ptr : "ok");
    grc_buf_done(&troubles);
    json_decref(answer);
    return grc_print_done(exit_status);
}

const struct grc_command grc_command_health = {
    .name = "health",
    .summary = "Print one line; exit status 0 if the gateway, its store and upstreams work",
    .run = health,
};

/* --- reload --- */

static void print_names(const char *what, const json_t *names)
{
    const json_t *name;
    size_t i;

    if (json_array_size(names) == 0)
        return;
    printf("%s:", what);
    json_array_foreach(names, i, name)
        printf(" %s", json_string_value(name));
    putchar('\n');
}

static void print_lines(const json_t *lines)
{
    const json_t *line;
    size_t i;

    json_array_foreach(lines, i, line)
        fprintf(stderr, "%s\n", json_string_value(line));
}

static void print_value(const char *before, const json_t *value)
{
    char *text = value ? json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY) : NULL;

    printf("%s%s", before, text ? text : "nothing");
    free(text);
}

static void print_changes(const json_t *changes)
{
    const json_t *change;
    size_t i;

    json_array_foreach(changes, i, change) {
        printf("%s: %s:", text_of(change, json_object_get(change, "at") ? "at" : "file"),
               text_of(change, "path"));
        print_value(" ", json_object_get(change, "before"));
        print_value(" is now ", json_object_get(change, "after"));
        putchar('\n');
    }
}

static void print_reload(const json_t *answer)
{
    if (!json_is_true(json_object_get(answer, "ok"))) {
        print_lines(json_object_get(answer, "problems"));
        grc_complain("the new config does not work; the gateway goes on with the old one");
        return;
    }
    printf("reloaded: generation %lld, %lld group%s, %lld route%s\n",
           number_of(answer, "generation"), number_of(answer, "groups"),
           plural_of(answer, "groups"), number_of(answer, "routes"), plural_of(answer, "routes"));
    if (json_array_size(json_object_get(answer, "changed")) == 0)
        puts("no value of the config changed");
    print_changes(json_object_get(answer, "changed"));
    print_names("new code", json_object_get(answer, "new_code"));
    print_names("now served", json_object_get(answer, "added"));
    print_names("no longer served", json_object_get(answer, "removed"));
    print_lines(json_object_get(answer, "left_out"));
    if (json_is_true(json_object_get(answer, "restart_needed")))
        grc_complain("listeners, workers, users, log.buffer, and limits and timeouts of heads "
                     "change at the next start");
}

struct reload_args {
    bool json;
};

static int reload(const struct grc_cli *cli, const void *args, int count, char **words)
{
    bool json = ((const struct reload_args *)args)->json;

    (void)count;
    (void)words;
    json_t *answer = ask(cli, "reload");
    if (!answer)
        return GRC_EXIT_FAILED;
    int exit_status = json_is_true(json_object_get(answer, "ok")) ? GRC_EXIT_OK : GRC_EXIT_FAILED;
    if (!json)
        print_reload(answer);
    else if (grc_print_json(json_incref(answer)) != GRC_EXIT_OK)
        exit_status = GRC_EXIT_FAILED;
    json_decref(answer);
    return grc_print_done(exit_status);
}

static const struct grc_flag reload_flags[] = {
    GRC_SWITCH(reload_args, "--json", json, "As JSON"),
    GRC_FLAG_END,
};

const struct grc_command grc_command_reload = {
    .name = "reload",
    .summary =
        "Make the gateway load config and plugins again, and print the changes or the problems",
    .flags = reload_flags,
    .args_size = sizeof(struct reload_args),
    .run = reload,
};
