/*
 * The command line: one row per command. Results go to standard output, everything else to standard
 * error. Nothing printed holds a secret, but for `greenroom token` and `greenroom keys add`, whose
 * result is one.
 */
#pragma once

#include "base/buf.h"
#include "base/exit.h"
#include "config/settings.h"

struct grc_command;

/* What holds for every command. */
struct grc_cli {
    const char *config_dir;
    const struct grc_command *const *commands; /* all, in the order of the help; NULL ends them */
    const struct grc_command *command;         /* the one that runs; NULL: one of a plugin */
    const struct grc_command *parent;          /* what it is a part of, or NULL */
};

/* args is the struct that the command's flags were read into; words is what else was said after the
 * command's name, count of them, and ends with NULL. Returns the exit status. */
typedef int grc_command_fn(const struct grc_cli *cli, const void *args, int count, char **words);

#define GRC_REPEAT_MAX 64u

/* The values of a flag that may be given several times; the last is NULL. */
struct grc_texts {
    const char *list[GRC_REPEAT_MAX + 1];
    size_t count;
};

enum grc_flag_type {
    GRC_FLAG_SWITCH = 1, /* bool */
    GRC_FLAG_TEXT,       /* const char *; the last one counts */
    GRC_FLAG_TEXTS,      /* struct grc_texts */
};

/* One flag: "--json", or with a value "--room ID" and "--room=ID". Rows end with a row without
 * name. */
struct grc_flag {
    const char *name;
    enum grc_flag_type type;
    size_t offset;     /* in the struct that the command has for its flags */
    const char *value; /* what stands for the value in the help; NULL for a switch */
    const char *doc;
    const char *letter;        /* "-d" means the same; NULL */
    const char *const *values; /* all that it may be, for completion; NULL */
};
#define GRC_SWITCH(struct_, name_, member_, doc_)                                                  \
    {                                                                                              \
        .name = (name_), .type = GRC_FLAG_SWITCH, .offset = offsetof(struct struct_, member_),     \
        .doc = (doc_)                                                                              \
    }
#define GRC_TEXT(struct_, name_, member_, value_, doc_, ...)                                       \
    {                                                                                              \
        .name = (name_), .type = GRC_FLAG_TEXT, .offset = offsetof(struct struct_, member_),       \
        .value = (value_), .doc = (doc_), __VA_ARGS__                                              \
    }
#define GRC_TEXTS(struct_, name_, member_, value_, doc_, ...)                                      \
    {                                                                                              \
        .name = (name_), .type = GRC_FLAG_TEXTS, .offset = offsetof(struct struct_, member_),      \
        .value = (value_), .doc = (doc_), __VA_ARGS__                                              \
    }
#define GRC_FLAG_END                                                                               \
    {                                                                                              \
        0                                                                                          \
    }

/* One command. Its help, its man page and its completion are made from this. Rows of subs end with
 * a row without name. */
struct grc_command {
    const char *name;
    const char *words;   /* what follows the flags: "METHOD PATH"; NULL: nothing */
    const char *summary; /* one line, without a full stop */
    const char *detail;  /* what else its help says, in sentences; NULL */
    const struct grc_flag *flags;
    const struct grc_command *subs; /* "keys" has "add", "list" …; then it has no run itself */
    size_t args_size;               /* of the struct for the flags */
    int words_min;
    int words_max; /* -1: any number */
    grc_command_fn *run;
    const char *names; /* what its words may be, for completion: a command whose table lists them */
    int names_column;  /* in which column of that table, from 1 */
    bool usual;        /* of subs: the one that is meant where none is named */
    bool hidden;       /* not shown */
};

/* The row of that name in subs, or NULL. */
const struct grc_command *grc_command_sub(const struct grc_command *subs, const char *name);

/* One exit status and what it means; the last has no text. */
struct grc_exit_row {
    enum grc_exit status;
    const char *doc;
};
extern const struct grc_exit_row grc_exit_rows[];

/* The whole program. Returns the exit status. */
int grc_cli_main(int argc, char **argv);

/* Takes the flags out of words and reads them into args; the rest stays in order. false: said what
 * is wrong. */
bool grc_flags_take(const struct grc_flag *flags, void *args, int *count, char **words);
/* Says how the command that runs is used and returns GRC_EXIT_USAGE. problem may be NULL. */
int grc_usage_error(const struct grc_cli *cli, const char *problem);
/* The flags that every command understands, for documents; they are taken by grc_cli_main(). */
extern const struct grc_flag grc_global_flags[];

/* " [--json] [-H HEADER]… METHOD PATH": all that may follow the name of a command. */
enum gr_err grc_help_usage(struct grc_buf *buf, const struct grc_command *command);
/* Prints the page of one command; parent may be NULL. */
void grc_help_command(const struct grc_command *parent, const struct grc_command *command);
/* Prints the page of the program. */
void grc_help_program(const struct grc_cli *cli);

/* A grc_report_fn that prints the line to standard error. */
void grc_cli_report(void *arg, const char *line);
/* The answer of the gateway that runs with this config, to a word and perhaps details. Of the
 * config only the place of its socket is needed: the rest may be wrong, which is for the gateway to
 * say. New reference; NULL with a reason (malloc'ed). */
json_t *grc_cli_ask(const struct grc_cli *cli, const char *word, const json_t *details,
                    char **ret_reason);
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
/* On a terminal, the last column is cut at its edge. */
void grc_table_print(const struct grc_table *table);
void grc_table_done(struct grc_table *table);

/* Runs the plugin command that argv starts with (one or two words). false: no plugin has it, and
 * nothing was said; ret_status is untouched. */
bool grc_plugin_command(const struct grc_cli *cli, int argc, char **argv, int *ret_status);
/* Prints the commands of the plugins, silently none when the config is wrong. */
void grc_plugin_commands_print(const struct grc_cli *cli);
/* Prints the page of a plugin's command, whose words are these. false: no plugin has it. */
bool grc_plugin_command_help(const struct grc_cli *cli, int argc, char **argv);

/* Says which of these scopes (the last is NULL) no route of this config wants: most often a slip of
 * the pen. Says nothing where the groups cannot be loaded. */
void grc_routes_warn_unknown_scopes(const struct grc_cli *cli, const char *const *scopes);

/* greenroom plugin inspect: says what a plugin's file is, whether it can be loaded or not. */
int grc_plugin_inspect(const char *file, bool json);
/* greenroom plugin test: runs a file of contract cases against a plugin. */
int grc_plugin_test(const char *file, const char *cases);

extern const struct grc_command grc_command_audit;
extern const struct grc_command grc_command_call;
extern const struct grc_command grc_command_check;
extern const struct grc_command grc_command_config;
extern const struct grc_command grc_command_dev;
extern const struct grc_command grc_command_doc;
extern const struct grc_command grc_command_explain;
extern const struct grc_command grc_command_health;
extern const struct grc_command grc_command_keys;
extern const struct grc_command grc_command_openapi;
extern const struct grc_command grc_command_plugin;
extern const struct grc_command grc_command_plugins;
extern const struct grc_command grc_command_reload;
extern const struct grc_command grc_command_routes;
extern const struct grc_command grc_command_run;
extern const struct grc_command grc_command_status;
extern const struct grc_command grc_command_token;
