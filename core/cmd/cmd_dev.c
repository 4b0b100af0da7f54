/*
 * greenroom dev: runs a gateway and a sandbox that simulates its upstreams, both only on this
 * machine. They are child processes that end with this process.
 */
#include "auth/keys.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/place.h"
#include "base/secure.h"
#include "cmd/child.h"
#include "cmd/cmd.h"
#include "cmd/dev_sandbox.h"
#include "cmd/dev_state.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static const int stop_signals[] = {SIGINT, SIGTERM, SIGQUIT, SIGHUP};
#define STOP_SIGNALS (sizeof(stop_signals) / sizeof(stop_signals[0]))

/* One of the two processes. */
struct part {
    const char *name;
    const char *ports; /* the variables that choose its ports in the config that is installed */
    char *config;
    char *state;
    struct grc_child child;
};

struct dev {
    struct part sandbox;
    struct part gateway;
    sigset_t signals;
    bool with_sandbox;                   /* BASE_URL is not set to a real workspace */
    const struct grc_settings *settings; /* of the gateway; NULL when its config is wrong */
    char key[GRC_KEY_TEXT_MAX];          /* empty: callers need none, or it is kept elsewhere */
    char problem[128];                   /* to be said last, below what the parts have logged */
};

/* --- environment variables for both configs --- */

/* A variable and its default: a text, the value of an earlier variable, a text. */
struct variable {
    const char *name;
    const char *before;
    const char *port;
    const char *after;
};

static const struct variable variables[] = {
    {"PORT", "8080", NULL, ""},
    {"ADMIN_PORT", "9090", NULL, ""},
    {"SANDBOX_PORT", "8100", NULL, ""},
    {"SANDBOX_LISTEN", "127.0.0.1:", "SANDBOX_PORT", ""},
    {"GATEWAY_URL", "http://127.0.0.1:", "PORT", ""},
    {"GREENROOM_DOCS", "true", NULL, ""},
    {"BASE_URL", "http://127.0.0.1:", "SANDBOX_PORT", "/v2"},
    {"AUTH_BASE_URL", "http://127.0.0.1:", "SANDBOX_PORT", "/v2"},
    {"APP_ACCESS_KEY", "sandbox-access-key", NULL, ""},
    {"APP_SECRET", "sandbox-app-secret-for-local-use-only", NULL, ""},
    {"WEBHOOK_SECRET", "sandbox-webhook-secret", NULL, ""},
    {"SANDBOX_WEBHOOK_URL", "http://127.0.0.1:", "PORT", "/webhooks"},
    {"EVENT_URL", "http://127.0.0.1:", "SANDBOX_PORT", "/event"},
    {"CONFERENCE_URL", "http://127.0.0.1:", "SANDBOX_PORT", "/conference"},
    {"TQ_URL", "http://127.0.0.1:", "SANDBOX_PORT", "/conference"},
    {"STORAGE_URL", "http://127.0.0.1:", "SANDBOX_PORT", "/conference"},
};
/* So many variables, from the first, are also set without a sandbox. */
#define VARIABLES_ALWAYS 6

/* Gateway and sandbox have separate state directories, but share this secret. */
static bool share_secret(const struct dev *dev)
{
    char *file = grc_path_join(dev->gateway.state, "minigroups.secret");
    bool fine = file && setenv("MINIGROUPS_SECRET_FILE", file, 0) == 0;

    free(file);
    return fine;
}

static bool set_variables(const struct dev *dev)
{
    size_t count = dev->with_sandbox ? sizeof(variables) / sizeof(variables[0]) : VARIABLES_ALWAYS;
    char text[256];

    for (size_t i = 0; i < count; i++) {
        const struct variable *variable = &variables[i];
        const char *port = variable->port ? getenv(variable->port) : "";

        snprintf(text, sizeof(text), "%s%s%s", variable->before, port ? port : "", variable->after);
        if (setenv(variable->name, text, 0) != 0)
            return false;
    }
    /* A person at a terminal reads text, a program that gets the log reads JSON. */
    if (setenv("GREENROOM_LOG_FORMAT", isatty(STDERR_FILENO) ? "text" : "json", 0) != 0)
        return false;
    return !dev->with_sandbox || share_secret(dev);
}

/* --- one part --- */

/* Whether the end was asked for while a part started. */
static bool is_stopping(const struct dev *dev)
{
    sigset_t pending;

    if (sigpending(&pending) != 0)
        return false;
    for (size_t i = 0; i < STOP_SIGNALS; i++) {
        if (sigismember(&dev->signals, stop_signals[i]) == 1 &&
            sigismember(&pending, stop_signals[i]) == 1)
            return true;
    }
    return false;
}

