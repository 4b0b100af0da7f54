/* What in a config is dangerous, though it works: greenroom audit. */
#pragma once

#include "config/settings.h"

/* One rule, for help and documents. */
struct grc_audit_row {
    const char *id;
    enum grc_severity severity;
    const char *doc;
};
extern const struct grc_audit_row grc_audit_rows[GRC_AUDIT_COUNT];
/* "high". */
const char *grc_severity_name(enum grc_severity severity);

/*
 * Reads a config directory and looks at it, its plugins and the files that it names. An array of
 * {"rule", "severity", "where", "found", "means", "accepted"}: the gravest first, accepted ones
 * included. New reference; NULL when the config is wrong (each problem reported) or without memory.
 */
json_t *grc_audit(const char *config_dir, grc_report_fn *report, void *arg);
