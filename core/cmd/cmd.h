/*
 * The command line: one row per command. Results go to standard output, everything else to standard
 * error. Nothing printed holds a secret, but for `greenroom token` and `greenroom keys add`, whose
 * result is one.
 */
#pragma once

#include "base/exit.h"
#include "config/settings.h"

struct grc_command;

/* What holds for every command. */
struct grc_cli {
    const char *config_dir;
    const struct grc_command *command; /* the one that runs; NULL: one of a plugin */
};

/* argv[0] is the command's name; argv ends with NULL. Returns the exit status. */
typedef int grc_command_fn(const struct grc_cli *cli, int argc, char **argv);

/* One command. Rows end with a row without name. */
struct grc_command {
    const char *name;
    const char *usage; /* what follows the name */
    const char *summary;
    grc_command_fn *run;
    const char *const *words; /* second words that are its own; others may belong to a plugin */
};

extern const struct grc_command grc_commands[];

/* The whole program. Returns the exit status. */
int grc_cli_main(int argc, char **argv);

/* One flag of a command: "--json" sets on, "--room VALUE" or "--room=VALUE" sets value. Rows end
 * with a row without name. */
struct grc_flag {
    const char *name;
    bool *on;
    const char **value;
};
/* Takes the flags out of argv (after argv[0]) and leaves the rest in order. false: said what is
 * wrong. */
bool grc_flags_take(const struct grc_flag *flags, int *argc, char **argv);
/* Says how the command that runs is used; returns GRC_EXIT_USAGE. problem may be NULL. */
int grc_usage_error(const struct grc_cli *cli, const char *problem);

/* A grc_report_fn that prints the line to standard error. */
void grc_cli_report(void *arg, const char *line);
/* Prints a value, indented, with a newline. Steals it. Returns the exit status. */
int grc_print_json(json_t *stolen);
/* A line for people on standard error: "greenroom: …". */
void grc_complain(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Flushes standard output; GRC_EXIT_FAILED when what was printed did not get out. */
int grc_print_done(int status);

/* A table of texts in columns, as wide as they need to be. */
struct grc_table {
    const char *(*cells)[8];
    size_t rows;
    size_t cap;
    size_t columns;
};
/* Adds a row; texts are borrowed. false without memory. */
bool grc_table_add(struct grc_table *table, const char *const *cells);
void grc_table_print(const struct grc_table *table);
void grc_table_done(struct grc_table *table);

/* Runs the plugin command that argv starts with (one or two words). false: no plugin has it, and
 * nothing was said; ret_status is untouched. */
bool grc_plugin_command(const struct grc_cli *cli, int argc, char **argv, int *ret_status);
/* Prints the commands of the plugins, silently none when the config is wrong. */
void grc_plugin_commands_print(const struct grc_cli *cli);

/* Says which of these scopes (the last is NULL) no route of this config wants: most often a slip of
 * the pen. Says nothing where the groups cannot be loaded. */
void grc_routes_warn_unknown_scopes(const struct grc_cli *cli, const char *const *scopes);

int grc_cmd_check(const struct grc_cli *cli, int argc, char **argv);
int grc_cmd_config(const struct grc_cli *cli, int argc, char **argv);
int grc_cmd_keys(const struct grc_cli *cli, int argc, char **argv);
int grc_cmd_openapi(const struct grc_cli *cli, int argc, char **argv);
int grc_cmd_plugins(const struct grc_cli *cli, int argc, char **argv);
int grc_cmd_routes(const struct grc_cli *cli, int argc, char **argv);
int grc_cmd_dev(const struct grc_cli *cli, int argc, char **argv);
int grc_cmd_health(const struct grc_cli *cli, int argc, char **argv);
int grc_cmd_reload(const struct grc_cli *cli, int argc, char **argv);
int grc_cmd_run(const struct grc_cli *cli, int argc, char **argv);
int grc_cmd_status(const struct grc_cli *cli, int argc, char **argv);
int grc_cmd_token(const struct grc_cli *cli, int argc, char **argv);
