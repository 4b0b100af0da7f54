/* The options that CivetWeb is started with. */
#include "http/civetweb.h"

#include <stdio.h>
#include <string.h>

#define NEVER_MS (24 * 60 * 60 * 1000)

static bool is_known_option(const char *name)
{
    for (const struct mg_option *option = mg_get_valid_options(); option->name; option++) {
        if (strcmp(option->name, name) == 0)
            return true;
    }
    return false;
}

/* Skips options that this build of CivetWeb does not know, since it was built without a feature. */
static void set(struct grc_http_options *options, const char *name, const char *value)
{
    if (!is_known_option(name) || options->count + 3 > sizeof(options->list) / sizeof(char *))
        return;
    options->list[options->count++] = name;
    options->list[options->count++] = value;
}

static void set_number(struct grc_http_options *options, const char *name, int64_t value)
{
    size_t max = sizeof(options->texts) / sizeof(options->texts[0]);

    if (options->text_count == max)
        return;
    char *text = options->texts[options->text_count++];
    snprintf(text, sizeof(options->texts[0]), "%lld", (long long)value);
    set(options, name, text);
}

static void set_ports(struct grc_http_options *options, const struct grc_listen *listen,
                      size_t count)
{
    size_t at = 0;

    for (size_t i = 0; i < count; i++) {
        int len = snprintf(options->ports + at, sizeof(options->ports) - at, "%s%.63s:%u",
                           i ? "," : "", listen[i].address, listen[i].port);
        if (len < 0 || (size_t)len >= sizeof(options->ports) - at)
            return;
        at += (size_t)len;
    }
    set(options, "listening_ports", options->ports);
}

void grc_http_fill_options(struct grc_http_options *options, const struct grc_http *http,
                           const struct grc_listen *listen, size_t count)
{
    set_ports(options, listen, count); /* HTTPS ports as well: CivetWeb never sees TLS */
    set_number(options, "num_threads", http->workers);
    set_number(options, "max_request_size", (int64_t)http->head_max + 1);
    set_number(options, "request_timeout_ms",
               NEVER_MS); /* an idle worker waits for the next head */
    set_number(options, "keep_alive_timeout_ms", NEVER_MS);
    set_number(options, "connection_queue", http->workers < 64 ? 64 : http->workers);
    set_number(options, "listen_backlog", 4096);
    set(options, "enable_keep_alive", "yes");
    set(options, "tcp_nodelay", "1");
    set(options, "decode_url", "no");
    set(options, "decode_query_string", "no");
    set(options, "allow_sendfile_call", "no");
    set(options, "enable_directory_listing", "no");
    set(options, "enable_auth_domain_check", "no");
    set(options, "authentication_domain", "greenroom.invalid");
    set(options, "access_control_allow_origin", "");
    set(options, "access_control_allow_methods", "");
    set(options, "access_control_allow_headers", "");
    set(options, "cgi_pattern", "");
    set(options, "ssi_pattern", "");
    set(options, "enable_websocket_ping_pong", "no");
}
