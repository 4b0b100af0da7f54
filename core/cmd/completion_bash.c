/* The completion for bash. */
#include "cmd/pages.h"

#include <stdio.h>

/* Calls visit for every command that is shown, and for every part of one. */
typedef void visit_fn(const struct grc_command *parent, const struct grc_command *command);
static void each_command(const struct grc_cli *cli, visit_fn *visit)
{
    for (size_t i = 0; cli->commands[i]; i++) {
        const struct grc_command *command = cli->commands[i];

        if (command->hidden)
            continue;
        visit(NULL, command);
        for (const struct grc_command *sub = command->subs; sub && sub->name; sub++)
            visit(command, sub);
    }
}

/* The functions of the script that are the same whatever the commands are. */
static const char functions[] =
    "# Offers those of the words that begin with what was typed. Readline replaces only what "
    "stands\n"
    "# after the last colon, if a colon separates words.\n"
    "_greenroom_offer() {\n"
    "    local typed=$word done='' each\n"
    "    case $typed in\n"
    "    [\\'\\\"]*) typed=${typed:1} ;;\n"
    "    *:*) [[ $COMP_WORDBREAKS != *:* ]] || done=${typed%\"${typed##*:}\"} ;;\n"
    "    esac\n"
    "    for each in \"$@\"; do\n"
    "        [[ $each != \"$typed\"* ]] || COMPREPLY+=(\"${each#\"$done\"}\")\n"
    "    done\n"
    "}\n\n"
    "_greenroom_offer_names() {\n"
    "    local names column=$1 segment=$2\n"
    "    shift 2\n"
    "    mapfile -t names < <(GREENROOM_COMPLETION=1 \"$program\" ${config:+-c \"$config\"} \"$@\" "
    "2>/dev/null </dev/null "
    "|\n"
    "        _greenroom_column \"$column\" \"$segment\")\n"
    "    _greenroom_offer \"${names[@]}\"\n"
    "}\n\n"
    "# The same for words NAME=VALUE.\n"
    "_greenroom_offer_members() {\n"
    "    local names column=$1 values=$2 each\n"
    "    shift 2\n"
    "    mapfile -t names < <(GREENROOM_COMPLETION=1 \"$program\" ${config:+-c \"$config\"} \"$@\" "
    "2>/dev/null </dev/null "
    "|\n"
    "        if [[ $word == *=* ]]; then\n"
    "            _greenroom_values \"$values\" \"${word%%=*}\"\n"
    "        else\n"
    "            _greenroom_column \"$column\" 0\n"
    "        fi)\n"
    "    if [[ $word != *=* ]]; then\n"
    "        compopt -o nospace 2>/dev/null\n"
    "        _greenroom_offer \"${names[@]/%/=}\"\n"
    "        return\n"
    "    fi\n"
    "    for each in \"${names[@]}\"; do\n"
    "        [[ $each == \"${word#*=}\"* ]] || continue\n"
    "        [[ $COMP_WORDBREAKS == *=* ]] || each=${word%%=*}=$each\n"
    "        COMPREPLY+=(\"$each\")\n"
    "    done\n"
    "}\n\n"
    "_greenroom_offer_files() {\n"
    "    mapfile -t COMPREPLY < <(compgen -f -- \"$word\")\n"
    "    compopt -o filenames 2>/dev/null\n"
    "}\n\n"
    "# Bash also splits words at colons and equal signs. This puts their pieces together again.\n"
    "_greenroom_words() {\n"
    "    local rest=$COMP_LINE gap i\n"
    "    for ((i = 0; i <= COMP_CWORD; i++)); do\n"
    "        gap=${rest%%[![:space:]]*}\n"
    "        rest=${rest#\"$gap\"}\n"
    "        rest=${rest#\"${COMP_WORDS[i]}\"}\n"
    "        if [ -n \"$gap\" ] || ((i == 0)); then\n"
    "            words+=(\"${COMP_WORDS[i]}\")\n"
    "        else\n"
    "            words[-1]+=${COMP_WORDS[i]}\n"
    "        fi\n"
    "    done\n"
    "}\n";

/* --- what the script knows of the commands --- */

/* A pattern of case: the names of a command's flags that take a value, after the command's name. */
static void print_flag_pattern(const struct grc_command *parent, const struct grc_command *command,
                               const struct grc_flag *flag)
{
    printf("    \"%s%s%s %s\"", parent ? parent->name : "", parent ? " " : "", command->name,
           flag->name);
    if (flag->letter)
        printf(" | \"%s%s%s %s\"", parent ? parent->name : "", parent ? " " : "", command->name,
               flag->letter);
    fputs(") ", stdout);
}

static void print_offer(const struct grc_choices *choices)
{
    fputs("offer=(", stdout);
    if (!choices)
        fputs(":", stdout);
    else if (choices->values_column)
        printf("_greenroom_offer_members %d %d %s \"${given[0]}\"", choices->column,
               choices->values_column, choices->command);
    else if (choices->command)
        printf("_greenroom_offer_names %d %d %s", choices->column, choices->segment,
               choices->command);
    else if (!choices->values)
        fputs("_greenroom_offer_files", stdout);
    else
        fputs("_greenroom_offer", stdout);
    for (size_t i = 0; choices && choices->values && choices->values[i]; i++)
        printf(" %s", choices->values[i]);
    puts(") ;;");
}

