/* Makes the help from the rows of the commands. */
#include "base/place.h"
#include "cmd/cmd.h"

#include <limits.h>
#include <stdio.h>

#define USAGE_MAX_BYTES 4096u
#define WIDTH 100

const struct grc_exit_row grc_exit_rows[] = {
    {GRC_EXIT_OK, "done"},
    {GRC_EXIT_FAILED, "failed, or found a problem"},
    {GRC_EXIT_USAGE, "wrong usage"},
    {GRC_EXIT_CONFIG, "the config or a plugin is wrong"},
    {GRC_EXIT_LISTEN, "cannot listen"},
    {0, NULL},
};

/* --- usage --- */

static enum gr_err add_flag(struct grc_buf *buf, const struct grc_flag *flag)
{
    return grc_buf_format(buf, " [%s%s%s]%s", flag->letter ? flag->letter : flag->name,
                          flag->value ? " " : "", flag->value ? flag->value : "",
                          flag->type == GRC_FLAG_TEXTS ? "…" : "");
}

static enum gr_err add_subs(struct grc_buf *buf, const struct grc_command *subs)
{
    enum gr_err err = GR_OK;

    for (const struct grc_command *sub = subs; sub->name && err == GR_OK; sub++)
        err = grc_buf_format(buf, "%s%s", sub == subs ? " " : " | ", sub->name);
    return err == GR_OK ? grc_buf_text(buf, " …") : err;
}

enum gr_err grc_help_usage(struct grc_buf *buf, const struct grc_command *command)
{
    const struct grc_flag *flag = command->flags;
    enum gr_err err = GR_OK;

    if (command->subs)
        return add_subs(buf, command->subs);
    for (; flag && flag->name && err == GR_OK; flag++)
        err = add_flag(buf, flag);
    return err == GR_OK && command->words ? grc_buf_format(buf, " %s", command->words) : err;
}

static void print_usage(FILE *out, const struct grc_command *parent,
                        const struct grc_command *command)
{
    struct grc_buf buf;

    grc_buf_init(&buf, USAGE_MAX_BYTES);
    (void)grc_help_usage(&buf, command);
    fprintf(out, "usage: greenroom [-c DIR] %s%s%s%s\n", parent ? parent->name : "",
            parent ? " " : "", command->name, buf.ptr ? buf.ptr : "");
    grc_buf_done(&buf);
}

int grc_usage_error(const struct grc_cli *cli, const char *problem)
{
    if (problem)
        grc_complain("%s: %s", cli->parent ? cli->parent->name : cli->command->name, problem);
    print_usage(stderr, cli->parent, cli->command);
    return GRC_EXIT_USAGE;
}

/* --- pages --- */

/* Prints a text in lines of at most WIDTH characters, indented except for the first line. */
static void print_wrapped(const char *text, size_t indent)
{
    size_t column = indent;

    while (*text) {
        size_t len = strcspn(text, " \n");

        if (column > indent && column + 1 + len > WIDTH) {
            printf("\n%*s", (int)indent, "");
            column = indent;
        } else if (column > indent) {
            putchar(' ');
            column++;
        }
        printf("%.*s", (int)len, text);
        column += len;
        text += len;
        if (*text == '\n') {
            printf("\n%*s", (int)indent, "");
            column = indent;
        }
        text += *text != '\0';
    }
    putchar('\n');
}

static int flag_width(const struct grc_flag *flag)
{
    return (int)(strlen(flag->name) + (flag->value ? strlen(flag->value) + 1 : 0));
}

static void print_flags(const struct grc_flag *flags)
{
    int width = 0;

    for (const struct grc_flag *flag = flags; flag->name; flag++)
        width = flag_width(flag) > width ? flag_width(flag) : width;
    for (; flags->name; flags++) {
        printf("  %s%s %s%s%s%*s  ", flags->letter ? flags->letter : "  ",
               flags->letter ? "," : " ", flags->name, flags->value ? " " : "",
               flags->value ? flags->value : "", width - flag_width(flags), "");
        print_wrapped(flags->doc, (size_t)width + 8);
    }
}

static void print_subs(const struct grc_command *sub)
{
    struct grc_buf buf;

    for (; sub->name; sub++) {
        grc_buf_init(&buf, USAGE_MAX_BYTES);
        (void)grc_help_usage(&buf, sub);
        printf("  %s%s\n      %s%s\n", sub->name, buf.ptr ? buf.ptr : "", sub->summary,
               sub->usual ? "; the default" : "");
        grc_buf_done(&buf);
    }
}

void grc_help_command(const struct grc_command *parent, const struct grc_command *command)
{
    print_usage(stdout, parent, command);
    printf("\n%s.\n", command->summary);
    if (command->subs) {
        putchar('\n');
        print_subs(command->subs);
    }
    if (command->flags && command->flags->name) {
        putchar('\n');
        print_flags(command->flags);
    }
    if (command->detail) {
        putchar('\n');
        print_wrapped(command->detail, 0);
    }
}

void grc_help_program(const struct grc_cli *cli)
{
    char place[PATH_MAX];
    bool placed = grc_place(GRC_PLACE_CONFIG, place, sizeof(place));

    printf("usage: greenroom [-c DIR] [COMMAND] [ARGUMENTS]\n\n"
           "Without a command, greenroom runs the gateway.\n\n");
    print_flags(grc_global_flags);
    printf(
        "\nWithout -c the config is in $GREENROOM_CONFIG, in ./etc if that has a greenroom.json, "
        "or in\n%s.\n\ncommands (greenroom COMMAND --help says more):\n",
        placed ? place : "/etc/greenroom");
    for (size_t i = 0; cli->commands[i]; i++) {
        const struct grc_command *command = cli->commands[i];

        if (command->hidden)
            continue;
        printf("  %-8s  ", command->name);
        print_wrapped(command->summary, 12);
    }
    grc_plugin_commands_print(cli);
    printf("\nexit status:\n");
    for (const struct grc_exit_row *row = grc_exit_rows; row->doc; row++)
        printf("  %d  %s\n", row->status, row->doc);
}
