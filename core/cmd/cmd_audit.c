/* greenroom audit: finds dangerous settings in a valid config. */
#include "base/json.h"
#include "cmd/audit.h"
#include "cmd/cmd.h"

#include <stdio.h>

struct args {
    bool json;
    bool rules;
};

static json_t *rule_json(const struct grc_audit_row *row)
{
    return json_pack("{s:s, s:s, s:s}", "rule", row->id, "severity",
                     grc_severity_name(row->severity), "means", row->doc);
}

static int print_rules(bool json)
{
    json_t *list = json ? json_array() : NULL;

    for (size_t i = 0; i < GRC_AUDIT_COUNT; i++) {
        const struct grc_audit_row *row = &grc_audit_rows[i];

        if (json)
            json_array_append_new(list, rule_json(row));
        else
            printf("%-20s  %-6s  %s\n", row->id, grc_severity_name(row->severity), row->doc);
    }
    return json ? grc_print_json(list) : grc_print_done(GRC_EXIT_OK);
}

static void print_finding(const json_t *finding)
{
    printf("%s: %s (%s): %s: %s\n", grc_json_member(finding, "where"),
           grc_json_member(finding, "rule"), grc_json_member(finding, "severity"),
           grc_json_member(finding, "found"), grc_json_member(finding, "means"));
}

static int run(const struct grc_cli *cli, const void *pointer, int count, char **words)
{
    const struct args *args = pointer;
    const json_t *finding;
    size_t open = 0;
    size_t i;

    (void)count;
    (void)words;
    if (args->rules)
        return print_rules(args->json);
    grc_cli_quiet(GR_LOG_ERROR, true);
    json_t *findings = grc_audit(cli->config_dir, grc_cli_report, NULL);
    if (!findings)
        return GRC_EXIT_CONFIG;
    json_array_foreach(findings, i, finding) {
        bool known = json_is_true(json_object_get(finding, "accepted"));

        open += !known;
        if (!args->json && !known)
            print_finding(finding);
    }
    size_t known = json_array_size(findings) - open;
    int status = open > 0 ? GRC_EXIT_FAILED : GRC_EXIT_OK;
    if (args->json) {
        int printed = grc_print_json(findings);

        return printed == GRC_EXIT_OK ? status : printed;
    }
    if (open == 0)
        printf("%s: nothing found", cli->config_dir);
    else
        printf("%zu found", open);
    if (known > 0)
        printf(", %zu accepted by the config", known);
    putchar('\n');
    json_decref(findings);
    return grc_print_done(status);
}

static const struct grc_flag flags[] = {
    GRC_SWITCH(args, "--rules", rules, "List the rules instead"),
    GRC_SWITCH(args, "--json", json, "As JSON, with the findings that the config accepts"),
    GRC_FLAG_END,
};

const struct grc_command grc_command_audit = {
    .name = "audit",
    .summary = "Find settings that work but are dangerous",
    .detail =
        "Each finding has its place, its rule and an explanation. Findings of rules in "
        "\"audit\": {\"accept\": [RULE]} in greenroom.json are accepted. Exit status 0 means that "
        "there are no others, 1 that there are some.",
    .flags = flags,
    .args_size = sizeof(struct args),
    .run = run,
};
