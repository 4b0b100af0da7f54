/* Finds dangerous settings in a valid config, for `greenroom audit`. */
#pragma once

#include "config/settings.h"

/* A rule, for help and documents. */
struct grc_audit_row {
    const char *id;
    enum grc_severity severity;
    const char *doc;
};
extern const struct grc_audit_row grc_audit_rows[GRC_AUDIT_COUNT];
/* A name such as "high". */
const char *grc_severity_name(enum grc_severity severity);

/*
 * Loads a config and checks it, its plugins and its files. Returns an array of {"rule", "severity",
 * "where", "found", "means", "accepted"}, with the most severe findings first and including
 * accepted ones. New reference; NULL without memory, or if the config is wrong, after reporting
 * each problem.
 */
json_t *grc_audit(const char *config_dir, grc_report_fn *report, void *arg);
