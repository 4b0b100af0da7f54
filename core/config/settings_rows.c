#include "config/settings_rows.h"

#include "config/ca_file.h"

const char *grc_file_convert(struct grc_reader *reader, const char *text)
{
    return grc_reader_file(reader, text);
}

/* Accepts "" or a path such as "/v1": no slash at its end, no empty segment, no parameter. */
static const char *prefix_convert(struct grc_reader *reader, const char *text)
{
    size_t len = strlen(text);
    size_t fine =
        strspn(text, "/abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.~");

    (void)reader;
    if (len == 0)
        return text;
    if (text[0] != '/' || text[len - 1] == '/' || fine != len || strstr(text, "//") ||
        strstr(text, "/."))
        return NULL;
    return text;
}

/* A relative library never leaves plugins.directory. */
static const char *library_convert(struct grc_reader *reader, const char *text)
{
    (void)reader;
    if (text[0] == '/')
        return text;
    return strstr(text, "..") || strchr(text, '/') ? NULL : text;
}

/* Checks the scheme. A relative path is completed later, when state_directory is known. */
static const char *store_convert(struct grc_reader *reader, const char *text)
{
    bool sqlite = strncmp(text, "sqlite:", 7) == 0 && text[7] != '\0';
    bool postgres =
        strncmp(text, "postgres://", 11) == 0 || strncmp(text, "postgresql://", 13) == 0;

    (void)reader;
    return sqlite || postgres ? text : NULL;
}

/* Reads "select", of which only null is accepted. */
static void read_select(struct grc_reader *reader, const struct grc_path *path,
                        const struct grc_setting *key, const json_t *value, void *base)
{
    struct grc_route_settings *route = base;

    if (json_is_null(value))
        route->whole_answer = true;
    else if (!json_is_true(value) && !json_is_string(value)) /* a string is the row's default */
        grc_reader_expected(reader, path, key, NULL, value);
}

static const char *upstream_path_convert(struct grc_reader *reader, const char *text)
{
    (void)reader;
    return text[0] == '/' ? text : NULL;
}

#define LISTEN_ONE                                                                                 \
    "{\"anyOf\":[{\"type\":\"string\"},{\"type\":\"object\",\"properties\":{"                      \
    "\"address\":{\"type\":\"string\"},\"tls\":{\"type\":\"boolean\",\"default\":false},"          \
    "\"proxy_protocol\":{\"type\":\"boolean\",\"default\":false}},"                                \
    "\"required\":[\"address\"],\"additionalProperties\":false}]}"

#define CACHE_SCHEMA                                                                               \
    "{\"anyOf\":[{\"type\":[\"string\",\"integer\"]},{\"type\":\"object\",\"properties\":{"        \
    "\"ttl\":{\"type\":[\"string\",\"integer\"]},\"stale_if_error\":{\"type\":[\"string\","        \
    "\"integer\"]},\"stale_while_revalidate\":{\"type\":[\"string\",\"integer\"]}},"               \
    "\"additionalProperties\":false}]}"

#define SECONDS(n_) ((n_)*1000.0)
#define HOURS(n_) ((n_)*3600000.0)
#define MEBI(n_) ((n_)*1048576.0)

static const struct grc_setting cache_keys[] = {
    GRC_SETTING(grc_cache_settings, "ttl", ttl_ms, GRC_SETTING_MS, "0",
                "How long an answer is served again", .range = GR_RANGE(0, HOURS(1))),
    GRC_SETTING(grc_cache_settings, "stale_if_error", stale_if_error_ms, GRC_SETTING_MS, "0",
                "How long after that it is served while the upstream fails",
                .range = GR_RANGE(0, HOURS(24))),
    GRC_SETTING(grc_cache_settings, "stale_while_revalidate", stale_while_revalidate_ms,
                GRC_SETTING_MS, "0",
                "How long after that it is served while one call fetches it again",
                .range = GR_RANGE(0, HOURS(24))),
    GRC_SETTING_END,
};

