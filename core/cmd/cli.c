#include "base/file.h"
#include "base/memory.h"
#include "base/near.h"
#include "base/place.h"
#include "cmd/cmd.h"
#include "config/env.h"
#include "config/setting.h"
#include "http/http.h"
#include "isolation/process.h"
#include "server/isolated.h"
#include "token/jwt.h"
#include "upstream/upstream.h"

#include <greenroom/version.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define COMMANDS_MAX 32

static const struct grc_command *const commands[] = {
    &grc_command_run,
    &grc_command_check,
    &grc_command_audit,
    &grc_command_dev,
    &grc_command_status,
    &grc_command_health,
    &grc_command_reload,
    &grc_command_explain,
    &grc_command_call,
    &grc_command_routes,
    &grc_command_plugins,
    &grc_command_plugin,
    &grc_command_keys,
    &grc_command_token,
    &grc_command_store,
    &grc_command_config,
    &grc_command_openapi,
    &grc_command_doc,
    NULL,
};

static const struct grc_command *find(const char *name)
{
    size_t i = 0;

    while (commands[i] && strcmp(commands[i]->name, name) != 0)
        i++;
    return commands[i];
}

const struct grc_command *grc_command_sub(const struct grc_command *subs, const char *name)
{
    while (subs->name && strcmp(subs->name, name) != 0)
        subs++;
    return subs->name ? subs : NULL;
}

static void print_version(void)
{
    char reason[GRC_LIBRARY_REASON];

    if (!grc_upstreams_load_library(reason))
        grc_complain("libcurl cannot be loaded: %s", reason);
    printf("greenroom %s (plugin ABI %u.%u)\n", GR_VERSION, GR_ABI_MAJOR, GR_ABI_MINOR);
    printf("civetweb %s\n%s\n%s\njansson %s\n", grc_http_library(),
           grc_upstreams_library() ? grc_upstreams_library() : "libcurl: none", grc_jwt_library(),
           jansson_version_str());
}

/* --- global flags --- */

struct globals {
    const char *config_dir;
    bool help;
    bool version;
};

/* Reads -c DIR, -cDIR, --config DIR or --config=DIR. Returns the number of words, or -1 when DIR is
 * missing. */
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

/* Reads the global flags in argv up to "--" and removes them. */
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

/* The result may be in the buffer. */
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

static int run_unknown(const struct grc_cli *cli, int argc, char **argv)
{
    const char *names[COMMANDS_MAX] = {NULL};
    int status = GRC_EXIT_USAGE;
    size_t i;

    for (i = 0; commands[i] && i + 3 < COMMANDS_MAX; i++)
        names[i] = commands[i]->name;
    names[i++] = "--help";
    names[i] = "--version";
    const char *near = strcmp(argv[0], "help") == 0 ? "--help"
                       : strcmp(argv[0], "-v") == 0 || strcmp(argv[0], "-V") == 0
                           ? "--version"
                           : grc_name_near(argv[0], names);
    if (!near && grc_plugin_command(cli, argc, argv, &status))
        return status;
    if (near)
        grc_complain("'%s' is not a command, did you mean '%s'?", argv[0], near);
    else
        grc_complain("'%s' is not a command of greenroom or of a plugin; see greenroom --help",
                     argv[0]);
    return status;
}

/* Returns how many words a command takes at most; *ret_least gets how many it needs. */
static int words_of(const char *usage, int *ret_least)
{
    int most = 0;

    *ret_least = 0;
    for (const char *at = usage; at && *at; at += strspn(at, " ")) {
        most++;
        *ret_least += *at != '[';
        at += strcspn(at, " ");
    }
    return usage && strstr(usage, "…") ? INT_MAX : most;
}

static void complain_words(const struct grc_cli *cli, const char *before, const char *words,
                           const char *after)
{
    char problem[256];

    snprintf(problem, sizeof(problem), "%s%.160s%s", before, words, after);
    grc_usage_error(cli, problem);
}

/* words[0] is the name of the command. */
static int run_command(const struct grc_cli *cli, int count, char **words)
{
    const struct grc_command *command = cli->command;
    void *args = calloc(1, command->args_size ? command->args_size : 1);
    int status = GRC_EXIT_USAGE;
    int least = 0;
    const int most = words_of(command->words, &least);

    count--;
    words++;
    if (!args)
        grc_complain("out of memory");
    else if (!grc_flags_take(command->flags, args, &count, words))
        grc_usage_error(cli, NULL);
    else if (count < least)
        complain_words(cli, "expected ", command->words, "");
    else if (count > most)
        complain_words(cli, "unexpected '", words[most], "'");
    else
        status = command->run(cli, args, count, words);
    free(args);
    return status;
}