static void print_value_case(const struct grc_command *parent, const struct grc_command *command)
{
    for (const struct grc_flag *flag = command->flags; flag && flag->name; flag++) {
        if (!flag->value)
            continue;
        print_flag_pattern(parent, command, flag);
        print_offer(flag->choices);
    }
}

static void print_words_case(const struct grc_command *parent, const struct grc_command *command)
{
    for (size_t i = 0; i < GRC_WORDS_COMPLETED && command->choices[i]; i++) {
        printf("    \"%s%s%s \"", parent ? parent->name : "", parent ? " " : "", command->name);
        if (command->choices[i]->values_column)
            fputs("*) ", stdout); /* this word, and those that follow it */
        else
            printf("%zu) ", i);
        print_offer(command->choices[i]);
    }
    if (!command->subs)
        return;
    printf("    \"%s 0\") offer=(_greenroom_offer", command->name);
    for (const struct grc_command *sub = command->subs; sub->name; sub++)
        printf(" %s", sub->name);
    puts(") ;;");
}

static void print_flags(const struct grc_flag *flags)
{
    for (; flags && flags->name; flags++)
        printf(" %s", flags->name);
}

static void print_flags_case(const struct grc_command *parent, const struct grc_command *command)
{
    if (!command->flags || !command->flags->name)
        return;
    printf("    \"%s%s%s\") offer+=(", parent ? parent->name : "", parent ? " " : "",
           command->name);
    print_flags(command->flags);
    puts(") ;;");
}

static void print_path_pattern(const struct grc_command *parent, const struct grc_command *command)
{
    if (parent)
        printf(" | \"%s %s\"", parent->name, command->name);
    else
        printf(" | \"%s\"", command->name);
}

/* --- the script --- */

static void print_values(const struct grc_cli *cli)
{
    puts("# Sets offer to what completes the value of that flag; returns 1 if it takes no value.\n"
         "_greenroom_value() {\n"
         "    case \"$path $1\" in\n"
         "    *' -c' | *' --config') offer=(_greenroom_offer_files) ;;");
    each_command(cli, print_value_case);
    puts("    *) return 1 ;;\n    esac\n}\n");
}

static void print_words(const struct grc_cli *cli)
{
    fputs("# Sets offer to what completes a word after the command and $count other words.\n"
          "_greenroom_word() {\n"
          "    offer=(:)\n"
          "    case \"${path:+$path }$count\" in\n"
          "    0) offer=(_greenroom_offer",
          stdout);
    for (size_t i = 0; cli->commands[i]; i++) {
        if (!cli->commands[i]->hidden)
            printf(" %s", cli->commands[i]->name);
    }
    print_flags(grc_global_flags);
    puts(") ;;");
    each_command(cli, print_words_case);
    puts("    esac\n}\n");
}

static void print_all_flags(const struct grc_cli *cli)
{
    puts("_greenroom_flag() {\n    offer=(_greenroom_offer)\n    case $path in");
    each_command(cli, print_flags_case);
    fputs("    esac\n    offer+=(", stdout);
    print_flags(grc_global_flags);
    puts(")\n}\n");
}

void grc_completion_bash(const struct grc_cli *cli)
{
    puts("# Made by greenroom doc from the rows of the program.\n# shellcheck shell=bash\n");
    puts(grc_completion_column);
    puts(functions);
    print_values(cli);
    print_words(cli);
    print_all_flags(cli);
    fputs("_greenroom() {\n"
          "    local words=() given=() offer=() path='' count=0 config='' program word before i\n"
          "    COMPREPLY=()\n"
          "    _greenroom_words\n"
          "    program=${words[0]/#\\~\\//$HOME/}\n"
          "    for ((i = 1; i < ${#words[@]} - 1; i++)); do\n"
          "        case ${words[i]} in\n"
          "        -c | --config) config=${words[i + 1]/#\\~\\//$HOME/} i=$((i + 1)) ;;\n"
          "        --config=*) config=${words[i]#*=} ;;\n"
          "        -c*) config=${words[i]#-c} ;;\n"
          "        -*) ! _greenroom_value \"${words[i]}\" || i=$((i + 1)) ;;\n"
          "        *)\n"
          "            case ${path:+$path }${words[i]} in\n"
          "            ''",
          stdout);
    each_command(cli, print_path_pattern);
    puts(") path=${path:+$path }${words[i]} ;;\n"
         "            *) given+=(\"${words[i]}\") count=$((count + 1)) ;;\n"
         "            esac\n"
         "            ;;\n"
         "        esac\n"
         "    done\n"
         "    word=${words[-1]} before=${words[-2]}\n"
         "    if [[ $word == --*=* ]]; then\n"
         "        before=${word%%=*} word=${word#*=}\n"
         "    fi\n"
         "    if _greenroom_value \"$before\"; then\n"
         "        :\n"
         "    elif [[ $word == -* ]]; then\n"
         "        _greenroom_flag\n"
         "    else\n"
         "        _greenroom_word\n"
         "    fi\n"
         "    \"${offer[@]}\"\n"
         "}\n"
         "complete -F _greenroom greenroom");
}
