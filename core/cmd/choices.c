/* What completion offers for flags and words of the command line. */
#include "cmd/pages.h"

const struct grc_choices grc_choices_files = {0};
const struct grc_choices grc_choices_groups = {.command = "plugins list", .column = 1};
const struct grc_choices grc_choices_keys = {.command = "keys list", .column = 1};
const struct grc_choices grc_choices_members = {
    .command = "call --names", .column = 1, .values_column = 4};
const struct grc_choices grc_choices_methods = {
    .values = GR_LIST("GET", "POST", "PUT", "PATCH", "DELETE")};
const struct grc_choices grc_choices_operations = {.command = "routes", .column = 3};
const struct grc_choices grc_choices_paths = {.command = "routes", .column = 2};
const struct grc_choices grc_choices_scopes = {.command = "routes", .column = 4};
const struct grc_choices grc_choices_settings = {.command = "config show --defaults", .column = 1};
const struct grc_choices grc_choices_upstreams = {
    .command = "config show upstreams", .column = 1, .segment = 2};

/* The head of the table is not a name, and neither is "-" or "(open)". */
const char grc_completion_column[] =
    "# Prints the names in one column of a table, or in one segment of them, each once.\n"
    "_greenroom_column() {\n"
    "    awk -v column=\"$1\" -v segment=\"$2\" '\n"
    "        NR > 1 && $column !~ /^[-(]/ {\n"
    "            name = $column\n"
    "            if (segment) { split(name, parts, \".\"); name = parts[segment] }\n"
    "            if (name != \"\" && !seen[name]++) print name\n"
    "        }'\n"
    "}\n\n"
    "# Prints the values in one column of a table, which stand as a|b, of the row of that name.\n"
    "_greenroom_values() {\n"
    "    awk -v column=\"$1\" -v name=\"$2\" '\n"
    "        NR > 1 && $1 == name && $column != \"-\" { gsub(/\\|/, \"\\n\", $column); print "
    "$column "
    "}'\n"
    "}\n";
