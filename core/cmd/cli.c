#include "base/file.h"
#include "base/json_memory.h"
#include "base/log.h"
#include "base/place.h"
#include "cmd/cmd.h"
#include "config/env.h"
#include "config/setting.h"
#include "http/http.h"
#include "token/jwt.h"
#include "upstream/upstream.h"

#include <greenroom/version.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define COMMANDS_MAX 32

const struct grc_command grc_commands[] = {
    {"run", "", "Serve until SIGTERM or SIGINT; SIGHUP reads the config again", grc_cmd_run, NULL},
    {"check", "", "Check the config and every plugin, without listening", grc_cmd_check, NULL},
    {"dev", "[--state DIR]",
     "Run a gateway and a sandbox of the services behind it on this machine, for development",
     grc_cmd_dev, NULL},
    {"status", "[--json | --watch]", "Tell what the gateway that runs with this config does",
     grc_cmd_status, NULL},
    {"health", "", "One line, and exit status 0 while that gateway, its store and upstreams work",
     grc_cmd_health, NULL},
    {"reload", "[--json]",
     "Make it read config and plugins again; says what changed, or why nothing did, and then fails",
     grc_cmd_reload, NULL},
    {"routes", "[--json | --markdown]", "List what is served", grc_cmd_routes, NULL},
    {"plugins", "[list [--json] | enable NAME | disable NAME]", "List or switch groups",
     grc_cmd_plugins, GR_LIST("list", "enable", "disable")},
    {"keys",
     "[list [--json] | add NAME --scope SCOPE… [--expires 90d] [--room ID…] [--role ROLE…] | "
     "revoke "
     "NAME|ID | rotate NAME|ID [--keep 24h] | prune]",
     "API keys: a new one is printed once; a running gateway notices changes", grc_cmd_keys,
     GR_LIST("list", "add", "revoke", "rotate", "prune")},
    {"token",
     "management | join --room ID --role ROLE [--user ID]; both: [--expires 1h] [--upstream NAME]",
     "Print a 100ms token", grc_cmd_token, GR_LIST("management", "join")},
    {"config", "schema [--plugin [NAME]] | reference [--plugins]",
     "Print what may stand in the config", grc_cmd_config, GR_LIST("schema", "reference")},
    {"openapi", "[GROUP]", "Print an OpenAPI 3.1 description of what is served", grc_cmd_openapi,
     NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

/* --- help --- */

static void print_help(const struct grc_cli *cli)
{
    const struct grc_command *command;
    char place[PATH_MAX];
    bool placed = grc_place(GRC_PLACE_CONFIG, place, sizeof(place));

    printf("usage: greenroom [-c DIR] [COMMAND] [ARGUMENTS]\n\n"
           "Without a command, greenroom runs the gateway.\n\n"
           "  -c, --config DIR  directory with greenroom.json and plugins.d; default:\n"
           "                    $GREENROOM_CONFIG, ./etc if it has a greenroom.json, or\n"
           "                    %s\n"
           "  -h, --help        print this\n"
           "      --version     print versions\n\n"
           "commands:\n",
           placed ? place : "/etc/greenroom");
    for (command = grc_commands; command->name; command++)
        printf("  %s%s%s\n      %s\n", command->name, command->usage[0] ? " " : "", command->usage,
               command->summary);
    grc_plugin_commands_print(cli);
    printf("\nexit status:\n"
           "  0  done\n"
           "  1  failed while running\n"
           "  2  called the wrong way\n"
           "  3  the config or a plugin is wrong\n"
           "  4  cannot listen\n");
}

/* One command's own page; false: there is no such command of the host. */
static bool print_command_help(const char *name)
{
    const struct grc_command *command = grc_commands;

    while (command->name && strcmp(command->name, name) != 0)
        command++;
    if (!command->name)
        return false;
    printf("usage: greenroom [-c DIR] %s%s%s\n\n%s.\n", command->name, command->usage[0] ? " " : "",
           command->usage, command->summary);
    return true;
}

static void print_version(void)
{
    printf("greenroom %s (plugin ABI %u.%u)\n", GR_VERSION, GR_ABI_MAJOR, GR_ABI_MINOR);
    printf("civetweb %s\n%s\n%s\njansson %s\n", grc_http_library(), grc_upstreams_library(),
           grc_jwt_library(), jansson_version_str());
}

/* --- what stands before the command --- */

struct globals {
    const char *config_dir;
    bool help;
    bool version;
};

/* -c DIR, -cDIR, --config DIR, --config=DIR. Returns how many words it took; -1: DIR is missing. */
static int take_config(struct globals *globals, char **argv)
{
    const char *word = argv[0];
    const char *value = NULL;

    if (strcmp(word, "-c") == 0 || strcmp(word, "--config") == 0)
        value = argv[1];
    else if (strncmp(word, "--config=", 9) == 0)
        value = word + 9;
    else if (strncmp(word, "-c", 2) == 0)
        value = word + 2;
    else
        return 0;
    if (!value || !value[0])
        return -1;
    globals->config_dir = value;
    return value == argv[1] ? 2 : 1;
}

/* Takes the words that every command understands out of argv, up to a "--". */
static bool take_globals(struct globals *globals, int *argc, char **argv)
{
    int kept = 1;
    int i = 1;

    while (i < *argc && strcmp(argv[i], "--") != 0) {
        int taken = take_config(globals, argv + i);

        if (taken < 0) {
            grc_complain("'%s' needs a directory", argv[i]);
            return false;
        }
        if (taken == 0 && (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0))
            globals->help = true;
        else if (taken == 0 && kept == 1 && strcmp(argv[i], "--version") == 0)
            globals->version = true;
        else if (taken == 0)
            argv[kept++] = argv[i];
        i += taken ? taken : 1;
    }
    while (i < *argc)
        argv[kept++] = argv[i++];
    argv[kept] = NULL;
    *argc = kept;
    return true;
}

/* May use the buffer, which lasts as long as the result is used. */
static const char *default_config_dir(char *buffer, size_t size)
{
    const char *dir = getenv("GREENROOM_CONFIG");

    if (dir && dir[0])
        return dir;
    if (access("etc/greenroom.json", F_OK) == 0)
        return "etc";
    return grc_place(GRC_PLACE_CONFIG, buffer, size) ? buffer : "/etc/greenroom";
}

/* --- dispatch --- */

/* The word is of the command, or looks like a flag. */
static bool own_word(const struct grc_command *command, const char *word)
{
    size_t i;

    if (!command->words || !word || word[0] == '-')
        return true;
    for (i = 0; command->words[i]; i++) {
        if (strcmp(command->words[i], word) == 0)
            return true;
    }
    return false;
}

static int run_unknown(const struct grc_cli *cli, int argc, char **argv)
{
    const char *names[COMMANDS_MAX] = {NULL};
    int status = GRC_EXIT_USAGE;
    size_t i;

    for (i = 0; grc_commands[i].name && i + 1 < COMMANDS_MAX; i++)
        names[i] = grc_commands[i].name;
    const char *near = grc_name_near(argv[0], names);
    if (!near && grc_plugin_command(cli, argc, argv, &status))
        return status;
    if (near)
        grc_complain("'%s' is not a command, did you mean '%s'?", argv[0], near);
    else
        grc_complain("'%s' is not a command of greenroom or of a plugin; see greenroom --help",
                     argv[0]);
    return status;
}

static int dispatch(struct grc_cli *cli, int argc, char **argv)
{
    const struct grc_command *command = grc_commands;
    int status;

    if (argc == 0) {
        static char run[] = "run";
        char *words[] = {run, NULL};

        return dispatch(cli, 1, words);
    }
    while (command->name && strcmp(command->name, argv[0]) != 0)
        command++;
    if (!command->name)
        return run_unknown(cli, argc, argv);
    cli->command = command;
    if (!own_word(command, argv[1]) && grc_plugin_command(cli, argc, argv, &status))
        return status;
    return command->run(cli, argc, argv);
}

/* DIR/environment is what the unit gives to the service; the commands see the same. */
static bool read_environment(const struct grc_cli *cli)
{
    char *file = grc_path_join(cli->config_dir, "environment");
    const char *reason = "out of memory";
    bool fine = file && grc_env_read_file(file, &reason);

    if (!fine)
        grc_complain("%s/environment: %s", cli->config_dir, reason);
    free(file);
    return fine;
}

int grc_cli_main(int argc, char **argv)
{
    struct globals globals = {.config_dir = NULL};
    char place[PATH_MAX];
    int status;

    grc_json_memory_init();
    json_object_seed(0); /* before there are threads */
    if (!take_globals(&globals, &argc, argv))
        return GRC_EXIT_USAGE;
    struct grc_cli cli = {.config_dir = globals.config_dir
                                            ? globals.config_dir
                                            : default_config_dir(place, sizeof(place))};
    if (globals.version || globals.help) {
        if (globals.version)
            print_version();
        else if (argc < 2 || !print_command_help(argv[1]))
            print_help(&cli);
        return grc_print_done(GRC_EXIT_OK);
    }
    if (!read_environment(&cli))
        return GRC_EXIT_CONFIG;
    status = dispatch(&cli, argc - 1, argv + 1);
    grc_env_done();
    return status;
}