/* Returns the exit status; the part itself has said why it did not start. */
static int start_part(struct dev *dev, struct part *part, char *ret_url, size_t size)
{
    if (is_stopping(dev))
        return GRC_EXIT_OK;
    if (mkdir(part->state, 0700) != 0 && errno != EEXIST) {
        grc_complain("%s: %s", part->state, strerror(errno));
        return GRC_EXIT_FAILED;
    }
    if (!grc_child_start(&part->child, part->config, part->state, -1))
        return GRC_EXIT_FAILED;
    if (grc_child_wait_ready(&part->child, part->config, ret_url, size))
        return GRC_EXIT_OK;
    int status = grc_child_exit_status(&part->child);

    if (is_stopping(dev))
        return GRC_EXIT_OK;
    snprintf(dev->problem, sizeof(dev->problem), "the %s did not start%s%s", part->name,
             status == GRC_EXIT_LISTEN ? "; in the environment " : "",
             status == GRC_EXIT_LISTEN ? part->ports : "");
    return status;
}

/* --- both --- */

/* Makes an API key for the example, if the config wants keys and their file is in the state
 * directory of this command; files elsewhere belong to another gateway. A key of an earlier run is
 * replaced, since its text is not kept. Returns false after complaining. */
static bool make_key(struct dev *dev)
{
    static const char *const everything[] = {"*", NULL};
    static const char *const any[] = {NULL};
    const struct grc_key_wish wish = {
        .name = "dev", .scopes = everything, .rooms = any, .roles = any};
    const char *path = dev->settings ? dev->settings->auth.keys_file : NULL;
    size_t len = strlen(dev->gateway.state);
    struct grc_key_file file;
    char *reason = NULL;
    int64_t now_ms = grc_now_ms();

    if (!path || strncmp(path, dev->gateway.state, len) != 0 || path[len] != '/')
        return true;
    bool fine = grc_key_file_open(&file, path, &reason);
    if (fine) {
        (void)grc_key_document_revoke(file.root, wish.name, now_ms);
        (void)grc_key_document_prune(file.root, now_ms);
        fine = grc_key_document_add(file.root, &wish, now_ms, dev->key, &reason) &&
               grc_key_file_save(&file, &reason);
        grc_key_file_close(&file);
    }
    if (!fine)
        grc_complain("keys: %s", reason ? reason : "out of memory");
    free(reason);
    return fine;
}

static void print_key(const struct dev *dev)
{
    const struct grc_auth_settings *auth = &dev->settings->auth;

    if (dev->key[0])
        printf("key      %s\n", dev->key);
    else if (auth->keys_file)
        printf("key      one of %s\n", auth->keys_file);
    else if (auth->jwt_count == 0 || auth->none_scopes)
        puts("key      none is needed by callers on this machine");
    else
        puts("key      none, but a token of the issuer that the config names");
}

static void print_pages(const struct dev *dev, const char *url)
{
    const struct grc_listen *admin = &dev->settings->admin;
    bool numbered = admin->address && admin->port != 0;

    if (dev->settings->docs.is_public)
        printf("docs     %s/docs\n", url);
    else if (numbered)
        printf("docs     http://%s:%u/docs\n", admin->address, admin->port);
    if (numbered)
        printf("status   http://%s:%u/status\n", admin->address, admin->port);
}

static void print_ready(const char *url, const struct dev *dev, const char *state, bool kept)
{
    if (isatty(STDOUT_FILENO))
        putchar('\n'); /* after the lines of the log */
    printf("gateway  %s%s\nstate    %s%s\n", url,
           dev->with_sandbox ? ", in front of a sandbox" : "", state,
           kept ? "" : ", deleted at the end");
    if (dev->settings) {
        print_pages(dev, url);
        print_key(dev);
    }
    printf("\n  curl -s %s/rooms%s%s%s -H 'Content-Type: application/json' "
           "-d '{\"name\": \"first-room\"}'\n\nCtrl-C ends it.\n",
           url, dev->key[0] ? " -H 'X-API-Key: " : "", dev->key, dev->key[0] ? "'" : "");
    fflush(stdout);
}

/* Waits for a signal to stop. Returns the exit status; a part that ends by itself is a failure. */
static int wait_end(struct dev *dev)
{
    for (;;) {
        int received = 0;

        if (sigwait(&dev->signals, &received) != 0 || received != SIGCHLD)
            return GRC_EXIT_OK;
        for (size_t i = 0; i < 2; i++) {
            struct part *part = i == 0 ? &dev->sandbox : &dev->gateway;

            if (!grc_child_ended(&part->child))
                continue;
            snprintf(dev->problem, sizeof(dev->problem), "the %s ended by itself", part->name);
            return grc_child_exit_status(&part->child);
        }
    }
}

/* The config of the gateway, which reports what is wrong with it when it starts. */
static struct grc_settings *load_settings(const struct dev *dev)
{
    bool placed = setenv("STATE_DIRECTORY", dev->gateway.state, 1) == 0;

    return placed ? grc_settings_load(dev->gateway.config, NULL, NULL) : NULL;
}

static int serve(struct dev *dev, const char *state, bool kept)
{
    char url[256];
    struct grc_settings *settings = NULL;
    int status = dev->with_sandbox ? start_part(dev, &dev->sandbox, url, sizeof(url)) : GRC_EXIT_OK;

    if (status == GRC_EXIT_OK) {
        dev->settings = settings = load_settings(dev);
        status = make_key(dev) ? start_part(dev, &dev->gateway, url, sizeof(url)) : GRC_EXIT_FAILED;
    }
    if (status == GRC_EXIT_OK && !is_stopping(dev)) {
        print_ready(url, dev, state, kept);
        status = wait_end(dev);
    }
    grc_child_stop(&dev->gateway.child);
    grc_child_stop(&dev->sandbox.child);
    if (dev->problem[0])
        grc_complain("%s", dev->problem);
    grc_wipe(dev->key, sizeof(dev->key));
    dev->settings = NULL;
    grc_settings_free(settings);
    return status;
}