/* "cache": "2s", or an object of cache_keys. */
static void read_cache(struct grc_reader *reader, const struct grc_path *path,
                       const struct grc_setting *key, const json_t *value, void *base)
{
    struct grc_route_settings *route = base;
    json_t *times = json_is_object(value) ? json_incref((json_t *)(uintptr_t)value)
                                          : json_pack("{sO}", "ttl", value);

    (void)key;
    grc_setting_rows_read(reader, path, cache_keys, times, &route->cache);
    json_decref(times);
}

#define IDEMPOTENCY_SCHEMA                                                                         \
    "{\"anyOf\":[{\"type\":[\"string\",\"integer\"]},{\"type\":\"object\",\"properties\":{"        \
    "\"keep\":{\"type\":[\"string\",\"integer\"]},\"answer_max\":{\"type\":[\"string\","           \
    "\"integer\"]},\"records_max\":{\"type\":\"integer\"}},\"required\":[\"keep\"],"               \
    "\"additionalProperties\":false}]}"

static const struct grc_setting idempotency_keys[] = {
    GRC_SETTING(grc_idempotency_settings, "keep", keep_ms, GRC_SETTING_MS, NULL,
                "How long the answer to a request with an Idempotency-Key is given again",
                .range = GR_RANGE(SECONDS(1), HOURS(24 * 30))),
    GRC_SETTING(grc_idempotency_settings, "answer_max", answer_max_bytes, GRC_SETTING_BYTES, "256k",
                "A larger answer is not kept", .range = GR_RANGE(1024, MEBI(16))),
    GRC_SETTING(grc_idempotency_settings, "records_max", records_max, GRC_SETTING_INT, "1000000",
                "With so many records further requests with a key get 503",
                .range = GR_RANGE(1, 1e9)),
    GRC_SETTING_END,
};

/* "idempotency": "24h", or an object of idempotency_keys. */
static void read_idempotency(struct grc_reader *reader, const struct grc_path *path,
                             const struct grc_setting *key, const json_t *value, void *base)
{
    struct grc_plugin_settings *plugin = base;
    json_t *object = json_is_object(value) ? json_incref((json_t *)(uintptr_t)value)
                                           : json_pack("{sO}", "keep", value);

    (void)key;
    grc_setting_rows_read(reader, path, idempotency_keys, object, &plugin->idempotency);
    json_decref(object);
}

static const struct grc_setting cors_keys[] = {
    GRC_SETTING(
        grc_cors, "origins", origins, GRC_SETTING_LIST, "[]",
        "Origins that may call from a browser; \"*\" is any, an empty list switches CORS off"),
    GRC_SETTING(grc_cors, "headers", headers, GRC_SETTING_LIST,
                "Content-Type, Authorization, X-Request-Id",
                "Request headers that such a page may send"),
    GRC_SETTING(grc_cors, "expose", expose, GRC_SETTING_LIST, "X-Request-Id, Retry-After",
                "Answer headers that such a page may read"),
    GRC_SETTING(
        grc_cors, "credentials", credentials, GRC_SETTING_BOOL, "false",
        "Whether the page may send cookies and credentials; not together with origin \"*\""),
    GRC_SETTING(grc_cors, "max_age", max_age_ms, GRC_SETTING_MS, "1h",
                "How long a browser may remember the answer to a preflight request",
                .range = GR_RANGE(0, HOURS(24))),
    GRC_SETTING_END,
};

