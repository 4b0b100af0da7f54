/* The completion for zsh. */
#include "cmd/pages.h"

#include <ctype.h>
#include <stdio.h>

/* Prints a text that stands within single quotes, in a description of _arguments. */
static void print_text(const char *text)
{
    for (; *text; text++) {
        if (*text == '\'')
            fputs("'\\''", stdout);
        else if (strchr("[]:\\", *text))
            printf("\\%c", *text);
        else
            putchar(*text);
    }
}

/* Prints the last part of a specification of _arguments, which says where the words come from. */
static void print_action(const struct grc_choices *choices)
{
    if (!choices)
        return;
    if (choices->values_column) {
        printf(" _greenroom_members %d %d %s", choices->column, choices->values_column,
               choices->command);
        return;
    }
    if (choices->command) {
        printf(" _greenroom_names %d %d %s", choices->column, choices->segment, choices->command);
        return;
    }
    fputs(choices->values ? "(" : "_files", stdout);
    for (size_t i = 0; choices->values && choices->values[i]; i++)
        printf("%s%s", i ? " " : "", choices->values[i]);
    if (choices->values)
        putchar(')');
}

/* Prints the letters and digits of a value's name, in lower case. */
static void print_value_name(const char *value)
{
    for (; *value; value++) {
        if (isalnum((unsigned char)*value))
            putchar(tolower((unsigned char)*value));
    }
}

static void print_flag(const struct grc_flag *flag)
{
    const char *const names[] = {flag->name, flag->letter};
    bool repeated = flag->type == GRC_FLAG_TEXTS;

    for (size_t i = 0; i < 2 && names[i]; i++) {
        fputs(" \\\n            '", stdout);
        if (repeated)
            putchar('*');
        else if (flag->letter)
            printf("(%s %s)", flag->name, flag->letter);
        printf("%s%s[", names[i], !flag->value ? "" : i == 0 ? "=" : "+");
        print_text(flag->doc);
        putchar(']');
        if (flag->value) {
            putchar(':');
            print_value_name(flag->value);
            putchar(':');
            print_action(flag->choices);
        }
        putchar('\'');
    }
}

static void print_arguments(const struct grc_command *command)
{
    bool all = false; /* the words after the first ones have been described */

    fputs("        _arguments", stdout);
    for (const struct grc_flag *flag = command->flags; flag && flag->name; flag++)
        print_flag(flag);
    for (const struct grc_flag *flag = grc_global_flags; flag->name; flag++)
        print_flag(flag);
    for (size_t i = 0; i < GRC_WORDS_COMPLETED && command->choices[i]; i++) {
        all = command->choices[i]->values_column != 0;
        if (all)
            fputs(" \\\n            '*:word:", stdout);
        else
            printf(" \\\n            '%zu:word:", i + 1);
        print_action(command->choices[i]);
        putchar('\'');
    }
    /* Without this, _arguments offers no flag after a word that it does not know. */
    if (command->words && !all)
        fputs(" \\\n            '*:word:{false}'", stdout);
    putchar('\n');
}

static void print_summary(const char *name, const struct grc_command *command)
{
    printf("        '%s:", name);
    print_text(command->summary);
    puts("'");
}

static void print_case(const struct grc_command *command)
{
    printf("    %s)\n", command->name);
    if (!command->subs) {
        print_arguments(command);
        puts("        ;;");
        return;
    }
    puts("        shift words\n        ((CURRENT--))\n        if ((CURRENT == 1)); then\n"
         "        parts=(");
    for (const struct grc_command *sub = command->subs; sub->name; sub++)
        print_summary(sub->name, sub);
    puts("        )\n        _describe part parts\n        return\n        fi\n        case "
         "$words[1] in");
    for (const struct grc_command *sub = command->subs; sub->name; sub++) {
        printf("        %s)\n", sub->name);
        print_arguments(sub);
        puts("        ;;");
    }
    puts("        esac\n        ;;");
}

void grc_completion_zsh(const struct grc_cli *cli)
{
    puts("#compdef greenroom\n# Made by greenroom doc from the rows of the program.\n");
    puts(grc_completion_column);
    puts(
        "# Offers what _greenroom_column finds in the output of a command.\n"
        "_greenroom_names() {\n"
        "    local column=$1 segment=$2 config=${opt_args[--config]:-${opt_args[-c]:-$config}}\n"
        "    local -a names\n"
        "    shift 2\n"
        "    [[ -z $config ]] || config=${~${(Q)config}}\n"
        "    names=(${(f)\"$(GREENROOM_COMPLETION=1 ${~program} ${config:+-c} ${config:+$config} "
        "\"$@\" 2>/dev/null "
        "</dev/null |\n"
        "        _greenroom_column $column $segment)\"})\n"
        "    compadd -a names\n"
        "}\n\n"
        "# The same for words NAME=VALUE of the operation that is the first word.\n"
        "_greenroom_members() {\n"
        "    local column=$1 values=$2 "
        "config=${opt_args[--config]:-${opt_args[-c]:-$config}}\n"
        "    local -a names rows\n"
        "    shift 2\n"
        "    [[ -z $config ]] || config=${~${(Q)config}}\n"
        "    rows=(${(f)\"$(GREENROOM_COMPLETION=1 ${~program} ${config:+-c} ${config:+$config} "
        "\"$@\" $line[1] "
        "2>/dev/null </dev/null)\"})\n"
        "    if compset -P '*='; then\n"
        "        names=(${(f)\"$(print -rl -- $rows | _greenroom_values $values ${IPREFIX%=})\"})\n"
        "        compadd -a names\n"
        "    else\n"
        "        names=(${(f)\"$(print -rl -- $rows | _greenroom_column $column 0)\"})\n"
        "        compadd -S = -a names\n"
        "    fi\n"
        "}\n\n"
        "_greenroom() {\n"
        "    local context state line config='' program=$words[1]\n"
        "    local -a commands parts\n"
        "    typeset -A opt_args\n"
        "    commands=(");
    for (size_t i = 0; cli->commands[i]; i++) {
        if (!cli->commands[i]->hidden)
            print_summary(cli->commands[i]->name, cli->commands[i]);
    }
    fputs("    )\n    _arguments -A '-*' -C", stdout);
    for (const struct grc_flag *flag = grc_global_flags; flag->name; flag++)
        print_flag(flag);
    puts(" \\\n            '1:command:->command' '*::argument:->argument'\n"
         "    config=${opt_args[--config]:-$opt_args[-c]}\n"
         "    case $state in\n"
         "    command)\n        _describe command commands\n        return\n        ;;\n"
         "    esac\n"
         "    case $words[1] in");
    for (size_t i = 0; cli->commands[i]; i++) {
        if (!cli->commands[i]->hidden)
            print_case(cli->commands[i]);
    }
    puts("    esac\n}\n\n_greenroom \"$@\"");
}
