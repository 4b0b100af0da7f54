/* Completions for bash and zsh. */
#include "cmd/pages.h"

#include <ctype.h>
#include <stdio.h>

/* --- what both know --- */

/* Whether a value is a name of a file or directory. */
static bool is_path(const struct grc_flag *flag)
{
    return flag->value && (strcmp(flag->value, "DIR") == 0 || strcmp(flag->value, "FILE") == 0);
}

static void print_values(const char *const *values, const char *joint)
{
    for (size_t i = 0; values && values[i]; i++)
        printf("%s%s", i ? joint : "", values[i]);
}

/* --- bash --- */

static void bash_flag_values(const struct grc_flag *flags)
{
    for (; flags && flags->name; flags++) {
        if (!flags->value)
            continue;
        printf("        %s%s%s) ", flags->name, flags->letter ? "|" : "",
               flags->letter ? flags->letter : "");
        if (flags->values) {
            fputs("words=\"", stdout);
            print_values(flags->values, " ");
            puts("\" ;;");
        } else {
            puts(is_path(flags) ? "_greenroom_paths; return ;;" : "return ;;");
        }
    }
}

static void bash_flags(const struct grc_flag *flags)
{
    for (; flags && flags->name; flags++)
        printf(" %s", flags->name);
}

static void bash_case(const struct grc_command *parent, const struct grc_command *command)
{
    printf("    \"%s%s%s\")\n", parent ? parent->name : "", parent ? " " : "", command->name);
    if (command->flags && command->flags->name) {
        puts("        case $before in");
        bash_flag_values(command->flags);
        puts("        *) ;;\n        esac");
    }
    fputs("        [ -n \"$words\" ] || words=\"", stdout);
    bash_flags(command->flags);
    bash_flags(grc_global_flags);
    puts("\"");
    if (command->names)
        printf("        [[ $word == -* ]] || words=\"$(_greenroom_names %d %s)\"\n",
               command->names_column, command->names);
    for (const struct grc_command *sub = command->subs; sub && sub->name; sub++)
        printf("%s%s%s", sub == command->subs ? "        words+=\" " : " ", sub->name,
               sub[1].name ? "" : "\"\n");
    puts("        ;;");
}

void grc_completion_bash(const struct grc_cli *cli)
{
    puts("# Made by greenroom doc from the rows of the program.\n"
         "# shellcheck shell=bash\n\n"
         "_greenroom_paths() {\n"
         "    local IFS=$'\\n'\n"
         "    mapfile -t COMPREPLY < <(compgen -f -- \"$word\")\n"
         "    compopt -o filenames 2>/dev/null\n"
         "}\n\n"
         "# One column of a table that greenroom prints.\n"
         "_greenroom_names() {\n"
         "    local column=$1\n"
         "    shift\n"
         "    \"$program\" ${config:+-c \"$config\"} \"$@\" 2>/dev/null |\n"
         "        awk -v column=\"$column\" 'NR > 1 { print $column }'\n"
         "}\n\n"
         "_greenroom() {\n"
         "    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]}\n"
         "    local program=${COMP_WORDS[0]} config='' path='' words='' i\n"
         "    COMPREPLY=()\n"
         "    for ((i = 1; i < COMP_CWORD; i++)); do\n"
         "        case ${COMP_WORDS[i]} in\n"
         "        -c | --config) config=${COMP_WORDS[i + 1]} i=$((i + 1)) ;;\n"
         "        -*) ;;\n"
         "        *)");
    fputs("            case \"$path ${COMP_WORDS[i]}\" in\n            ", stdout);
    for (size_t i = 0; cli->commands[i]; i++) {
        const struct grc_command *command = cli->commands[i];

        if (command->hidden)
            continue;
        printf("%s\" %s\"", i ? " | " : "", command->name);
        for (const struct grc_command *sub = command->subs; sub && sub->name; sub++)
            printf(" | \"%s %s\"", command->name, sub->name);
    }
    puts(") path=${path:+$path }${COMP_WORDS[i]} ;;\n            esac\n            ;;\n"
         "        esac\n"
         "    done\n"
         "    case $before in\n"
         "    -c | --config)\n"
         "        _greenroom_paths\n"
         "        return\n"
         "        ;;\n"
         "    esac\n"
         "    case $path in\n"
         "    \"\")");
    fputs("        words=\"", stdout);
    for (size_t i = 0; cli->commands[i]; i++) {
        if (!cli->commands[i]->hidden)
            printf("%s%s", i ? " " : "", cli->commands[i]->name);
    }
    bash_flags(grc_global_flags);
    puts("\"\n        ;;");
    for (size_t i = 0; cli->commands[i]; i++) {
        const struct grc_command *command = cli->commands[i];

        if (command->hidden)
            continue;
        bash_case(NULL, command);
        for (const struct grc_command *sub = command->subs; sub && sub->name; sub++)
            bash_case(command, sub);
    }
    puts("    esac\n"
         "    mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$word\")\n"
         "}\n"
         "complete -F _greenroom greenroom");
}

