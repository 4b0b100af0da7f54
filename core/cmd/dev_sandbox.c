#include "cmd/dev_sandbox.h"

#include "base/file.h"
#include "cmd/cmd.h"
#include "cmd/plugin_rows.h"
#include "config/options.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

#define SEED_MAX_BYTES ((size_t)64 << 20)
#define SPEED_VARIABLE "SANDBOX_SPEED"
#define SEED_VARIABLE "SANDBOX_SEED_FILE"
#define STATE_VARIABLE "SANDBOX_STATE_FILE"

/* A value that is checked by the option with this variable, in whichever plugin has it. */
struct checked {
    const char *name;
    const char *variable;
    const char *text;
    bool wrong;
};

static void check_option(void *arg, const struct grc_plugin *plugin)
{
    struct checked *checked = arg;
    const struct gr_option *option = plugin->desc->options;

    for (; option && option->name; option++) {
        if (option->env && strcmp(option->env, checked->variable) == 0 &&
            !grc_option_accepts(option, checked->name, checked->text, grc_cli_report, NULL))
            checked->wrong = true;
    }
}

static int set(const char *variable, const char *text)
{
    if (setenv(variable, text, 1) == 0)
        return GRC_EXIT_OK;
    grc_complain("%s: %s", variable, strerror(errno));
    return GRC_EXIT_FAILED;
}

static int set_speed(const char *speed, const char *config)
{
    const struct grc_cli sandbox = {.config_dir = config};
    struct checked checked = {.name = "--speed", .variable = SPEED_VARIABLE, .text = speed};

    grc_plugins_visit(&sandbox, check_option, &checked);
    return checked.wrong ? GRC_EXIT_USAGE : set(SPEED_VARIABLE, speed);
}

/* Only whether it is JSON. The sandbox checks what it says. */
static bool is_json(const char *path)
{
    const char *reason = NULL;
    size_t len = 0;
    char *text = grc_file_read(path, SEED_MAX_BYTES, &len, &reason);
    json_error_t problem;
    json_t *seed = text ? json_loadb(text, len, JSON_REJECT_DUPLICATES, &problem) : NULL;

    if (!text)
        grc_complain("--seed: %s: %s", path, reason);
    else if (!seed)
        grc_complain("--seed: %s:%d:%d: %s", path, problem.line, problem.column, problem.text);
    json_decref(seed);
    free(text);
    return seed != NULL;
}

static int set_seed(const char *seed)
{
    char *path = realpath(seed, NULL);
    int status = GRC_EXIT_USAGE;

    if (!path)
        grc_complain("--seed: %s: %s", seed, strerror(errno));
    else if (is_json(path))
        status = set(SEED_VARIABLE, path);
    free(path);
    return status;
}

/* The content of the sandbox is kept where its other data is, unless a variable names a file. */
static int keep_state(const char *state, bool seeded)
{
    char *file = grc_path_join(state, "sandbox.json");
    int status = GRC_EXIT_FAILED;

    if (!file)
        grc_complain("out of memory");
    else if (setenv(STATE_VARIABLE, file, 0) == 0)
        status = GRC_EXIT_OK;
    if (status == GRC_EXIT_OK && seeded && access(getenv(STATE_VARIABLE), F_OK) == 0) {
        grc_complain("--seed: %s has the content of an earlier run: remove it to begin anew",
                     getenv(STATE_VARIABLE));
        status = GRC_EXIT_USAGE;
    }
    free(file);
    return status;
}

int grc_dev_sandbox_set(const struct grc_dev_sandbox *flags, const char *config, const char *state)
{
    int status = GRC_EXIT_OK;

    if (!config && (flags->seed || flags->speed)) {
        grc_complain("%s: there is no sandbox, because BASE_URL names a workspace",
                     flags->seed ? "--seed" : "--speed");
        return GRC_EXIT_USAGE;
    }
    if (flags->speed)
        status = set_speed(flags->speed, config);
    if (status == GRC_EXIT_OK && flags->seed)
        status = set_seed(flags->seed);
    if (status == GRC_EXIT_OK && state && config)
        status = keep_state(state, flags->seed != NULL);
    return status;
}
