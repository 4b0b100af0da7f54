/* What the commands share: tables, messages. */
#include "cmd/cmd.h"

#include <stdio.h>
#include <stdlib.h>

void grc_complain(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    fputs("greenroom: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
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

void grc_table_print(const struct grc_table *table)
{
    size_t widths[8] = {0};
    size_t row;
    size_t i;

    for (row = 0; row < table->rows; row++) {
        for (i = 0; i + 1 < table->columns; i++) {
            size_t len = strlen(table->cells[row][i]);

            widths[i] = len > widths[i] ? len : widths[i];
        }
    }
    for (row = 0; row < table->rows; row++) {
        for (i = 0; i + 1 < table->columns; i++)
            printf("%-*s  ", (int)widths[i], table->cells[row][i]);
        printf("%s\n", table->cells[row][i]);
    }
}

void grc_table_done(struct grc_table *table)
{
    free(table->cells);
    table->cells = NULL;
}