/* --- zsh --- */

/* Within single quotes, in a description of _arguments. */
static void zsh_text(const char *text)
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

static void zsh_flag(const struct grc_flag *flag)
{
    const char *repeat = flag->type == GRC_FLAG_TEXTS ? "*" : "";
    const char *const names[] = {flag->name, flag->letter};

    for (size_t i = 0; i < 2 && names[i]; i++) {
        printf(" \\\n            '%s%s[", repeat, names[i]);
        zsh_text(flag->doc);
        putchar(']');
        if (flag->value) {
            putchar(':');
            for (const char *at = flag->value; *at; at++) {
                if (isalnum((unsigned char)*at))
                    putchar(tolower((unsigned char)*at));
            }
            putchar(':');
        }
        if (flag->values) {
            putchar('(');
            print_values(flag->values, " ");
            putchar(')');
        } else if (is_path(flag)) {
            fputs("_files", stdout);
        }
        putchar('\'');
    }
}

static void zsh_arguments(const struct grc_command *command)
{
    fputs("        _arguments", stdout);
    for (const struct grc_flag *flag = command->flags; flag && flag->name; flag++)
        zsh_flag(flag);
    for (const struct grc_flag *flag = grc_global_flags; flag->name; flag++)
        zsh_flag(flag);
    if (command->names)
        printf(" \\\n            '*:name:{compadd -- $(_greenroom_names %d %s)}'",
               command->names_column, command->names);
    putchar('\n');
}

static void zsh_list(const char *name, const struct grc_command *command)
{
    printf("        '%s:", name);
    zsh_text(command->summary);
    puts("'");
}

static void zsh_case(const struct grc_command *command)
{
    printf("    %s)\n", command->name);
    if (!command->subs) {
        zsh_arguments(command);
        puts("        ;;");
        return;
    }
    puts("        shift words\n        ((CURRENT--))\n        if ((CURRENT == 1)); then\n"
         "        parts=(");
    for (const struct grc_command *sub = command->subs; sub->name; sub++)
        zsh_list(sub->name, sub);
    puts("        )\n        _describe part parts\n        return\n        fi\n        case "
         "$words[1] in");
    for (const struct grc_command *sub = command->subs; sub->name; sub++) {
        printf("        %s)\n", sub->name);
        zsh_arguments(sub);
        puts("        ;;");
    }
    puts("        esac\n        ;;");
}

void grc_completion_zsh(const struct grc_cli *cli)
{
    puts("#compdef greenroom\n# Made by greenroom doc from the rows of the program.\n\n"
         "# One column of a table that greenroom prints.\n"
         "_greenroom_names() {\n"
         "    local column=$1\n"
         "    shift\n"
         "    greenroom ${opt_args[-c]:+-c} ${opt_args[-c]} \"$@\" 2>/dev/null |\n"
         "        awk -v column=$column 'NR > 1 { print $column }'\n"
         "}\n\n"
         "_greenroom() {\n"
         "    local context state line\n"
         "    local -a commands parts\n"
         "    typeset -A opt_args\n"
         "    commands=(");
    for (size_t i = 0; cli->commands[i]; i++) {
        if (!cli->commands[i]->hidden)
            zsh_list(cli->commands[i]->name, cli->commands[i]);
    }
    fputs("    )\n    _arguments -C", stdout);
    for (const struct grc_flag *flag = grc_global_flags; flag->name; flag++)
        zsh_flag(flag);
    puts(" \\\n            '1:command:->command' '*::argument:->argument'\n"
         "    case $state in\n"
         "    command)\n        _describe command commands\n        return\n        ;;\n"
         "    esac\n"
         "    case $words[1] in");
    for (size_t i = 0; cli->commands[i]; i++) {
        if (!cli->commands[i]->hidden)
            zsh_case(cli->commands[i]);
    }
    puts("    esac\n}\n\n_greenroom \"$@\"");
}