static const struct grc_setting tls_keys[] = {
    GRC_SETTING(
        grc_tls_settings, "certificate", certificate, GRC_SETTING_STRING, NULL,
        "PEM file with the certificate of HTTPS listeners and its chain; read again when it "
        "changes",
        .optional = true, .range = GR_MIN(1), .convert = grc_file_convert),
    GRC_SETTING(grc_tls_settings, "key", key, GRC_SETTING_STRING, NULL,
                "PEM file with the private key; by default the certificate's file",
                .optional = true, .range = GR_MIN(1), .convert = grc_file_convert),
    GRC_SETTING(grc_tls_settings, "hsts", hsts_ms, GRC_SETTING_MS, "180d",
                "How long browsers are told to use HTTPS only, in Strict-Transport-Security; 0 "
                "sends no such header",
                .range = GR_RANGE(0, HOURS(24 * 730))),
    GRC_SETTING(grc_tls_settings, "client_ca", client_ca, GRC_SETTING_STRING, NULL,
                "PEM file with the authorities whose client certificates are accepted",
                .optional = true, .range = GR_MIN(1), .convert = grc_file_convert),
    GRC_SETTING(grc_tls_settings, "client_certificate", client_certificate, GRC_SETTING_CHOICE,
                "none", "Whether clients show a certificate",
                .values = GR_LIST("none", "optional", "required")),
    GRC_SETTING(grc_tls_settings, "min_version", min_version, GRC_SETTING_CHOICE, "1.2",
                "Oldest version of TLS to accept", .values = GR_LIST("1.2", "1.3")),
    GRC_SETTING(grc_tls_settings, "ciphers", ciphers, GRC_SETTING_STRING, NULL,
                "TLS 1.2 ciphers by their OpenSSL names; each must have forward secrecy and "
                "authenticated encryption, and by default all of those are on",
                .optional = true, .range = GR_MIN(1)),
    GRC_SETTING_END,
};

