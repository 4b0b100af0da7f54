/* Man pages, in the macros of man(7). */
#include "cmd/audit.h"
#include "cmd/pages.h"
#include "config/setting.h"

#include <ctype.h>
#include <greenroom/version.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define TEXT_MAX_BYTES 4096u
#define WIDTH 78 /* of a line of the source */

/* --- text --- */

/* Prints one word, which roff must take as it is. */
static void print_word(const char *word, size_t len, bool begins_line)
{
    if (begins_line && (*word == '.' || *word == '\''))
        fputs("\\&", stdout);
    for (size_t i = 0; i < len; i++) {
        if (word[i] == '\\' || word[i] == '-')
            fputs(word[i] == '-' ? "\\-" : "\\e", stdout);
        else
            putchar(word[i]);
    }
}

/* The length of a word in the page's source, where a character outside ASCII is \[uXXXX]. */
static size_t word_width(const char *word, size_t len)
{
    size_t width = len;

    for (size_t i = 0; i < len; i++)
        width += word[i] == '-' || word[i] == '\\' ? 1 : (word[i] & 0xc0) == 0xc0 ? 7 : 0;
    return width;
}

/* Prints a text on one line of the source. */
static void print_text(const char *text)
{
    print_word(text, strlen(text), true);
}

static bool ends_sentence(const char *word, size_t len)
{
    return len > 1 && strchr(".!?", word[len - 1]) && !isdigit((unsigned char)word[len - 2]);
}

/* Writes a paragraph and a newline. Each sentence begins a line of the source, and lines are short,
 * as the conventions of man pages ask for. */
static void print_line(const char *text)
{
    size_t column = 0;

    while (*text) {
        size_t len = strcspn(text, " \n");
        size_t width = word_width(text, len);

        if (column > 0 && column + 1 + width > WIDTH) {
            putchar('\n');
            column = 0;
        } else if (column > 0) {
            putchar(' ');
            column++;
        }
        print_word(text, len, column == 0);
        column += width;
        if (ends_sentence(text, len) && text[len]) {
            putchar('\n');
            column = 0;
        }
        text += len;
        text += *text != '\0';
    }
    if (column > 0)
        putchar('\n');
}

/* Prints a text as a sentence, with a capital letter and a full stop. */
static void print_sentence(const char *text)
{
    size_t len = strlen(text);
    struct grc_buf buf;

    grc_buf_init(&buf, TEXT_MAX_BYTES);
    (void)grc_buf_format(&buf, "%c%s%s", toupper((unsigned char)text[0]), len > 0 ? text + 1 : "",
                         len > 0 && text[len - 1] == '.' ? "" : ".");
    print_line(buf.ptr ? buf.ptr : text);
    grc_buf_done(&buf);
}

static void print_bold(const char *text)
{
    fputs("\\fB", stdout);
    print_text(text);
    fputs("\\fR", stdout);
}

static void print_item(const char *tag, const char *text)
{
    puts(".TP");
    print_bold(tag);
    putchar('\n');
    print_sentence(text);
}

/* Prints lines that roff must not fill. */
static void print_example(const char *const *lines)
{
    puts(".PP\n.nf\n.RS 4");
    for (; *lines; lines++) {
        print_text(*lines);
        putchar('\n');
    }
    puts(".RE\n.fi");
}

/* The day of the page: that of the source, if the build says so, else today. */
static void print_date(void)
{
    const char *epoch = getenv("SOURCE_DATE_EPOCH");
    time_t when = epoch && *epoch ? (time_t)strtoll(epoch, NULL, 10) : time(NULL);
    struct tm day;
    char text[16] = "";

    if (gmtime_r(&when, &day))
        (void)strftime(text, sizeof(text), "%Y-%m-%d", &day);
    fputs(text, stdout);
}

static void print_title(const char *name, int section, const char *what)
{
    puts(".\\\" Made by greenroom doc from the rows of the program.");
    fputs(".TH ", stdout);
    for (const char *at = name; *at; at++)
        putchar(toupper((unsigned char)*at));
    printf(" %d ", section);
    print_date();
    /* Options and keys must not be hyphenated, or they could not be searched for and copied. */
    printf(" \"greenroom %s\" \"Greenroom\"\n.nh\n.ad l\n.SH NAME\n", GR_VERSION);
    print_text(name);
    fputs(" \\- ", stdout);
    print_line(what);
}

/* --- greenroom(8) --- */

static void print_flags(const struct grc_flag *flags)
{
    for (; flags && flags->name; flags++) {
        puts(".TP");
        if (flags->letter) {
            print_bold(flags->letter);
            fputs(", ", stdout);
        }
        print_bold(flags->name);
        if (flags->value) {
            fputs(" \\fI", stdout);
            print_text(flags->value);
            fputs("\\fR", stdout);
        }
        putchar('\n');
        print_sentence(flags->doc);
    }
}

