/*
 * The note in the file is read without running any of its code. Its tables are read by a child
 * process that loads it, so that a constructor which crashes only ends the child.
 */
#include "cmd/plugin_report.h"

#include "base/file.h"
#include "base/json.h"
#include "base/method.h"
#include "plugin/elf.h"
#include "plugin/plugin.h"
#include "store/try.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define FILE_BYTES_MAX ((size_t)256 * 1024 * 1024)
#define TABLES_BYTES_MAX ((size_t)16 * 1024 * 1024)
#define JSON_DEPTH_MAX 16u

/* --- what the tables say, in the child --- */

static json_t *routes_json(const struct grc_plugin *plugin)
{
    json_t *list = json_array();

    for (size_t i = 0; i < plugin->route_count; i++) {
        const struct gr_route *row = plugin->routes[i].row;

        json_array_append_new(
            list, json_pack("{s:s,s:s,s:s,s:s*,s:s*,s:s}", "method", grc_method_name(row->method),
                            "path", row->path, "id", row->id, "scope", row->scope, "upstream",
                            row->forward ? row->forward->upstream : NULL, "summary", row->summary));
    }
    return list;
}

static const char *type_name(enum gr_option_type type)
{
    static const char *const names[] = {
        [GR_OPT_BOOL] = "bool",  [GR_OPT_INT] = "integer",   [GR_OPT_MS] = "duration",
        [GR_OPT_BYTES] = "size", [GR_OPT_STRING] = "string", [GR_OPT_SECRET] = "secret",
        [GR_OPT_LIST] = "list",  [GR_OPT_JSON] = "json",     [GR_OPT_UPSTREAM] = "upstream",
    };

    return (size_t)type < sizeof(names) / sizeof(names[0]) ? names[type] : "unknown";
}

static json_t *options_json(const struct gr_option *row)
{
    json_t *list = json_array();

    for (; row && row->name; row++)
        json_array_append_new(list, json_pack("{s:s,s:s,s:s*,s:b,s:s}", "name", row->name, "type",
                                              type_name(row->type), "default", row->fallback,
                                              "required", row->required, "doc", row->doc));
    return list;
}

static json_t *migrations_json(const struct gr_migration *row)
{
    json_t *list = json_array();

    for (; row && row->version; row++)
        json_array_append_new(list,
                              json_pack("{s:i,s:s}", "version", row->version, "name", row->name));
    return list;
}

static json_t *tables_json(const char *file)
{
    struct grc_plugin *plugin = grc_plugin_read(file);
    const struct gr_plugin *desc = plugin ? plugin->desc : NULL;
    json_t *tables = json_object();
    char *reason = NULL;

    if (desc) {
        json_object_update_new(
            tables, json_pack("{s:s,s:s}", "licence", desc->licence, "summary", desc->summary));
        json_object_set_new(tables, "routes", routes_json(plugin));
        json_object_set_new(tables, "options", options_json(desc->options));
        json_object_set_new(tables, "upstreams", grc_json_list(desc->upstreams));
        json_object_set_new(tables, "migrations", migrations_json(desc->migrations));
    }
    if (!plugin || plugin->state != GRC_LOAD_OK)
        json_object_set_new(
            tables, "problem",
            json_string(plugin && plugin->reason ? plugin->reason : "out of memory"));
    else if (!grc_migrations_try(desc->migrations, &reason))
        json_object_set_new(tables, "problem",
                            json_sprintf("%s: %s", file, reason ? reason : "out of memory"));
    free(reason);
    grc_plugin_free(plugin);
    return tables;
}

/* --- in the parent --- */

static char *read_all(int fd, size_t *ret_len)
{
    struct grc_buf buf;
    char block[4096];
    ssize_t got;

    grc_buf_init(&buf, TABLES_BYTES_MAX);
    while ((got = read(fd, block, sizeof(block))) > 0 || (got < 0 && errno == EINTR)) {
        if (got > 0 && grc_buf_add(&buf, block, (size_t)got) != GR_OK)
            break;
    }
    *ret_len = buf.len;
    return buf.ptr;
}

