/* Man pages, in the macros of man(7). */
#include "cmd/audit.h"
#include "cmd/pages.h"
#include "config/setting.h"

#include <greenroom/version.h>
#include <stdio.h>

#define TEXT_MAX_BYTES 4096u

/* --- text --- */

/* Writes the text as it is; characters that mean something to roff are escaped. */
static void print_text(const char *text)
{
    bool begins = true;

    for (; *text; text++) {
        if (begins && (*text == '.' || *text == '\''))
            fputs("\\&", stdout);
        if (*text == '\\')
            fputs("\\e", stdout);
        else if (*text == '-')
            fputs("\\-", stdout);
        else
            putchar(*text);
        begins = *text == '\n';
    }
}

static void print_line(const char *text)
{
    print_text(text);
    putchar('\n');
}

static void print_sentence(const char *text)
{
    size_t len = strlen(text);

    print_text(text);
    puts(len > 0 && text[len - 1] == '.' ? "" : ".");
}

static void print_bold(const char *text)
{
    fputs("\\fB", stdout);
    print_text(text);
    fputs("\\fR", stdout);
}

static void print_title(const char *name, int section, const char *what)
{
    printf(".\\\" Made by greenroom doc from the rows of the program.\n"
           ".TH %s %d \"\" \"greenroom %s\" \"Greenroom\"\n.SH NAME\n",
           name, section, GR_VERSION);
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
    print_bold(name.ptr ? name.ptr : command->name);
    print_line(usage.ptr ? usage.ptr : "");
    grc_buf_done(&usage);
    grc_buf_done(&name);
}

static void print_command(const struct grc_command *parent, const struct grc_command *command)
{
    fputs(".SS ", stdout);
    print_usage(parent, command);
    print_sentence(command->summary);
    if (command->usual)
        print_line("This is meant where no other part is named.");
    if (command->detail) {
        puts(".PP");
        print_line(command->detail);
    }
    print_flags(command->flags);
    for (const struct grc_command *sub = command->subs; sub && sub->name; sub++)
        print_command(command, sub);
}

static void print_item(const char *tag, const char *text)
{
    puts(".TP");
    print_bold(tag);
    putchar('\n');
    print_sentence(text);
}

void grc_man_greenroom(const struct grc_cli *cli)
{
    char number[16];

    print_title("greenroom", 8, "a plugin-based gateway in front of live video services");
    puts(".SH SYNOPSIS\n\\fBgreenroom\\fR [\\fB\\-c\\fR \\fIDIR\\fR] [\\fICOMMAND\\fR] "
         "[\\fIARGUMENTS\\fR]\n.SH DESCRIPTION");
    print_line("Without a command, greenroom runs the gateway. Results go to standard output, and "
               "what there is to say of them to standard error.");
    puts(".SH OPTIONS");
    print_flags(grc_global_flags);
    puts(".SH COMMANDS");
    print_line("Plugins may bring further commands; greenroom --help lists them.");
    for (size_t i = 0; cli->commands[i]; i++) {
        if (!cli->commands[i]->hidden)
            print_command(NULL, cli->commands[i]);
    }
    puts(".SH RULES OF AUDIT");
    for (size_t i = 0; i < GRC_AUDIT_COUNT; i++) {
        puts(".TP");
        print_bold(grc_audit_rows[i].id);
        printf(" (%s)\n", grc_severity_name(grc_audit_rows[i].severity));
        print_sentence(grc_audit_rows[i].doc);
    }
    puts(".SH EXIT STATUS");
    for (const struct grc_exit_row *row = grc_exit_rows; row->doc; row++) {
        snprintf(number, sizeof(number), "%d", (int)row->status);
        print_item(number, row->doc);
    }
    puts(".SH ENVIRONMENT");
    print_item("GREENROOM_CONFIG", "The directory with the config, where -c does not name one");
    print_item("GREENROOM_KEY", "The credential of greenroom call, where --key does not give one");
    print_line("Further variables are those that the config names.");
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

void grc_man_greenroom_json(const struct grc_cli *cli)
{
    (void)cli;
    print_title("greenroom.json", 5, "the config of greenroom");
    puts(".SH DESCRIPTION");
    print_line("A directory holds the config: greenroom.json says how to serve, each file of "
               "plugins.d one group. Both are JSON, in which comments and a comma after the last "
               "member are read. In a text, ${NAME} and ${NAME:-default} stand for the value of an "
               "environment variable and $$ for a dollar sign. A secret is also taken from a file, "
               "with {\"file\": \"PATH\"}. Paths are taken from the directory of the config.");
    puts(".PP");
    print_line(
        "NAME in a key stands for a name of yours. greenroom check finds mistakes, greenroom "
        "config show prints what is in force.");
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
    puts(".SH DESCRIPTION");
    print_line(
        "A group of routes is a shared object that exports one symbol, gr_plugin_entry, which "
        "names its tables: routes, fields, options, commands, migrations. The host routes, "
        "authorises, validates, forwards, documents and measures by them. A plugin links "
        "against nothing of the host.");
    puts(".PP");
    printf(
        "This host has version %u.%u of the plugin ABI. It loads plugins of the same major version "
        "and of no later minor version.\n",
        GR_ABI_MAJOR, GR_ABI_MINOR);
    puts(".PP");
    print_line("greenroom-new-plugin NAME makes a directory with a plugin that builds. The headers "
               "greenroom/plugin.h and greenroom/host.h describe every row and every service.");
    puts(".SH THE FILE OF A GROUP");
    print_line("DIR/plugins.d/NAME.json switches a group on and sets it up:");
    grc_plugin_file_visit(print_setting, NULL);
    puts(".SH ERRORS");
    print_line(
        "What a handler returns, with the status that a client gets where the group does not "
        "say another:");
    for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
        puts(".TP");
        print_bold(errors[i].name);
        printf(" (%d)\n", errors[i].status);
        print_sentence(errors[i].doc);
    }
    puts(".SH SEE ALSO\n.BR greenroom (8),\n.BR greenroom.json (5)");
}