static const struct grc_setting server_keys[] = {
    GRC_SETTING(
        grc_settings, "listen", listen, GRC_SETTING_CUSTOM, "127.0.0.1:${PORT:-8080}",
        "Where to listen: ADDRESS:PORT, or {\"address\", \"tls\", \"proxy_protocol\"}, or a list "
        "of "
        "them; with proxy_protocol, connections begin with the header of the PROXY protocol "
        "(version 1 or 2), which counts when one of trusted_proxies sends it",
        .read = grc_listen_read,
        .expected = "\"ADDRESS:PORT\" such as \"127.0.0.1:8080\" or \"[::1]:8443\"",
        .schema = "{\"anyOf\":[" LISTEN_ONE ",{\"type\":\"array\",\"minItems\":1,"
                  "\"maxItems\":16,\"items\":" LISTEN_ONE "}]}"),
    GRC_SETTING(grc_settings, "workers", workers, GRC_SETTING_INT, "64",
                "Threads for requests that compute or block; one that waits for its client or its "
                "upstream needs none",
                .range = GR_RANGE(1, 4096)),
    GRC_SETTING(grc_settings, "requests_max", requests_max, GRC_SETTING_INT, "4096",
                "Requests in progress at the same time, those that wait included; above that, new "
                "ones get 503",
                .range = GR_RANGE(1, 65536)),
    GRC_SETTING(grc_settings, "connections_max", connections_max, GRC_SETTING_INT, NULL,
                "Connections of clients at the same time, idle ones included; above that, requests "
                "on new ones get 503. By default as many as there are descriptors for",
                .optional = true, .range = GR_RANGE(1, 65536)),
    GRC_SETTING(grc_settings, "waiting_bytes_max", waiting_bytes_max, GRC_SETTING_BYTES, "256m",
                "Memory for incomplete bodies; above that, new requests with a body get 503",
                .range = GR_RANGE(65536, MEBI(65536))),
    GRC_SETTING(grc_settings, "body_max", body_max_bytes, GRC_SETTING_BYTES, "1m",
                "Largest request body, for routes without a limit of their own",
                .range = GR_RANGE(0, MEBI(1024))),
    GRC_SETTING(grc_settings, "body_timeout", body_timeout_ms, GRC_SETTING_MS, "10s",
                "Time a client has to send its body", .range = GR_RANGE(10, HOURS(1))),
    GRC_SETTING(grc_settings, "header_timeout", header_timeout_ms, GRC_SETTING_MS, "10s",
                "Time a client has to send its request line and headers",
                .range = GR_RANGE(10, HOURS(1))),
    GRC_SETTING(grc_settings, "keep_alive_timeout", keep_alive_timeout_ms, GRC_SETTING_MS, "5s",
                "How long an idle connection stays open; 0 closes after each answer",
                .range = GR_RANGE(0, HOURS(1))),
    GRC_SETTING(grc_settings, "header_max", header_max_bytes, GRC_SETTING_BYTES, "16k",
                "Most bytes of all header lines of a request; its target counts for uri_max",
                .range = GR_RANGE(1024, MEBI(1))),
    GRC_SETTING(grc_settings, "uri_max", uri_max_bytes, GRC_SETTING_BYTES, "8k",
                "Longest request target", .range = GR_RANGE(256, MEBI(1))),
    GRC_SETTING(grc_settings, "call_memory_max", call_memory_max_bytes, GRC_SETTING_BYTES, "32m",
                "Most memory that one request may use, its body and the values of its JSON "
                "included; a body with more values than fit gets 413",
                .range = GR_RANGE(65536, MEBI(4096))),
    GRC_SETTING(grc_settings, "drain_delay", drain_delay_ms, GRC_SETTING_MS, "0",
                "Time between the signal to stop and the drain; meanwhile /readyz fails, so that "
                "balancers notice, and requests are served as before",
                .range = GR_RANGE(0, HOURS(1))),
    GRC_SETTING(grc_settings, "drain_timeout", drain_timeout_ms, GRC_SETTING_MS, "10s",
                "Time that requests in progress get to end when the server stops; requests that "
                "still wait then get 503",
                .range = GR_RANGE(0, HOURS(1))),
    GRC_SETTING(grc_settings, "allow_unauthenticated_remote", allow_unauthenticated_remote,
                GRC_SETTING_BOOL, "false",
                "Listen beyond this machine although no client has to authenticate"),
    GRC_SETTING(
        grc_settings, "hosts", hosts, GRC_SETTING_LIST, "[]",
        "While callers need no credential: names in \"Host\" that are served beside those of "
        "this machine (\"localhost\", 127.0.0.1, [::1]); \"*\" serves any"),
    GRC_SETTING(grc_settings, "access_log", access_log, GRC_SETTING_BOOL, "true",
                "Write one line for each request"),
    GRC_SETTING(grc_settings, "server_timing", server_timing, GRC_SETTING_BOOL, "false",
                "Tell clients in Server-Timing how long the gateway itself, waiting for a worker "
                "and upstreams took, in milliseconds"),
    GRC_SETTING(grc_settings, "cache_max", cache_max_bytes, GRC_SETTING_BYTES, "16m",
                "Memory for answers that are kept for routes with a \"cache\" time; 0 keeps none",
                .range = GR_RANGE(0, MEBI(4096))),
    GRC_SETTING(
        grc_settings, "trace", trace_generates, GRC_SETTING_FLAG, "pass",
        "Whether traces that callers began (traceparent) are only passed on to upstreams, or each "
        "request without one also begins its own",
        .values = GR_LIST("pass", "generate")),
    GRC_SETTING(
        grc_settings, "trusted_proxies", proxies.texts, GRC_SETTING_LIST, "[]",
        "Addresses and networks (\"10.0.0.0/8\") of proxies that are trusted to name the client of "
        "a request; limits, throttling and the log then use that client's address"),
    GRC_SETTING(
        grc_settings, "proxy_header", proxies.forwarded, GRC_SETTING_FLAG, "X-Forwarded-For",
        "The header in which those proxies name the client; they must never pass it on as a client "
        "sent it",
        .values = GR_LIST("X-Forwarded-For", "Forwarded")),
    GRC_SETTING(grc_settings, "cors", cors, GRC_SETTING_OBJECT, NULL, "Requests from web pages",
                .keys = cors_keys),
    GRC_SETTING(grc_settings, "tls", tls, GRC_SETTING_OBJECT, NULL, "HTTPS listeners",
                .keys = tls_keys),
    GRC_SETTING(grc_settings, "user", user, GRC_SETTING_STRING, NULL,
                "User to become when started as root, before anything is served", .optional = true,
                .range = GR_MIN(1)),
    GRC_SETTING(grc_settings, "group", group, GRC_SETTING_STRING, NULL,
                "Group to become with it; by default the user's own", .optional = true,
                .range = GR_MIN(1)),
    GRC_SETTING(grc_settings, "core_dumps", core_dumps, GRC_SETTING_BOOL, "false",
                "Allow core dumps and debuggers, which see secrets"),
    GRC_SETTING(
        grc_settings, "civetweb", civetweb_any, GRC_SETTING_FLAG, "checked",
        "Whether to warn about a version of libcivetweb that this release was not tested with: "
        "\"checked\" warns, \"any\" does not",
        .values = GR_LIST("checked", "any")),
    GRC_SETTING_END,
};

