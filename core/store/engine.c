/* Error reports, for both engines. */
#include "store/engine.h"
#include "base/log.h"

/* Errors that plugins expect and handle are of no interest to an operator. */
static enum gr_log_level level_of(enum gr_err err)
{
    switch (err) {
    case GR_ERR_STORE_UNIQUE:
    case GR_ERR_STORE_FOREIGN:
    case GR_ERR_STORE_CHECK:
    case GR_ERR_STORE_BUSY:
        return GR_LOG_DEBUG;
    case GR_ERR_STORE_DOWN:
        return GR_LOG_WARN;
    default:
        return GR_LOG_ERROR;
    }
}

enum gr_err grc_store_complain(const struct grc_engine *engine, enum gr_err err, const char *code,
                               const char *message, const char *sql)
{
    if (level_of(err) <= grc_log_level()) {
        grc_log_fields(level_of(err), "store statement failed",
                       GRC_LOG_FIELDS(GRC_LT("store", engine->kind), GRC_LT("code", code),
                                      GRC_LT("reason", message), GRC_LT("sql", sql ? sql : "")));
    }
    return err;
}
