/* The rows of "traces". */
#include "base/pairs.h"
#include "base/uri.h"
#include "config/ca_file.h"
#include "config/settings_rows.h"

#include <stdlib.h>

static const char *endpoint_convert(struct grc_reader *reader, const char *text)
{
    gr_str origin;
    const char *path;

    (void)reader;
    return grc_url_split(text, &origin, &path) ? text : NULL;
}

static const char *pairs_convert(struct grc_reader *reader, const char *text)
{
    (void)reader;
    return grc_pairs_good(gr_str_of(text)) ? text : NULL;
}

/* A number, or the text of one, which a variable has. */
static void read_ratio(struct grc_reader *reader, const struct grc_path *path,
                       const struct grc_setting *key, const json_t *value, void *base)
{
    struct grc_trace_settings *traces = base;
    const char *text = NULL;
    char *end = NULL;

    if (json_is_string(value) && (!grc_reader_text(reader, path, value, false, &text) || !text))
        return;
    double ratio = text ? strtod(text, &end) : json_number_value(value);
    bool read = text ? end != text && *end == '\0' : json_is_number(value);
    if (read && ratio >= 0 && ratio <= 1)
        traces->ratio = ratio;
    else
        grc_reader_expected(reader, path, key, NULL, value);
}

const struct grc_setting grc_traces_rows[] = {
    GRC_SETTING(grc_trace_settings, "url", url, GRC_SETTING_STRING, NULL,
                "Where spans are sent to, as OTLP over HTTP in JSON: the whole URL of a collector, "
                "such as \"http://127.0.0.1:4318/v1/traces\". Without it nothing is recorded",
                .optional = true, .convert = endpoint_convert,
                .expected = "an http or https URL without query"),
    {.name = "ratio",
     .type = GRC_SETTING_CUSTOM,
     .fallback = "1",
     .doc = "How many of the traces that begin here are recorded, from 0 (none) to 1 (all)",
     .expected = "a number from 0 to 1",
     .read = read_ratio,
     .schema = "{\"anyOf\":[{\"type\":\"number\",\"minimum\":0,\"maximum\":1},"
               "{\"type\":\"string\"}]}"},
    GRC_SETTING(grc_trace_settings, "sampler", ignores_parent, GRC_SETTING_FLAG,
                "parentbased_traceidratio",
                "Whether a trace that a caller began is recorded as its sampled flag says, or by "
                "the same ratio as others, so that callers do not decide",
                .values = GR_LIST("parentbased_traceidratio", "traceidratio")),
    GRC_SETTING(grc_trace_settings, "service_name", service_name, GRC_SETTING_STRING,
                "${OTEL_SERVICE_NAME:-}",
                "The resource attribute service.name; by default \"greenroom\"", .optional = true,
                .range = GR_RANGE(0, 255)),
    GRC_SETTING(grc_trace_settings, "resource", resource, GRC_SETTING_STRING,
                "${OTEL_RESOURCE_ATTRIBUTES:-}",
                "Further resource attributes: \"name=value,other=value\" with values "
                "percent-encoded. service.version and service.instance.id are always sent",
                .optional = true, .range = GR_RANGE(0, 4096), .convert = pairs_convert,
                .expected = "a list such as \"deployment.environment.name=production\""),
    GRC_SETTING(grc_trace_settings, "headers", headers, GRC_SETTING_SECRET, NULL,
                "Header fields for the collector, such as its key, in the form of \"resource\"",
                .optional = true, .convert = pairs_convert,
                .expected = "a list such as \"api-key=…\", or {\"file\": \"PATH\"} with such a "
                            "line"),
    GRC_CA_FILE_SETTING(grc_trace_settings, "ca_file", ca_file, "for the collector "),
    GRC_SETTING(grc_trace_settings, "queue", queue_max, GRC_SETTING_INT, "2048",
                "Spans that may wait for the collector; those beyond it are dropped and counted",
                .range = GR_RANGE(1, 65536)),
    GRC_SETTING(grc_trace_settings, "batch", batch_max, GRC_SETTING_INT, "512",
                "Spans that are sent together", .range = GR_RANGE(1, 8192)),
    GRC_SETTING(grc_trace_settings, "delay", delay_ms, GRC_SETTING_MS, "5s",
                "Longest time that a span waits for others", .range = GR_RANGE(10, SECONDS(60))),
    GRC_SETTING(grc_trace_settings, "timeout", timeout_ms, GRC_SETTING_MS, "10s",
                "Time for sending a batch, retries included", .range = GR_RANGE(10, SECONDS(60))),
    GRC_SETTING_END,
};