static const struct grc_setting admin_keys[] = {
    GRC_SETTING(grc_settings, "listen", admin, GRC_SETTING_CUSTOM, NULL,
                "Where health, readiness and metrics are served, by separate workers",
                .optional = true, .read = grc_listen_read_one,
                .expected = "\"ADDRESS:PORT\" such as \"127.0.0.1:9090\"", .schema = LISTEN_ONE),
    GRC_SETTING(grc_settings, "workers", admin_workers, GRC_SETTING_INT, "4",
                "Threads of that listener", .range = GR_RANGE(1, 64)),
    GRC_SETTING(grc_settings, "allow_unauthenticated_remote", admin_remote, GRC_SETTING_BOOL,
                "false",
                "Accept an address that other machines can reach, although health and metrics are "
                "served there without a credential"),
    GRC_SETTING_END,
};

static const struct grc_setting credential_keys[] = {
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
                "Retries of a failed call that is safe to repeat", .range = GR_RANGE(0, 10)),
    GRC_SETTING(grc_upstream_settings, "connections_max", connections_max, GRC_SETTING_INT, "4096",
                "Calls at the same time", .range = GR_RANGE(1, 65536)),
    GRC_SETTING(grc_upstream_settings, "idle_timeout", idle_timeout_ms, GRC_SETTING_MS, "30s",
                "How long an unused connection is kept; should be less than the upstream keeps it",
                .range = GR_RANGE(0, HOURS(1))),
    GRC_SETTING(grc_upstream_settings, "answer_max", answer_max_bytes, GRC_SETTING_BYTES, "16m",
                "Largest answer", .range = GR_RANGE(1024, MEBI(1024))),
    GRC_SETTING(grc_upstream_settings, "ca_file", ca_file, GRC_SETTING_STRING, NULL,
                "PEM file of the certificate authorities to trust instead of the system's",
                .optional = true, .range = GR_MIN(1), .convert = grc_file_convert,
                .verify = grc_ca_file_verify),
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
    GRC_SETTING(grc_upstream_settings, "retry_after_max", retry_after_max_ms, GRC_SETTING_MS, "2s",
                "Longest Retry-After of a 429 or 503 that is waited out before a call that is safe "
                "to repeat is made again; 0 passes every such answer on",
                .range = GR_RANGE(0, SECONDS(60))),
    GRC_SETTING(grc_upstream_settings, "requests_max", requests_max, GRC_SETTING_INT, NULL,
                "Requests that may wait for it at the same time; by default three quarters of "
                "server.requests_max",
                .optional = true, .range = GR_RANGE(1, 65536)),
    GRC_SETTING(grc_upstream_settings, "single_flight", single_flight, GRC_SETTING_BOOL, "true",
                "Make one call for identical GETs at the same time"),
    GRC_SETTING_END,
};

static const struct grc_setting plugins_keys[] = {
    GRC_SETTING(grc_settings, "directory", plugin_dir, GRC_SETTING_STRING, NULL,
                "Where the shared objects are; by default beside the program or where they were "
                "installed",
                .optional = true, .range = GR_MIN(1), .convert = grc_file_convert,
                .verify = grc_directory_verify),
    GRC_SETTING(grc_settings, "on_error", plugin_error_skips, GRC_SETTING_FLAG, "stop",
                "Whether a plugin that does not load stops the start or is left out",
                .values = GR_LIST("stop", "skip")),
    GRC_SETTING_END,
};

static const char *log_file_convert(struct grc_reader *reader, const char *text)
{
    (void)reader;
    return text[0] == '/' && text[strlen(text) - 1] != '/' ? text : NULL;
}

static const char *journal_convert(struct grc_reader *reader, const char *text)
{
    (void)reader;
    return text[0] == '/' || strcmp(text, "auto") == 0 || strcmp(text, "off") == 0 ? text : NULL;
}

