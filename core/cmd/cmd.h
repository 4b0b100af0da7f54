/*
 * The command line, with one row per command. Results go to standard output, everything else to
 * standard error. Output has no secrets, except for `greenroom token`, `keys add` and `dev`,
 * whose result is a secret.
 */
#pragma once

#include "base/buf.h"
#include "base/exit.h"
#include "config/settings.h"

struct grc_command;

/* The context of a command. */
struct grc_cli {
    const char *config_dir;
    const struct grc_command *const *commands; /* all, in the order of the help; ends with NULL */
    const struct grc_command *command;         /* the running command; NULL: one of a plugin */
    const struct grc_command *parent;          /* the command that it is a part of, or NULL */
};

/* Runs a command. args is the struct with the values of its flags; words are the other count words
 * after the command's name, and end with NULL. Returns the exit status. */
typedef int grc_command_fn(const struct grc_cli *cli, const void *args, int count, char **words);

#define GRC_REPEAT_MAX 64u

/* The values of a flag that may be given several times; ends with NULL. */
struct grc_texts {
    const char *list[GRC_REPEAT_MAX + 1];
    size_t count;
};

enum grc_flag_type {
    GRC_FLAG_SWITCH = 1, /* bool */
    GRC_FLAG_TEXT,       /* const char *; the last value is used */
    GRC_FLAG_TEXTS,      /* struct grc_texts */
};

/* The words that completion offers at one place of the command line. */
struct grc_choices {
    const char *const *values; /* the words; NULL: those that command prints */
    const char *command;       /* prints a table with names; NULL, and no values: names of files */
    int column;                /* of that table, from 1 */
    int segment;               /* which segment of names with dots, from 1; 0: the whole name */
};
extern const struct grc_choices grc_choices_files;
extern const struct grc_choices grc_choices_groups;
extern const struct grc_choices grc_choices_keys;
extern const struct grc_choices grc_choices_methods;
extern const struct grc_choices grc_choices_operations;
extern const struct grc_choices grc_choices_paths;
extern const struct grc_choices grc_choices_scopes;
extern const struct grc_choices grc_choices_settings;
extern const struct grc_choices grc_choices_upstreams;

/* One flag: "--json", or with a value "--room ID" and "--room=ID". Rows end with a row without a
 * name. */
struct grc_flag {
    const char *name;
    enum grc_flag_type type;
    size_t offset;     /* in the command's struct for flags */
    const char *value; /* name of the value in the help; NULL for a switch */
    const char *doc;
    const char *letter;                /* short form such as "-d", or NULL */
    const struct grc_choices *choices; /* possible values, for completion, or NULL */
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

/* How many words after a command's flags completion knows. */
#define GRC_WORDS_COMPLETED 2u

/* One command. Its help, its man page and its completion are made from this row. Rows of subs end
 * with a row without a name. */
struct grc_command {
    const char *name;
    /* The words after the flags, one for each that is needed: "METHOD PATH". One in brackets may be
     * left out, and after an ellipsis any number may follow. NULL: none. */
    const char *words;
    const char *summary; /* one line, without a full stop */
    const char *detail;  /* further help, in sentences, or NULL */
    const struct grc_flag *flags;
    const struct grc_command *subs; /* "keys" has "add", "list" …, and no run function */
    size_t args_size;               /* size of the struct for the flags */
    grc_command_fn *run;
    const struct grc_choices *choices[GRC_WORDS_COMPLETED]; /* the words, for completion */
    bool usual;                                             /* the default among subs */
    bool hidden;                                            /* not shown in the help */
};

/* The row of that name in subs, or NULL. */
const struct grc_command *grc_command_sub(const struct grc_command *subs, const char *name);

/* An exit status and its meaning; the last row has no text. */
struct grc_exit_row {
    enum grc_exit status;
    const char *doc;
};
extern const struct grc_exit_row grc_exit_rows[];

/* The whole program. Returns the exit status. */
int grc_cli_main(int argc, char **argv);

/* Reads the flags in words into args and removes them; the other words keep their order. Complains
 * and returns false if a flag is wrong. */
bool grc_flags_take(const struct grc_flag *flags, void *args, int *count, char **words);
/* Prints the usage of the running command and returns GRC_EXIT_USAGE. problem may be NULL. */
int grc_usage_error(const struct grc_cli *cli, const char *problem);
/* The flags of every command, for documents; grc_cli_main() reads them. */
extern const struct grc_flag grc_global_flags[];

/* Appends what may follow the name of a command: " [--json] [-H HEADER]… METHOD PATH". */
enum gr_err grc_help_usage(struct grc_buf *buf, const struct grc_command *command);
/* Prints the help of one command; parent may be NULL. */
void grc_help_command(const struct grc_command *parent, const struct grc_command *command);
/* Prints the help of the program. */
void grc_help_program(const struct grc_cli *cli);

/* For commands that print something themselves: has the log print plain lines of this level and
 * above. lenient: variables of the environment that the config names may be missing. */
void grc_cli_quiet(enum gr_log_level level, bool lenient);
/* The config, for commands that need no credentials of it. As grc_settings_load(); report may be
 * NULL. */
struct grc_settings *grc_cli_settings(const struct grc_cli *cli, grc_report_fn *report);
/* A grc_report_fn that prints the line to standard error. */
void grc_cli_report(void *arg, const char *line);
/* Asks the gateway that runs with this config. details may be NULL. Reads only the path of the
 * socket from the config; the rest may be wrong. Returns a new reference; NULL with a reason
 * (malloc'ed). */
json_t *grc_cli_ask(const struct grc_cli *cli, const char *word, const json_t *details,
                    char **ret_reason);
/* Prints a value, indented, with a newline. Steals it. Returns the exit status. */
int grc_print_json(json_t *stolen);
/* Prints a message to standard error, after "greenroom: ". */
void grc_complain(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Flushes standard output. Returns status, or GRC_EXIT_FAILED if the output could not be written.
 */
int grc_print_done(int status);

/* A table of texts in columns. */
struct grc_table {
    const char *(*cells)[8];
    size_t rows;
    size_t cap;
    size_t columns;
};
/* Adds a row; texts are borrowed. false without memory. */
bool grc_table_add(struct grc_table *table, const char *const *cells);
/* Truncates the last column at the width of a terminal. */
void grc_table_print(const struct grc_table *table);
void grc_table_done(struct grc_table *table);
/* Prints the table if it is complete, or complains about memory, and frees it. Returns the status
 * to exit with. */
int grc_table_finish(struct grc_table *table, bool complete);

/* Runs the command of a plugin that argv begins with (one or two words). Returns false, without
 * output, if no plugin has it. */
bool grc_plugin_command(const struct grc_cli *cli, int argc, char **argv, int *ret_status);
/* Prints the commands of the plugins; nothing if the config is wrong. */
void grc_plugin_commands_print(const struct grc_cli *cli);
/* Prints the help of the command of a plugin that argv begins with. false: no plugin has it. */
bool grc_plugin_command_help(const struct grc_cli *cli, int argc, char **argv);

/* Warns about each of these scopes (ends with NULL) that no route of this config needs, most often
 * a typing error. Prints nothing if the groups cannot be loaded. */
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
extern const struct grc_command grc_command_store;
extern const struct grc_command grc_command_token;
