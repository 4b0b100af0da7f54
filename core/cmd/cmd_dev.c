/*
 * greenroom dev: runs a gateway and a sandbox that simulates its upstreams, both only on this
 * machine. They are child processes that end with this process.
 */
#include "base/file.h"
#include "base/log.h"
#include "base/place.h"
#include "cmd/child.h"
#include "cmd/cmd.h"
#include "config/env.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* One of the two. */
struct part {
    const char *name;
    char *config;
    char *state;
    struct grc_child child;
};

struct dev {
    struct part sandbox;
    struct part gateway;
    sigset_t signals;
    bool with_sandbox; /* BASE_URL is not set to a real workspace */
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
/* This many of them are also used without a sandbox. */
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
    return !dev->with_sandbox || share_secret(dev);
}

/* --- one part --- */

static bool ended(struct part *part)
{
    return grc_child_ended(&part->child);
}

static bool start_part(struct part *part, char *ret_url, size_t size)
{
    if (mkdir(part->state, 0700) != 0 && errno != EEXIST) {
        grc_complain("%s: %s", part->state, strerror(errno));
        return false;
    }
    if (grc_child_start(&part->child, part->config, part->state, -1) &&
        grc_child_wait_ready(&part->child, part->config, ret_url, size))
        return true;
    grc_complain("the %s did not start", part->name);
    return false;
}

/* --- both --- */

static void print_ready(const char *url, const struct dev *dev, const char *state, bool kept)
{
    printf(
        "gateway  %s%s\nstate    %s%s\n\n"
        "  curl -s %s/rooms -H 'Content-Type: application/json' -d '{\"name\": \"first-room\"}'\n\n"
        "Ctrl-C ends it.\n",
        url, dev->with_sandbox ? ", in front of a sandbox" : "", state,
        kept ? "" : ", until it ends", url);
    fflush(stdout);
}

/* Waits for a signal. Returns false if one of the two processes ended by itself. */
static bool wait_end(struct dev *dev)
{
    for (;;) {
        int received = 0;

        if (sigwait(&dev->signals, &received) != 0 || received != SIGCHLD)
            return true;
        if (ended(&dev->sandbox) || ended(&dev->gateway)) {
            grc_complain("the %s ended by itself", dev->gateway.child.pid ? "sandbox" : "gateway");
            return false;
        }
    }
}

static int serve(struct dev *dev, const char *state, bool kept)
{
    char url[256];
    bool fine = !dev->with_sandbox || start_part(&dev->sandbox, url, sizeof(url));

    fine = fine && start_part(&dev->gateway, url, sizeof(url));
    if (fine)
        print_ready(url, dev, state, kept);
    fine = fine && wait_end(dev);
    grc_child_stop(&dev->gateway.child);
    grc_child_stop(&dev->sandbox.child);
    return fine ? GRC_EXIT_OK : GRC_EXIT_FAILED;
}

/* The user's config where there is a sandbox beside it, else the one that is installed for this. */
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
        dev->gateway =
            (struct part){.name = "gateway", .config = strdup(config), .state = strdup(state)};
        dev->sandbox = (struct part){.name = "sandbox",
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

static int run_in(const struct grc_cli *cli, const char *state, bool kept)
{
    const char *workspace = getenv("BASE_URL");
    struct dev dev = {.with_sandbox = !workspace || !workspace[0]};
    int status = GRC_EXIT_FAILED;

    sigemptyset(&dev.signals);
    sigaddset(&dev.signals, SIGINT);
    sigaddset(&dev.signals, SIGTERM);
    sigaddset(&dev.signals, SIGCHLD);
    pthread_sigmask(SIG_BLOCK, &dev.signals, NULL);
    if (prepare(&dev, cli, state))
        status = serve(&dev, state, kept);
    free(dev.gateway.config);
    free(dev.gateway.state);
    free(dev.sandbox.config);
    free(dev.sandbox.state);
    return status;
}

struct dev_args {
    const char *state;
    const char *seed;
    const char *speed;
};

/* What the sandbox begins with, and how fast its time goes: its own options say what is wrong with
 * them. false: said why not. */
static bool set_sandbox(const struct dev_args *args)
{
    char *seed = args->seed ? realpath(args->seed, NULL) : NULL;
    bool fine = !args->seed || seed;

    if (!fine)
        grc_complain("--seed: %s: %s", args->seed, strerror(errno));
    if (seed && setenv("SANDBOX_SEED_FILE", seed, 1) != 0)
        fine = false;
    if (args->speed && setenv("SANDBOX_SPEED", args->speed, 1) != 0)
        fine = false;
    free(seed);
    return fine;
}

static int dev(const struct grc_cli *cli, const void *args, int count, char **words)
{
    char made[] = "/tmp/greenroom-dev-XXXXXX";
    const char *state = ((const struct dev_args *)args)->state;

    (void)count;
    (void)words;
    grc_log_plain_set(true);
    grc_log_level_set(GR_LOG_ERROR);
    grc_env_lenient_set(true);
    bool kept = state != NULL;
    if (!set_sandbox(args))
        return GRC_EXIT_USAGE;
    if (kept && mkdir(state, 0700) != 0 && errno != EEXIST) {
        grc_complain("%s: %s", state, strerror(errno));
        return GRC_EXIT_FAILED;
    }
    if (!kept)
        state = mkdtemp(made);
    if (!state) {
        grc_complain("/tmp: %s", strerror(errno));
        return GRC_EXIT_FAILED;
    }
    int status = run_in(cli, state, kept);
    if (!kept)
        grc_tree_remove(state);
    return status;
}

static const struct grc_flag dev_flags[] = {
    GRC_TEXT(dev_args, "--state", state, "DIR",
             "Keep the data in DIR; by default it is deleted at the end"),
    GRC_TEXT(dev_args, "--seed", seed, "FILE",
             "JSON file with the initial templates, rooms, codes, peers and polls of the sandbox"),
    GRC_TEXT(dev_args, "--speed", speed, "N",
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