/* The user's config if it has a sandbox, else the config that is installed for this command. */
static char *find_config(const struct grc_cli *cli)
{
    char data[PATH_MAX];
    char *own = grc_path_join(cli->config_dir, "sandbox/greenroom.json");
    bool there = own && access(own, R_OK) == 0;

    free(own);
    if (there)
        return strdup(cli->config_dir);
    return grc_place(GRC_PLACE_DATA, data, sizeof(data)) ? grc_path_join(data, "dev") : NULL;
}

static bool prepare(struct dev *dev, const struct grc_cli *cli, const char *state)
{
    char *config = find_config(cli);

    if (config) {
        dev->gateway = (struct part){.name = "gateway",
                                     .ports = "PORT and ADMIN_PORT choose its ports",
                                     .config = strdup(config),
                                     .state = strdup(state)};
        dev->sandbox = (struct part){.name = "sandbox",
                                     .ports = "SANDBOX_PORT chooses its port",
                                     .config = grc_path_join(config, "sandbox"),
                                     .state = grc_path_join(state, "sandbox")};
    }
    free(config);
    bool fine = dev->gateway.config && dev->gateway.state && dev->sandbox.config &&
                dev->sandbox.state && set_variables(dev);
    if (!fine)
        grc_complain("out of memory");
    if (fine && dev->with_sandbox && access(dev->sandbox.config, R_OK) != 0) {
        grc_complain("there is no sandbox: %s: %s (the package greenroom-sandbox brings it)",
                     dev->sandbox.config, strerror(errno));
        return false;
    }
    return fine;
}

/* SIGHUP that nohup ignores does not stop it. SIGINT does, also where a script has started it in
 * the background, for which shells ignore SIGINT. */
static void block_signals(sigset_t *set)
{
    struct sigaction now;

    sigemptyset(set);
    for (size_t i = 0; i < STOP_SIGNALS; i++)
        sigaddset(set, stop_signals[i]);
    if (sigaction(SIGHUP, NULL, &now) == 0 && now.sa_handler == SIG_IGN)
        sigdelset(set, SIGHUP);
    sigaddset(set, SIGCHLD);
    pthread_sigmask(SIG_BLOCK, set, NULL);
}

struct dev_args {
    const char *state;
    struct grc_dev_sandbox sandbox;
};

static int run_in(const struct grc_cli *cli, const struct dev_args *args, const char *state,
                  bool kept)
{
    const char *workspace = getenv("BASE_URL");
    struct dev dev = {.with_sandbox = !workspace || !workspace[0]};
    int status = GRC_EXIT_FAILED;

    block_signals(&dev.signals);
    if (prepare(&dev, cli, state))
        status = grc_dev_sandbox_set(&args->sandbox, dev.with_sandbox ? dev.sandbox.config : NULL,
                                     kept ? dev.sandbox.state : NULL);
    if (status == GRC_EXIT_OK)
        status = serve(&dev, state, kept);
    free(dev.gateway.config);
    free(dev.gateway.state);
    free(dev.sandbox.config);
    free(dev.sandbox.state);
    return status;
}

static int dev(const struct grc_cli *cli, const void *args, int count, char **words)
{
    const struct dev_args *given = args;
    struct grc_dev_state made;
    const char *state = given->state;

    (void)count;
    (void)words;
    grc_cli_quiet(GR_LOG_ERROR, true);
    bool kept = state != NULL;
    if (kept && mkdir(state, 0700) != 0 && errno != EEXIST) {
        grc_complain("%s: %s", state, strerror(errno));
        return GRC_EXIT_FAILED;
    }
    if (!kept && !grc_dev_state_make(&made))
        return GRC_EXIT_FAILED;
    int status = run_in(cli, given, kept ? state : made.path, kept);
    if (!kept)
        grc_dev_state_remove(&made);
    return status;
}

static const struct grc_flag dev_flags[] = {
    GRC_TEXT(
        dev_args, "--state", state, "DIR",
        "Keep the data in DIR; by default it is deleted at the end, or at the next start after a "
        "sudden end",
        .choices = &grc_choices_files),
    GRC_TEXT(dev_args, "--seed", sandbox.seed, "FILE",
             "JSON file with the initial templates, rooms, codes, peers and polls of the sandbox",
             .choices = &grc_choices_files),
    GRC_TEXT(dev_args, "--speed", sandbox.speed, "N",
             "Factor by which the delays of the sandbox are shortened"),
    GRC_FLAG_END,
};

const struct grc_command grc_command_dev = {
    .name = "dev",
    .summary =
        "Run a gateway and a sandbox of the services behind it on this machine, for development",
    .flags = dev_flags,
    .args_size = sizeof(struct dev_args),
    .run = dev,
};