static const struct grc_setting docs_keys[] = {
    GRC_SETTING(grc_docs_settings, "public", is_public, GRC_SETTING_BOOL, "false",
                "Serve /docs and /openapi.json to every client of the API too, not only at the "
                "admin listener"),
    GRC_SETTING(grc_docs_settings, "url", url, GRC_SETTING_STRING, NULL,
                "The URL that clients put before paths, as the description names it; by default "
                "that of the first listener",
                .optional = true, .convert = grc_url_convert,
                .expected = "an http or https URL without query"),
    GRC_SETTING_END,
};

static const struct grc_setting log_keys[] = {
    GRC_SETTING(grc_settings, "level", log_level, GRC_SETTING_CHOICE, "info",
                "Least severe level to write", .values = GR_LIST("error", "warn", "info", "debug")),
    GRC_SETTING(grc_settings, "format", log_plain, GRC_SETTING_FLAG, "json",
                "One JSON object per line, or text for a person",
                .values = GR_LIST("json", "text")),
    GRC_SETTING(grc_settings, "file", log_file, GRC_SETTING_STRING, NULL,
                "File that lines are appended to; SIGUSR1 opens it again after it was moved away. "
                "By default they go to standard error, as does what is said before the gateway "
                "listens",
                .optional = true, .convert = log_file_convert,
                .expected = "an absolute path such as \"/var/log/greenroom/greenroom.log\""),
    GRC_SETTING(grc_settings, "journal", log_journal, GRC_SETTING_STRING, "auto",
                "Whether lines go to the systemd journal with the fields REQUEST_ID, OPERATION, "
                "GREENROOM_GROUP, HTTP_STATUS, TRACE_ID and SPAN_ID: \"auto\" when standard error "
                "is the journal's and there is no log.file, \"off\", or the path of its socket",
                .convert = journal_convert,
                .expected = "\"auto\", \"off\" or an absolute path such as "
                            "\"/run/systemd/journal/socket\""),
    GRC_SETTING(
        grc_settings, "buffer", log_buffer_bytes, GRC_SETTING_BYTES, "4m",
        "Memory for lines that wait to be written, so that no request waits for the log; lines "
        "beyond it are lost and counted; 0 writes each line at once",
        .range = GR_RANGE(0, MEBI(1024))),
    GRC_SETTING_END,
};

