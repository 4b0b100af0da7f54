/* Output of commands: messages, JSON, tables. */
#include "base/log.h"
#include "cmd/cmd.h"
#include "config/env.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

void grc_complain(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    fputs("greenroom: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
}

void grc_cli_quiet(enum gr_log_level level, bool lenient)
{
    grc_log_plain_set(true);
    grc_log_level_set(level);
    grc_env_lenient_set(lenient);
}

struct grc_settings *grc_cli_settings(const struct grc_cli *cli, grc_report_fn *report)
{
    grc_cli_quiet(GR_LOG_ERROR, true);
    return grc_settings_load(cli->config_dir, report, NULL);
}

void grc_cli_report(void *arg, const char *line)
{
    (void)arg;
    fprintf(stderr, "%s\n", line);
}

int grc_print_done(int status)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return status;
    grc_complain("cannot write to standard output");
    return GRC_EXIT_FAILED;
}

int grc_print_json(json_t *stolen)
{
    int failed = stolen ? json_dumpf(stolen, stdout, JSON_INDENT(2) | JSON_ENCODE_ANY) : -1;

    json_decref(stolen);
    if (failed) {
        grc_complain("out of memory, or cannot write to standard output");
        return GRC_EXIT_FAILED;
    }
    putchar('\n');
    return grc_print_done(GRC_EXIT_OK);
}

/* --- tables --- */

bool grc_table_add(struct grc_table *table, const char *const *cells)
{
    size_t i;

    if (table->rows == table->cap) {
        size_t cap = table->cap ? table->cap * 2 : 64;
        void *grown = reallocarray(table->cells, cap, sizeof(*table->cells));

        if (!grown)
            return false;
        table->cells = grown;
        table->cap = cap;
    }
    for (i = 0; i < table->columns; i++)
        table->cells[table->rows][i] = cells[i] ? cells[i] : "-";
    table->rows++;
    return true;
}

#define LAST_COLUMN_MIN 12

/* Number of UTF-8 characters. */
static size_t width_of(const char *text)
{
    size_t width = 0;

    for (; *text; text++)
        width += ((unsigned char)*text & 0xc0) != 0x80;
    return width;
}

/* Number of columns of the terminal; 0 if standard output is not a terminal: no limit. */
static size_t terminal_width(void)
{
    struct winsize size;

    return isatty(STDOUT_FILENO) && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}

/* Prints at most max characters; 0: all of them. */
static void print_cut(const char *text, size_t max)
{
    size_t kept = 0;

    if (max == 0 || width_of(text) <= max) {
        puts(text);
        return;
    }
    for (; *text && (kept + 1 < max || ((unsigned char)*text & 0xc0) == 0x80); text++) {
        kept += ((unsigned char)*text & 0xc0) != 0x80;
        putchar(*text);
    }
    puts("…");
}

void grc_table_print(const struct grc_table *table)
{
    size_t widths[8] = {0};
    size_t columns = terminal_width();
    size_t before = 0;
    size_t row;
    size_t i;

    for (row = 0; row < table->rows; row++) {
        for (i = 0; i + 1 < table->columns; i++) {
            size_t len = width_of(table->cells[row][i]);

            widths[i] = len > widths[i] ? len : widths[i];
        }
    }
    for (i = 0; i + 1 < table->columns; i++)
        before += widths[i] + 2;
    size_t last = columns == 0                         ? 0
                  : columns > before + LAST_COLUMN_MIN ? columns - before
                                                       : LAST_COLUMN_MIN;
    for (row = 0; row < table->rows; row++) {
        for (i = 0; i + 1 < table->columns; i++)
            printf("%s%*s", table->cells[row][i],
                   (int)(widths[i] + 2 - width_of(table->cells[row][i])), "");
        print_cut(table->cells[row][i], last);
    }
}

void grc_table_done(struct grc_table *table)
{
    free(table->cells);
    table->cells = NULL;
}

int grc_table_finish(struct grc_table *table, bool complete)
{
    if (complete)
        grc_table_print(table);
    else
        grc_complain("out of memory");
    grc_table_done(table);
    return grc_print_done(complete ? GRC_EXIT_OK : GRC_EXIT_FAILED);
}
