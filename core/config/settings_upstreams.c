/* The rows of "credentials" and "upstreams". */
#include "config/ca_file.h"
#include "config/settings_rows.h"

const struct grc_setting grc_credential_rows[] = {
    GRC_SETTING(
        grc_credential, "kind", kind, GRC_SETTING_CHOICE, "100ms",
        "\"100ms\" signs tokens with an access key and a secret; \"bearer\" sends a fixed token",
        .values = GR_LIST("100ms", "bearer")),
    GRC_SETTING(grc_credential, "access_key", access_key, GRC_SETTING_SECRET, NULL,
                "100ms: the access key of the workspace", .optional = true),
    GRC_SETTING(grc_credential, "secret", secret, GRC_SETTING_SECRET, NULL,
                "100ms: the app secret; bearer: the token"),
    GRC_SETTING(grc_credential, "lifetime", lifetime_ms, GRC_SETTING_MS, "24h",
                "100ms: lifetime of management tokens; they are renewed before they expire",
                .range = GR_RANGE(SECONDS(60), HOURS(24 * 14))),
    GRC_SETTING(grc_credential, "join_lifetime_max", join_lifetime_max_ms, GRC_SETTING_MS, "24h",
                "100ms: longest lifetime of a join token",
                .range = GR_RANGE(SECONDS(1), HOURS(24 * 14))),
    GRC_SETTING_END,
};

static const struct grc_setting breaker_keys[] = {
    GRC_SETTING(grc_breaker_settings, "enabled", enabled, GRC_SETTING_BOOL, "true",
                "Refuse calls at once while the upstream fails most of them"),
    GRC_SETTING(
        grc_breaker_settings, "min_calls", min_calls, GRC_SETTING_INT, "20",
        "Calls within 10 seconds before the breaker may open; the same number of failures in a row "
        "opens it at once",
        .range = GR_RANGE(1, 1000000)),
    GRC_SETTING(grc_breaker_settings, "error_percent", error_percent, GRC_SETTING_INT, "50",
                "Percentage of failed calls that opens the breaker", .range = GR_RANGE(1, 100)),
    GRC_SETTING(grc_breaker_settings, "open", open_ms, GRC_SETTING_MS, "2s",
                "Time until a trial call is let through", .range = GR_RANGE(10, HOURS(1))),
    GRC_SETTING_END,
};

const struct grc_setting grc_upstream_rows[] = {
    GRC_SETTING(grc_upstream_settings, "url", url, GRC_SETTING_STRING, NULL,
                "Base URL; the paths of the routes are appended", .convert = grc_url_convert,
                .expected = "an http or https URL without query"),
    GRC_SETTING(grc_upstream_settings, "credential", credential, GRC_SETTING_STRING, NULL,
                "Name of the credential that calls carry", .optional = true, .range = GR_MIN(1)),
    GRC_SETTING(grc_upstream_settings, "connect_timeout", connect_timeout_ms, GRC_SETTING_MS, "3s",
                "Time to connect", .range = GR_RANGE(1, HOURS(1))),
    GRC_SETTING(grc_upstream_settings, "timeout", timeout_ms, GRC_SETTING_MS, "30s",
                "Time for a whole call, retries included", .range = GR_RANGE(1, HOURS(1))),
    GRC_SETTING(grc_upstream_settings, "retries", retries, GRC_SETTING_INT, "2",
                "Retries of a failed call that is safe to repeat; also after a 429 or 503 whose "
                "Retry-After is at most 2 seconds",
                .range = GR_RANGE(0, 10)),
    GRC_SETTING(grc_upstream_settings, "connections_max", connections_max, GRC_SETTING_INT, NULL,
                "Calls at the same time; by default as many as requests wait for the upstream",
                .optional = true, .range = GR_RANGE(1, 65536)),
    GRC_SETTING(grc_upstream_settings, "idle_timeout", idle_timeout_ms, GRC_SETTING_MS, "30s",
                "How long an unused connection is kept; should be less than the upstream keeps it",
                .range = GR_RANGE(0, HOURS(1))),
    GRC_SETTING(grc_upstream_settings, "answer_max", answer_max_bytes, GRC_SETTING_BYTES, "16m",
                "Largest answer", .range = GR_RANGE(1024, MEBI(1024))),
    GRC_CA_FILE_SETTING(grc_upstream_settings, "ca_file", ca_file, ""),
    GRC_SETTING(grc_upstream_settings, "verify", verify, GRC_SETTING_BOOL, "true",
                "Check the upstream's certificate; false is for tests"),
    GRC_SETTING(grc_upstream_settings, "transport", curl_transport, GRC_SETTING_FLAG, "http1",
                "HTTP client for the calls: \"http1\" is the gateway's own strict HTTP/1.1 over "
                "connections that libcurl makes; \"curl\" is libcurl's, which tolerates deviations "
                "from the standard",
                .values = GR_LIST("http1", "curl")),
    GRC_SETTING(grc_upstream_settings, "http2", http2, GRC_SETTING_BOOL, "false",
                "Multiplex the calls over few TLS connections with libcurl's HTTP/2; an upstream "
                "that does not agree to HTTP/2 is called as \"transport\" says"),
    GRC_SETTING(grc_upstream_settings, "proxy", proxy, GRC_SETTING_STRING, NULL,
                "URL of an HTTP proxy to connect through", .optional = true,
                .convert = grc_url_convert, .expected = "an http or https URL without query"),
    GRC_SETTING(grc_upstream_settings, "breaker", breaker, GRC_SETTING_OBJECT, NULL,
                "Circuit breaker", .keys = breaker_keys),
    GRC_SETTING(
        grc_upstream_settings, "retry_percent", retry_percent, GRC_SETTING_INT, "20",
        "Most retries for every hundred calls of the last 10 seconds; ten are always allowed",
        .range = GR_RANGE(0, 100)),
    GRC_SETTING(grc_upstream_settings, "requests_max", requests_max, GRC_SETTING_INT, NULL,
                "Requests that may wait for the upstream at the same time; by default three "
                "quarters of server.requests_max",
                .optional = true, .range = GR_RANGE(1, 65536)),
    GRC_SETTING(grc_upstream_settings, "single_flight", single_flight, GRC_SETTING_BOOL, "true",
                "Make one call for identical GETs at the same time"),
    GRC_SETTING_END,
};

/* True when a group may use the credential: an upstream of the file refers to it, or takes the name
 * of its credential from the environment. */
static bool credential_needed(const struct grc_reader *reader, const char *name)
{
    json_t *upstreams = json_object_get(reader->root, "upstreams");
    const char *key;
    json_t *upstream;

    if (reader->idle)
        return false;
    json_object_foreach(upstreams, key, upstream) {
        const char *used = json_string_value(json_object_get(upstream, "credential"));

        if (used && (strcmp(used, name) == 0 || strstr(used, "${")))
            return true;
    }
    return false;
}

const struct grc_map grc_credential_map = {
    .element_size = sizeof(struct grc_credential),
    .count_offset = offsetof(struct grc_settings, credential_count),
    .name_offset = offsetof(struct grc_credential, name),
    .needed = credential_needed,
};
const struct grc_map grc_upstream_map = {
    .element_size = sizeof(struct grc_upstream_settings),
    .count_offset = offsetof(struct grc_settings, upstream_count),
    .name_offset = offsetof(struct grc_upstream_settings, name),
};
