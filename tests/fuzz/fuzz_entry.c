/* Sends bytes as a client of HTTP would. They pass through all parts of the gateway: connection,
 * framing, CivetWeb, route, CORS, limits, credentials, validation, handlers, error formats and
 * access log. Every answer must be valid HTTP/1.1, must come in time and must not have the status
 * 500. */
#include "fuzz/live.h"

#define CONFIG                                                                                     \
    "{\"server\": {\"cors\": {\"origins\": [\"https://app.example.org\"], \"credentials\": true}," \
    "  \"trusted_proxies\": [\"127.0.0.0/8\"], \"uri_max\": \"2k\", \"header_max\": \"4k\","       \
    "  \"body_max\": \"8k\", \"trace\": \"generate\"},"                                            \
    " \"auth\": {\"keys\": {}, \"none\": {\"scopes\": [\"*\"]}, \"throttle\": {\"failures\": 0},"  \
    "  \"jwt\": {\"main\": {\"keys\": [{\"alg\": \"HS256\", \"kid\": \"a\","                       \
    "   \"secret\": \"0123456789012345678901234567890123456789\"}]}}},"                            \
    " \"upstreams\": {\"api\": {\"url\": \"http://127.0.0.1:1\", \"retries\": 0}}}"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct live_group groups[] = {
        {"hello", "{}"}, {"rooms", "{\"prefix\": \"/v1\"}"}, {NULL, NULL}};
    static bool started;

    if (!started)
        (void)live_start(CONFIG, groups);
    started = true;
    (void)live_send((gr_str){(const char *)data, size}, false);
    return 0;
}
