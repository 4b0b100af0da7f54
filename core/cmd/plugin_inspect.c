/* greenroom plugin inspect: the report of a plugin's file, for people or for programs. */
#include "cmd/cmd.h"
#include "cmd/plugin_report.h"

#include <stdio.h>

static const char *text_of(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));

    return text && text[0] ? text : NULL;
}

static void print_line(const char *name, const char *value)
{
    printf("%-10s %s\n", name, value ? value : "unknown");
}

static void print_list(const char *name, const json_t *list)
{
    const json_t *item;
    size_t i;

    printf("%-10s", name);
    json_array_foreach(list, i, item)
        printf(" %s", json_string_value(item));
    puts(json_array_size(list) == 0 ? " nothing" : "");
}

/* Rows of objects as columns. */
static void print_rows(const char *head, const json_t *rows, const char *const *members)
{
    struct grc_table table = {.columns = 0};
    const json_t *row;
    size_t i;

    if (json_array_size(rows) == 0)
        return;
    while (members[table.columns])
        table.columns++;
    json_array_foreach(rows, i, row) {
        const char *cells[8];

        for (size_t column = 0; column < table.columns; column++)
            cells[column] = text_of(row, members[column]);
        if (!grc_table_add(&table, cells))
            break;
    }
    printf("\n%s\n", head);
    grc_table_print(&table);
    grc_table_done(&table);
}

static void print_report(const json_t *report)
{
    const json_t *problem;
    size_t i;

    print_line("file", text_of(report, "file"));
    print_line("name", text_of(report, "name"));
    print_line("version", text_of(report, "version"));
    printf("%-10s %s; this Greenroom has %s\n", "abi",
           text_of(report, "abi") ? text_of(report, "abi") : "unknown",
           text_of(report, "host_abi"));
    print_line("build id", text_of(report, "build_id"));
    print_list("needs", json_object_get(report, "needs"));
    if (text_of(report, "summary")) {
        print_line("licence", text_of(report, "licence"));
        print_line("summary", text_of(report, "summary"));
    }
    print_rows("routes", json_object_get(report, "routes"),
               GR_LIST("method", "path", "id", "scope", "upstream", "summary"));
    print_rows("options", json_object_get(report, "options"),
               GR_LIST("name", "type", "default", "doc"));
    print_rows("migrations", json_object_get(report, "migrations"), GR_LIST("name"));
    fputs(json_array_size(json_object_get(report, "problems")) > 0 ? "\nproblems\n" : "", stdout);
    json_array_foreach(json_object_get(report, "problems"), i, problem)
        puts(json_string_value(problem));
}

int grc_plugin_inspect(const char *file, bool json)
{
    json_t *report = grc_plugin_report(file);
    const int status =
        json_array_size(json_object_get(report, "problems")) == 0 ? GRC_EXIT_OK : GRC_EXIT_CONFIG;

    if (json)
        return grc_print_json(report) == GRC_EXIT_OK ? status : GRC_EXIT_FAILED;
    print_report(report);
    json_decref(report);
    return grc_print_done(status);
}
