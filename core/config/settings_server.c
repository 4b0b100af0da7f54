/* The rows of "server" and "admin". */
#include "config/settings_rows.h"

#include <sys/resource.h>

#define REQUESTS_MIN 4096 /* of the default of requests_max */
#define REQUESTS_MAX 16384
#define OTHER_DESCRIPTORS 256 /* listeners, files, the admin's connections */

#define LISTEN_ONE                                                                                 \
    "{\"anyOf\":[{\"type\":\"string\"},{\"type\":\"object\",\"properties\":{"                      \
    "\"address\":{\"type\":\"string\"},\"tls\":{\"type\":\"boolean\",\"default\":false},"          \
    "\"proxy_protocol\":{\"type\":\"boolean\",\"default\":false}},"                                \
    "\"required\":[\"address\"],\"additionalProperties\":false}]}"

static const struct grc_setting cors_keys[] = {
    GRC_SETTING(
        grc_cors, "origins", origins, GRC_SETTING_LIST, "[]",
        "Origins that may call from a browser; \"*\" is any, an empty list switches CORS off"),
    GRC_SETTING(grc_cors, "headers", headers, GRC_SETTING_LIST,
                "Content-Type, Authorization, X-Request-Id",
                "Request headers that pages of these origins may send"),
    GRC_SETTING(grc_cors, "expose", expose, GRC_SETTING_LIST, "X-Request-Id, Retry-After",
                "Answer headers that pages of these origins may read"),
    GRC_SETTING(
        grc_cors, "credentials", credentials, GRC_SETTING_BOOL, "false",
        "Whether these pages may send cookies and credentials; not together with origin \"*\""),
    GRC_SETTING(grc_cors, "max_age", max_age_ms, GRC_SETTING_MS, "1h",
                "How long a browser may remember the answer to a preflight request",
                .range = GR_RANGE(0, HOURS(24))),
    GRC_SETTING_END,
};

static const struct grc_setting tls_keys[] = {
    GRC_FILE_SETTING(
        grc_tls_settings, "certificate", certificate,
        "PEM file with the certificate of HTTPS listeners and its chain; read again when it "
        "changes"),
    GRC_FILE_SETTING(grc_tls_settings, "key", key,
                     "PEM file with the private key; by default the certificate's file"),
    GRC_SETTING(grc_tls_settings, "hsts", hsts_ms, GRC_SETTING_MS, "180d",
                "How long browsers are told to use HTTPS only, in Strict-Transport-Security; 0 "
                "sends no such header",
                .range = GR_RANGE(0, HOURS(24 * 730))),
    GRC_FILE_SETTING(grc_tls_settings, "client_ca", client_ca,
                     "PEM file with the authorities whose client certificates are accepted"),
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

const struct grc_setting grc_server_rows[] = {
    GRC_SETTING(grc_settings, "listen", listen, GRC_SETTING_CUSTOM, "127.0.0.1:${PORT:-8080}",
                "Where to listen: ADDRESS:PORT, with an IP address or \"localhost\", which is "
                "127.0.0.1; or "
                "{\"address\", \"tls\", \"proxy_protocol\"}, or a list of them; with "
                "proxy_protocol, connections begin with the header of the PROXY protocol "
                "(version 1 or 2), which counts when one of trusted_proxies sends it",
                .read = grc_listen_read,
                .expected = "\"ADDRESS:PORT\" with an IP address or localhost, such as "
                            "\"127.0.0.1:8080\" or \"[::1]:8443\"",
                .schema = "{\"anyOf\":[" LISTEN_ONE ",{\"type\":\"array\",\"minItems\":1,"
                          "\"maxItems\":16,\"items\":" LISTEN_ONE "}]}"),
    GRC_SETTING(grc_settings, "workers", workers, GRC_SETTING_INT, "64",
                "Threads for requests that compute or block; one that waits for its client or its "
                "upstream needs none",
                .range = GR_RANGE(1, 4096)),
    GRC_SETTING(
        grc_settings, "requests_max", requests_max, GRC_SETTING_INT, NULL,
        "Requests in progress at the same time, those that wait included; above that, new "
        "ones get 503. By default two fifths of the descriptors, at least 4096 and at most 16384",
        .optional = true, .range = GR_RANGE(1, 65536)),
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
                "Tell clients in Server-Timing how many milliseconds the gateway itself, the wait "
                "for a worker, and upstreams took"),
    GRC_SETTING(
        grc_settings, "trace", trace_generates, GRC_SETTING_FLAG, "pass",
        "Whether the gateway only passes on traces that callers began (traceparent), or also "
        "begins a trace for each request that has none",
        .values = GR_LIST("pass", "generate")),
    GRC_SETTING(
        grc_settings, "trusted_proxies", proxies.texts, GRC_SETTING_LIST, "[]",
        "Addresses and networks (\"10.0.0.0/8\") of proxies that are trusted to name the client of "
        "a request; limits, throttling and the log then use that client's address"),
    GRC_SETTING(
        grc_settings, "proxy_header", proxies.forwarded, GRC_SETTING_FLAG, "X-Forwarded-For",
        "The header in which trusted proxies name the client; they must not pass on what a client "
        "itself sends in it",
        .values = GR_LIST("X-Forwarded-For", "Forwarded")),
    GRC_SETTING(grc_settings, "cors", cors, GRC_SETTING_OBJECT, NULL, "Requests from web pages",
                .keys = cors_keys),
    GRC_SETTING(grc_settings, "tls", tls, GRC_SETTING_OBJECT, NULL, "HTTPS listeners",
                .keys = tls_keys),
    GRC_SETTING(grc_settings, "user", user, GRC_SETTING_STRING, NULL,
                "User to become when started as root, before anything is served", .optional = true,
                .range = GR_MIN(1)),
    GRC_SETTING(grc_settings, "group", group, GRC_SETTING_STRING, NULL,
                "Group to become with server.user; by default that user's own", .optional = true,
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

const struct grc_setting grc_admin_rows[] = {
    GRC_SETTING(grc_settings, "listen", admin, GRC_SETTING_CUSTOM, NULL,
                "Where health, readiness and metrics are served, by separate workers",
                .optional = true, .read = grc_listen_read_one,
                .expected = "\"ADDRESS:PORT\" with an IP address or localhost, such as "
                            "\"127.0.0.1:9090\"",
                .schema = LISTEN_ONE),
    GRC_SETTING(grc_settings, "workers", admin_workers, GRC_SETTING_INT, "4",
                "Threads of the admin listener", .range = GR_RANGE(1, 64)),
    GRC_SETTING(grc_settings, "allow_unauthenticated_remote", admin_remote, GRC_SETTING_BOOL,
                "false",
                "Accept an address that other machines can reach, although health and metrics are "
                "served there without a credential"),
    GRC_SETTING_END,
};

/* A request may need two descriptors: one for its client, one for a call. The fifth that is left is
 * for clients that are idle. The hard limit counts, since the gateway raises its own limit to that
 * at the start. */
void grc_requests_settle(struct grc_settings *settings)
{
    int64_t others = settings->workers + settings->admin_workers + OTHER_DESCRIPTORS;
    struct rlimit limit;
    int64_t share = REQUESTS_MAX;

    if (settings->requests_max)
        return;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_max < INT32_MAX)
        share = ((int64_t)limit.rlim_max - others) * 2 / 5;
    settings->requests_max = share < REQUESTS_MIN   ? REQUESTS_MIN
                             : share > REQUESTS_MAX ? REQUESTS_MAX
                                                    : share;
}