/* Returns the part of a command with that name, or the default one, or NULL. */
static const struct grc_command *choose_sub(const struct grc_command *command, const char *word)
{
    const struct grc_command *sub = command->subs;

    if (word && word[0] != '-')
        return grc_command_sub(command->subs, word);
    while (sub->name && !sub->usual)
        sub++;
    return sub->name ? sub : NULL;
}

static int unknown_sub(const struct grc_cli *cli)
{
    const struct grc_command *sub = cli->command->subs;
    struct grc_buf expected;

    grc_buf_init(&expected, 1024);
    (void)grc_buf_text(&expected, "expected ");
    for (; sub->name; sub++)
        (void)grc_buf_format(&expected, "'%s'%s", sub->name,
                             !sub[1].name  ? ""
                             : sub[2].name ? ", "
                                           : " or ");
    grc_usage_error(cli, expected.ptr);
    grc_buf_done(&expected);
    return GRC_EXIT_USAGE;
}

static int dispatch(struct grc_cli *cli, int argc, char **argv)
{
    int status;

    if (argc == 0) {
        static char run[] = "run";
        char *words[] = {run, NULL};

        cli->command = &grc_command_run;
        return run_command(cli, 1, words);
    }
    cli->command = find(argv[0]);
    if (!cli->command)
        return run_unknown(cli, argc, argv);
    if (!cli->command->subs)
        return run_command(cli, argc, argv);
    const struct grc_command *sub = choose_sub(cli->command, argv[1]);
    if (!sub && argv[1] && grc_plugin_command(cli, argc, argv, &status))
        return status;
    if (!sub)
        return unknown_sub(cli);
    cli->parent = cli->command;
    cli->command = sub;
    return argv[1] && argv[1][0] != '-' ? run_command(cli, argc - 1, argv + 1)
                                        : run_command(cli, argc, argv);
}

static void print_help(const struct grc_cli *cli, int count, char **words)
{
    const struct grc_command *command = count > 0 ? find(words[0]) : NULL;
    const struct grc_command *sub =
        command && command->subs && count > 1 ? grc_command_sub(command->subs, words[1]) : NULL;

    if (sub)
        grc_help_command(command, sub);
    else if (count > 0 && (!command || count > 1) && grc_plugin_command_help(cli, count, words))
        return;
    else if (command)
        grc_help_command(NULL, command);
    else
        grc_help_program(cli);
}

/* The systemd unit gives the variables in DIR/environment to the service; commands need them too.
 */
static bool read_environment(const struct grc_cli *cli)
{
    char *file = grc_path_join(cli->config_dir, "environment");
    const char *reason = "out of memory";
    size_t line = 0;
    bool fine = file && grc_env_read_file(file, &line, &reason);

    if (!fine && line > 0)
        grc_complain("%s/environment:%zu: %s", cli->config_dir, line, reason);
    else if (!fine)
        grc_complain("%s/environment: %s", cli->config_dir, reason);
    free(file);
    return fine;
}

/* Many programs take the file. Returns false after complaining. */
static bool is_directory(const char *config)
{
    const char *slash = strrchr(config, '/');
    struct stat info;

    if (stat(config, &info) != 0 || S_ISDIR(info.st_mode))
        return true;
    grc_complain("'%s' is a file, expected the directory that it is in: -c %.*s", config,
                 slash > config ? (int)(slash - config) : 1, slash ? config : ".");
    return false;
}

int grc_cli_main(int argc, char **argv)
{
    struct globals globals = {.config_dir = NULL};
    char place[PATH_MAX];
    int status;

    grc_memory_init();
    json_object_seed(0); /* before there are threads */
    if (argc == 3 && strcmp(argv[1], GRC_ISOLATED_COMMAND) == 0)
        return grc_run_isolated();
    if (!take_globals(&globals, &argc, argv))
        return GRC_EXIT_USAGE;
    struct grc_cli cli = {.commands = commands,
                          .config_dir = globals.config_dir
                                            ? globals.config_dir
                                            : default_config_dir(place, sizeof(place))};
    if (globals.version || globals.help) {
        if (globals.version)
            print_version();
        else
            print_help(&cli, argc - 1, argv + 1);
        return grc_print_done(GRC_EXIT_OK);
    }
    if (!is_directory(cli.config_dir))
        return GRC_EXIT_USAGE;
    if (!read_environment(&cli))
        return GRC_EXIT_CONFIG;
    status = dispatch(&cli, argc - 1, argv + 1);
    grc_env_done();
    return status;
}