/* The heading of a command, and how it is called. */
static void print_usage(const struct grc_command *parent, const struct grc_command *command)
{
    struct grc_buf usage;
    struct grc_buf name;

    grc_buf_init(&usage, TEXT_MAX_BYTES);
    grc_buf_init(&name, TEXT_MAX_BYTES);
    if (!command->subs) /* the parts say it themselves */
        (void)grc_help_usage(&usage, command);
    (void)grc_buf_format(&name, "%s%s%s", parent ? parent->name : "", parent ? " " : "",
                         command->name);
    fputs(".SS ", stdout);
    print_line(name.ptr ? name.ptr : command->name);
    if (usage.ptr) {
        fputs("\\fBgreenroom ", stdout);
        print_text(name.ptr ? name.ptr : command->name);
        puts("\\fR");
        print_line(usage.ptr + 1);
        puts(".PP");
    }
    grc_buf_done(&usage);
    grc_buf_done(&name);
}

static void print_command(const struct grc_command *parent, const struct grc_command *command)
{
    print_usage(parent, command);
    print_sentence(command->summary);
    if (command->usual)
        printf("\\fBgreenroom %s\\fR alone does this, too.\n", parent->name);
    if (command->detail) {
        puts(".PP");
        print_line(command->detail);
    }
    print_flags(command->flags);
    for (const struct grc_command *sub = command->subs; sub && sub->name; sub++)
        print_command(command, sub);
}

/* A tag and what it means. */
struct item {
    const char *tag;
    const char *doc;
};

static void print_items(const char *heading, const struct item *items)
{
    printf(".SH %s\n", heading);
    for (; items->tag; items++)
        print_item(items->tag, items->doc);
}

static const struct item signals[] = {
    {"SIGTERM, SIGINT, SIGQUIT", "Stop: serve the requests that were sent, and exit with status 0 "
                                 "after server.drain_delay and server.drain_timeout at the latest"},
    {"SIGHUP", "Read config and plugins again, like greenroom reload. When there is a mistake in "
               "them, nothing changes and the log says so"},
    {"SIGUSR1", "Open log.file again, after it was moved away"},
    {NULL, NULL},
};

static const struct item files[] = {
    {"DIR/greenroom.json", "The config of the gateway; see greenroom.json(5)"},
    {"DIR/plugins.d/NAME.json", "The config of one group"},
    {"DIR/environment", "Lines NAME=value for variables that are not set; every command reads it"},
    {NULL, NULL},
};

static const struct item environment[] = {
    {"GREENROOM_CONFIG", "The directory with the config, if there is no -c"},
    {"GREENROOM_KEY", "The credential of greenroom call, if there is no --key"},
    {"NO_COLOR", "If it is set, the log has no colours on a terminal"},
    {NULL, NULL},
};

static const char *const examples[] = {
    "greenroom dev",
    "greenroom check && greenroom reload",
    "greenroom explain POST /rooms -d '{\"name\": \"first-room\"}'",
    "greenroom call rooms.create name=first-room",
    "greenroom keys add backend --scope 'rooms:*' --expires 90d",
    NULL,
};

static void print_audit_rules(void)
{
    puts(".SH RULES OF AUDIT");
    for (size_t i = 0; i < GRC_AUDIT_COUNT; i++) {
        puts(".TP");
        print_bold(grc_audit_rows[i].id);
        printf(" (%s)\n", grc_severity_name(grc_audit_rows[i].severity));
        print_sentence(grc_audit_rows[i].doc);
    }
}

void grc_man_greenroom(const struct grc_cli *cli)
{
    char number[16];

    print_title("greenroom", 8, "a plugin-based gateway in front of live video services");
    puts(".SH SYNOPSIS\n\\fBgreenroom\\fR [\\fB\\-c\\fR \\fIDIR\\fR] [\\fICOMMAND\\fR] "
         "[\\fIARGUMENTS\\fR]\n.SH DESCRIPTION");
    print_line("greenroom stands between an application and its live-video services: it "
               "authenticates callers, validates requests, and forwards valid ones. Each group of "
               "routes is a plugin. Without a command, greenroom runs the gateway. Results go to "
               "standard output, messages to standard error.");
    puts(".SH OPTIONS");
    print_flags(grc_global_flags);
    puts(".PP");
    print_line("Without -c the config is in $GREENROOM_CONFIG, in ./etc if that has a "
               "greenroom.json, or where it was installed, usually /etc/greenroom.");
    puts(".SH COMMANDS");
    print_line("Plugins may add commands; greenroom --help lists those of this config.");
    for (size_t i = 0; cli->commands[i]; i++) {
        if (!cli->commands[i]->hidden)
            print_command(NULL, cli->commands[i]);
    }
    print_audit_rules();
    puts(".SH EXIT STATUS");
    for (const struct grc_exit_row *row = grc_exit_rows; row->doc; row++) {
        snprintf(number, sizeof(number), "%d", (int)row->status);
        print_item(number, row->doc);
    }
    print_items("SIGNALS", signals);
    print_items("ENVIRONMENT", environment);
    puts(".PP");
    print_line("Further variables are those that the config names as ${NAME}, and those that "
               "greenroom.json(5) names.");
    print_items("FILES", files);
    puts(".SH EXAMPLES");
    print_line("The first of these needs no config of your own:");
    print_example(examples);
    puts(".SH SEE ALSO\n.BR greenroom.json (5),\n.BR greenroom\\-plugin (7)");
}