/* Returns the tables as JSON. If the child did not end well, "problem" in it says how. */
static json_t *ask_child(const char *file)
{
    int ends[2];
    int status = 0;

    fflush(stdout);
    if (pipe(ends) != 0)
        return NULL;
    pid_t pid = fork();
    if (pid == 0) {
        json_t *tables = tables_json(file);

        _exit(json_dumpfd(tables, ends[1], JSON_COMPACT) == 0 ? 0 : 1);
    }
    close(ends[1]);
    size_t len = 0;
    char *text = pid > 0 ? read_all(ends[0], &len) : NULL;
    close(ends[0]);
    if (pid < 0 || waitpid(pid, &status, 0) < 0) {
        free(text);
        return NULL;
    }
    json_t *tables = text ? grc_json_parse((gr_str){text, len}, JSON_DEPTH_MAX, NULL) : NULL;
    free(text);
    if (!tables)
        tables = json_pack("{s:o}", "problem",
                           WIFSIGNALED(status)
                               ? json_sprintf("%s: loading it ended the process: %s", file,
                                              strsignal(WTERMSIG(status)))
                               : json_sprintf("%s: loading it ended the process with status %d",
                                              file, WEXITSTATUS(status)));
    return tables;
}

/* --- the report --- */

static void add_problem(json_t *report, json_t *stolen)
{
    json_t *problems = json_object_get(report, "problems");
    const json_t *known;
    size_t i;

    json_array_foreach(problems, i, known) {
        if (json_equal(known, stolen)) {
            json_decref(stolen);
            return;
        }
    }
    json_array_append_new(problems, stolen);
}

static void add_needed(void *arg, const char *library)
{
    json_array_append_new(arg, json_string(library));
}

static void add_note(json_t *report, const char *file, const struct grc_elf *elf)
{
    char *reason = NULL;

    json_object_update_new(report,
                           json_pack("{s:s,s:s,s:o}", "name", elf->name, "version", elf->version,
                                     "abi", json_sprintf("%u.%u", elf->abi.major, elf->abi.minor)));
    if (grc_abi_check(file, &elf->abi, &reason) != GRC_LOAD_OK)
        add_problem(report, json_string(reason ? reason : "out of memory"));
    free(reason);
}

/* Adds what is known without loading the file. */
static void add_file(json_t *report, const char *file)
{
    const char *unread = NULL;
    struct grc_elf elf;
    char *reason = NULL;
    size_t size = 0;
    char *bytes = grc_file_read(file, FILE_BYTES_MAX, &size, &unread);

    if (!bytes) {
        add_problem(report, json_sprintf("%s: %s", file, unread));
        return;
    }
    if (grc_elf_read(bytes, size, &elf, &reason) != GRC_ELF_OK)
        add_problem(report, json_sprintf("%s: %s", file, reason ? reason : "out of memory"));
    free(reason);
    if (elf.has_note)
        add_note(report, file, &elf);
    if (elf.build_id[0])
        json_object_set_new(report, "build_id", json_string(elf.build_id));
    json_t *needs = json_array();
    grc_elf_needed(bytes, size, add_needed, needs);
    json_object_set_new(report, "needs", needs);
    free(bytes);
}

json_t *grc_plugin_report(const char *file)
{
    json_t *report = json_pack("{s:s,s:s,s:[]}", "file", file, "host_abi", "", "problems");

    json_object_set_new(report, "host_abi", json_sprintf("%u.%u", GR_ABI_MAJOR, GR_ABI_MINOR));
    add_file(report, file);
    json_t *tables = ask_child(file);
    json_t *problem = json_object_get(tables, "problem");
    if (!tables)
        add_problem(report, json_sprintf("%s: cannot be loaded: %s", file, strerror(errno)));
    if (problem) {
        add_problem(report, json_incref(problem));
        json_object_del(tables, "problem");
    }
    json_object_update(report, tables);
    json_decref(tables);
    return report;
}