#define AUDIT_ID(name, id, severity, doc) id,
static const char *const audit_ids[] = {GRC_AUDIT_LIST(AUDIT_ID) NULL};
static const struct grc_setting audit_keys[] = {
    GRC_SETTING(grc_settings, "accept", audit_accepted, GRC_SETTING_LIST, "[]",
                "Rules whose findings are intended; greenroom audit --rules lists all rules",
                .values = audit_ids),
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

static const struct grc_map credential_map = {
    .element_size = sizeof(struct grc_credential),
    .count_offset = offsetof(struct grc_settings, credential_count),
    .name_offset = offsetof(struct grc_credential, name),
    .needed = credential_needed,
};
static const struct grc_map upstream_map = {
    .element_size = sizeof(struct grc_upstream_settings),
    .count_offset = offsetof(struct grc_settings, upstream_count),
    .name_offset = offsetof(struct grc_upstream_settings, name),
};

const struct grc_setting grc_settings_rows[] = {
    {.name = "$schema", .type = GRC_SETTING_NOTE, .doc = "For editors"},
    {.name = "server", .type = GRC_SETTING_OBJECT, .doc = "The HTTP server", .keys = server_keys},
    {.name = "admin", .type = GRC_SETTING_OBJECT, .doc = "The admin listener", .keys = admin_keys},
    GRC_SETTING(grc_settings, "credentials", credentials, GRC_SETTING_MAP, "{}",
                "Credentials of upstreams, by name", .keys = credential_keys,
                .map = &credential_map),
    GRC_SETTING(grc_settings, "upstreams", upstreams, GRC_SETTING_MAP, "{}",
                "The services behind the gateway, by name", .keys = grc_upstream_rows,
                .map = &upstream_map),
    {.name = "plugins", .type = GRC_SETTING_OBJECT, .doc = "The plugins", .keys = plugins_keys},
    GRC_SETTING(
        grc_settings, "store", store, GRC_SETTING_SECRET, "${GREENROOM_STORE:-sqlite:greenroom.db}",
        "Database for groups that keep data; a relative file is in state_directory",
        .optional = true, .convert = store_convert,
        .expected =
            "\"sqlite:FILE\" or \"postgres://…\", or {\"file\": \"PATH\"} with such a line"),
    GRC_SETTING(
        grc_settings, "state_directory", state_dir, GRC_SETTING_STRING, NULL,
        "Directory for files that the gateway writes; by default beside the program in a build "
        "tree, else /var/lib/greenroom",
        .optional = true, .range = GR_MIN(1), .convert = grc_file_convert,
        .verify = grc_made_directory_verify, .env = "STATE_DIRECTORY"),
    {.name = "auth",
     .type = GRC_SETTING_OBJECT,
     .offset = offsetof(struct grc_settings, auth),
     .doc = "Who may call; without a provider, every client that reaches the listener",
     .keys = grc_auth_rows},
    {.name = "limits",
     .type = GRC_SETTING_OBJECT,
     .offset = offsetof(struct grc_settings, limits),
     .doc = "Limits on rates and on requests at the same time",
     .keys = grc_limits_rows},
    GRC_SETTING(grc_settings, "docs", docs, GRC_SETTING_OBJECT, NULL,
                "The description of the API and its page", .keys = docs_keys),
    {.name = "log", .type = GRC_SETTING_OBJECT, .doc = "The log", .keys = log_keys},
    GRC_SETTING(grc_settings, "traces", traces, GRC_SETTING_OBJECT, NULL,
                "Spans for an OpenTelemetry collector", .keys = grc_traces_rows),
    {.name = "audit",
     .type = GRC_SETTING_OBJECT,
     .doc = "Exceptions for greenroom audit",
     .keys = audit_keys},
    GRC_SETTING_END,
};

static const struct grc_setting route_keys[] = {
    GRC_SETTING(grc_route_settings, "enabled", enabled, GRC_SETTING_BOOL, "true",
                "Whether the route is served"),
    GRC_SETTING(grc_route_settings, "upstream", upstream, GRC_SETTING_STRING, NULL,
                "One of \"upstreams\" to forward to, instead of the plugin's", .optional = true,
                .range = GR_MIN(1)),
    GRC_SETTING(
        grc_route_settings, "path", path, GRC_SETTING_STRING, NULL,
        "Path of the upstream, with the route's parameters in braces, instead of the plugin's",
        .optional = true, .convert = upstream_path_convert,
        .expected = "a path of the upstream such as \"/rooms/{roomId}\""),
    GRC_SETTING(grc_route_settings, "select", whole_answer, GRC_SETTING_CUSTOM, "true",
                "null passes on the whole answer of the upstream where the plugin passes on a part",
                .read = read_select, .expected = "null",
                .schema = "{\"type\":[\"null\",\"boolean\"]}"),
    GRC_SETTING(grc_route_settings, "scope", scope, GRC_SETTING_STRING, NULL,
                "Scope that callers need, instead of the plugin's", .optional = true,
                .range = GR_MIN(1)),
    GRC_SETTING(grc_route_settings, "timeout", timeout_ms, GRC_SETTING_MS, NULL,
                "Time for the upstream's answer, instead of the upstream's own", .optional = true,
                .range = GR_RANGE(1, HOURS(1))),
    GRC_SETTING(
        grc_route_settings, "cache", cache, GRC_SETTING_CUSTOM, "0",
        "How long an answer to a GET is kept and served again, such as \"2s\"; 0 keeps none. Or an "
        "object: \"ttl\" is that time; for \"stale_if_error\" after it the answer is served while "
        "the upstream fails, and for \"stale_while_revalidate\" while one call fetches it again",
        .read = read_cache, .expected = "a duration such as \"2s\", or an object with \"ttl\"",
        .schema = CACHE_SCHEMA),
    GRC_SETTING_END,
};
static const struct grc_map route_map = {
    .element_size = sizeof(struct grc_route_settings),
    .count_offset = offsetof(struct grc_plugin_settings, route_count),
    .name_offset = offsetof(struct grc_route_settings, id),
};

static const struct grc_setting process_keys[] = {
    GRC_SETTING(grc_process_settings, "threads", threads, GRC_SETTING_INT, "32",
                "Calls that it works on at the same time; further ones wait in the gateway",
                .range = GR_RANGE(1, 256)),
    GRC_SETTING(grc_process_settings, "call_timeout", call_timeout_ms, GRC_SETTING_MS, "30s",
                "Time for a call whose route has no timeout; one second later it counts as hung, "
                "and the process is ended and started again",
                .range = GR_RANGE(10, HOURS(1))),
    GRC_SETTING(grc_process_settings, "memory_max", memory_max_bytes, GRC_SETTING_BYTES, "512m",
                "Memory that it may allocate (RLIMIT_DATA); 0: any",
                .range = GR_RANGE(0, MEBI(1024 * 1024))),
    GRC_SETTING(grc_process_settings, "descriptors_max", descriptors_max, GRC_SETTING_INT, "1024",
                "Files and connections that it may have open", .range = GR_RANGE(64, 1048576)),
    GRC_SETTING(grc_process_settings, "cpu_max", cpu_max_ms, GRC_SETTING_MS, "0",
                "CPU time that it may use in a minute, in whole seconds; with more it is ended and "
                "started again. 0: any",
                .range = GR_RANGE(0, HOURS(2))),
    GRC_SETTING_END,
};

const struct grc_setting grc_plugin_file_rows[] = {
    {.name = "$schema", .type = GRC_SETTING_NOTE, .doc = "For editors"},
    GRC_SETTING(
        grc_plugin_settings, "library", library, GRC_SETTING_STRING, NULL,
        "File name of the shared object in plugins.directory, or an absolute path; by default "
        "NAME.so",
        .optional = true, .range = GR_MIN(1), .convert = library_convert,
        .expected = "a file name without directories, or an absolute path"),
    GRC_SETTING(grc_plugin_settings, "enabled", enabled, GRC_SETTING_BOOL, "true",
                "Whether the group is served"),
    GRC_SETTING(grc_plugin_settings, "prefix", prefix, GRC_SETTING_STRING, "",
                "Put before the paths of the group", .convert = prefix_convert,
                .expected = "\"\" or a path such as \"/v1\""),
    GRC_SETTING(grc_plugin_settings, "config", config, GRC_SETTING_RAW, "{}",
                "Options of the group"),
    GRC_SETTING(grc_plugin_settings, "routes", routes, GRC_SETTING_MAP, "{}",
                "Changes to single routes, by operation id; `greenroom routes` lists the ids",
                .keys = route_keys, .map = &route_map),
    GRC_SETTING(
        grc_plugin_settings, "calls_max", calls_max, GRC_SETTING_INT, NULL,
        "Requests of the group that are served at the same time; by default three quarters of "
        "server.requests_max",
        .optional = true, .range = GR_RANGE(1, 65536)),
    GRC_SETTING(
        grc_plugin_settings, "idempotency", idempotency, GRC_SETTING_CUSTOM, NULL,
        "How long the answer to a POST that creates something is kept in the store and given again "
        "to a caller who repeats it with the same Idempotency-Key, on any gateway with this store. "
        "An object names more: \"keep\", and \"answer_max\" (256k), over which an answer is not "
        "kept, and \"records_max\" (1000000), with which further requests with a key get 503. "
        "Unset: the header has no effect",
        .optional = true, .read = read_idempotency, .schema = IDEMPOTENCY_SCHEMA,
        .expected = "a duration such as \"24h\", or an object with \"keep\""),
    GRC_SETTING(grc_plugin_settings, "isolation", isolated, GRC_SETTING_FLAG, "none",
                "\"process\" runs the functions of the plugin in a process of their own, so that a "
                "crash or a hang costs the calls of this group alone",
                .values = GR_LIST("none", "process")),
    GRC_SETTING(grc_plugin_settings, "process", process, GRC_SETTING_OBJECT, NULL,
                "With that isolation: the process", .keys = process_keys),
    GRC_SETTING_END,
};