/* --- greenroom.json(5) --- */

static void print_setting(void *arg, const char *prefix, const struct grc_setting *key)
{
    char expected[512];

    (void)arg;
    grc_setting_expected(key, expected, sizeof(expected));
    puts(".TP");
    fputs("\\fB", stdout);
    print_text(prefix);
    print_text(key->name);
    fputs("\\fR (", stdout);
    print_text(expected);
    if (key->fallback) {
        fputs("; default: ", stdout);
        print_text(key->fallback[0] ? key->fallback : "empty");
    } else if (!key->optional) {
        fputs("; required", stdout);
    }
    puts(")");
    if (key->doc)
        print_sentence(key->doc);
    if (key->env) {
        fputs("The environment variable ", stdout);
        print_bold(key->env);
        puts(" overrides it.");
    }
}

static const char *const example_config[] = {
    "{",
    "  \"server\": {\"listen\": \"127.0.0.1:8080\"},",
    "  \"credentials\": {",
    "    \"100ms\": {\"access_key\": \"${APP_ACCESS_KEY}\", \"secret\": \"${APP_SECRET}\"}",
    "  },",
    "  \"upstreams\": {",
    "    \"api\": {\"url\": \"https://api.100ms.live/v2\", \"credential\": \"100ms\"}",
    "  },",
    "  \"auth\": {\"keys\": {}}",
    "}",
    NULL,
};

void grc_man_greenroom_json(const struct grc_cli *cli)
{
    (void)cli;
    print_title("greenroom.json", 5, "the config of greenroom");
    puts(".SH DESCRIPTION");
    print_line("greenroom reads its config from a directory: greenroom.json says how to serve, and "
               "each file of plugins.d is about one group of routes. Both are JSON, in which "
               "comments and a comma after the last member are allowed. A key may be left out "
               "unless it is required, and unknown keys are errors.");
    puts(".PP");
    print_line("In a string, ${NAME} and ${NAME:-default} stand for the value of an environment "
               "variable, and $$ for a dollar sign. A secret may be read from a file, with "
               "{\"file\": \"PATH\"}. Relative file names are relative to the directory of the "
               "config, that of an SQLite database to state_directory.");
    puts(".PP");
    print_line("NAME in a key below stands for a name of your choice. greenroom check finds "
               "mistakes, and greenroom config show prints the values in use.");
    puts(".SH EXAMPLE");
    print_line("A gateway for the 100ms Server API. With {\"library\": \"rooms.so\"} in "
               "plugins.d/rooms.json it serves the group rooms.");
    print_example(example_config);
    puts(".SH KEYS OF GREENROOM.JSON");
    grc_settings_visit(print_setting, NULL);
    puts(".SH KEYS OF PLUGINS.D/NAME.JSON");
    grc_plugin_file_visit(print_setting, NULL);
    puts(".SH SEE ALSO\n.BR greenroom (8),\n.BR greenroom\\-plugin (7)");
}

/* --- greenroom-plugin(7) --- */

static const struct {
    const char *name;
    int status;
    const char *doc;
} errors[] = {
#define ROW(name, number, status, slug, doc) {#name, status, doc},
    GR_ERR_LIST(ROW)
#undef ROW
};

void grc_man_plugin(const struct grc_cli *cli)
{
    (void)cli;
    print_title("greenroom-plugin", 7, "groups of routes as shared objects");
    puts(".SH SYNOPSIS\n\\fB#include <greenroom/plugin.h>\\fR\n.SH DESCRIPTION");
    print_line("A group of routes is a shared object that exports one symbol, gr_plugin_entry, "
               "which names its tables: routes, fields, options, commands, migrations. With these "
               "tables the gateway routes, authorises, validates, forwards, documents and measures "
               "requests. A plugin links against nothing of the gateway.");
    puts(".PP");
    printf("This gateway has version %u.%u of the plugin ABI.\n", GR_ABI_MAJOR, GR_ABI_MINOR);
    print_line("It loads plugins of the same major version and of no later minor version.");
    puts(".PP");
    print_line("greenroom-new-plugin NAME makes a directory with a plugin that builds. The headers "
               "greenroom/plugin.h and greenroom/host.h describe every row and every service; "
               "pkg-config --cflags greenroom prints where they are. greenroom plugin inspect FILE "
               "tells what is wrong with a plugin, and greenroom plugin test FILE CASES.json runs "
               "contract cases against it; see greenroom(8).");
    puts(".SH THE FILE OF A GROUP");
    print_line("DIR/plugins.d/NAME.json enables a group and has its options:");
    grc_plugin_file_visit(print_setting, NULL);
    puts(".SH ERRORS");
    print_line(
        "What a handler returns, and the status that a client then gets, unless the group sets "
        "another status:");
    for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
        puts(".TP");
        print_bold(errors[i].name);
        printf(" (%d)\n", errors[i].status);
        print_sentence(errors[i].doc);
    }
    puts(".SH SEE ALSO\n.BR greenroom (8),\n.BR greenroom.json (5)");
}
