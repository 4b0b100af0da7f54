/* Reads addresses of listeners, and URLs. */
#include "config/settings_rows.h"
#include "config/units.h"

#include <arpa/inet.h>

/* Splits "HOST:PORT" in place; the port must be 0 to 65535. */
static char *split_port(char *text, unsigned *ret_port)
{
    char *colon = strrchr(text, ':');
    int64_t port = -1;

    if (!colon || colon[1] == '-' || !grc_integer_parse(colon + 1, &port) || port < 0 ||
        port > 65535)
        return NULL;
    *colon = '\0';
    *ret_port = (unsigned)port;
    return text;
}

static bool parse_v6(char *host, struct grc_listen *listen)
{
    size_t len = strlen(host);
    struct in6_addr address;

    if (len < 4 || host[len - 1] != ']')
        return false;
    host[len - 1] = '\0';
    bool fine = inet_pton(AF_INET6, host + 1, &address) == 1;
    host[len - 1] = ']';
    listen->loopback = fine && (IN6_IS_ADDR_LOOPBACK(&address) ||
                                (IN6_IS_ADDR_V4MAPPED(&address) && address.s6_addr[12] == 127));
    return fine;
}

static bool parse_listen(struct grc_reader *reader, const char *text, struct grc_listen *listen)
{
    char *copy = grc_keep_copy(reader->keep, gr_str_of(text));
    struct in_addr address;

    if (!copy || !split_port(copy, &listen->port))
        return false;
    listen->address = copy;
    if (copy[0] == '[')
        return parse_v6(copy, listen);
    if (strcmp(copy, "localhost") == 0)
        listen->address = "127.0.0.1";
    if (inet_pton(AF_INET, listen->address, &address) != 1)
        return false;
    listen->loopback = ntohl(address.s_addr) >> 24 == 127;
    return true;
}

struct listen_object {
    const char *address;
    bool tls;
    bool proxy_protocol;
};
static const struct grc_setting listen_object_keys[] = {
    GRC_SETTING(listen_object, "address", address, GRC_SETTING_STRING, NULL, "ADDRESS:PORT",
                .expected = "\"ADDRESS:PORT\""),
    GRC_SETTING(listen_object, "tls", tls, GRC_SETTING_BOOL, "false", "Whether to speak HTTPS"),
    GRC_SETTING(listen_object, "proxy_protocol", proxy_protocol, GRC_SETTING_BOOL, "false",
                "Whether connections begin with a header of the PROXY protocol"),
    GRC_SETTING_END,
};

static bool read_listen(struct grc_reader *reader, const struct grc_path *path,
                        const struct grc_setting *key, const json_t *value,
                        struct grc_listen *ret_listen)
{
    struct grc_listen listen = {.address = NULL};
    const char *text = NULL;

    if (json_is_object(value)) {
        struct listen_object object = {.address = NULL};

        grc_setting_rows_read(reader, path, listen_object_keys, value, &object);
        text = object.address;
        listen.tls = object.tls;
        listen.proxy_protocol = object.proxy_protocol;
        if (!text)
            return false;
        value = json_object_get(value, "address");
    } else if (json_is_string(value)) {
        if (!grc_reader_text(reader, path, value, false, &text) || !text)
            return false;
    }
    if (!text || !parse_listen(reader, text, &listen)) {
        grc_reader_expected(reader, path, key, NULL, value);
        return false;
    }
    *ret_listen = listen;
    return true;
}

void grc_listen_read_one(struct grc_reader *reader, const struct grc_path *path,
                         const struct grc_setting *key, const json_t *value, void *base)
{
    struct grc_listen listen;

    if (read_listen(reader, path, key, value, &listen))
        memcpy((char *)base + key->offset, &listen, sizeof(listen));
}

void grc_listen_read(struct grc_reader *reader, const struct grc_path *path,
                     const struct grc_setting *key, const json_t *value, void *base)
{
    struct grc_settings *settings = base;
    const json_t *item;
    size_t i;

    if (!json_is_array(value)) {
        settings->listen_count = read_listen(reader, path, key, value, &settings->listen[0]);
        return;
    }
    if (json_array_size(value) == 0 || json_array_size(value) > GRC_LISTEN_MAX) {
        grc_reader_problem(reader, path, "expected 1 to %d listeners, found %zu", GRC_LISTEN_MAX,
                           json_array_size(value));
        return;
    }
    json_array_foreach(value, i, item) {
        const struct grc_path here = {.up = path, .index = i};
        struct grc_listen *slot = &settings->listen[settings->listen_count];

        settings->listen_count += read_listen(reader, &here, key, item, slot);
    }
}

/* Whether what follows the scheme begins with a host, and a port that can be called if there is
 * one. */
static bool has_good_authority(const char *text)
{
    size_t len = strcspn(text, "/");
    size_t host = text[0] == '[' ? strcspn(text, "]") + 1 : strcspn(text, ":/");
    char port[6] = "";
    int64_t number = 0;

    if (host == 0 || host > len)
        return false;
    if (host == len)
        return true;
    if (text[host] != ':' || len - host - 1 >= sizeof(port))
        return false;
    memcpy(port, text + host + 1, len - host - 1);
    return grc_integer_parse(port, &number) && number >= 1 && number <= 65535;
}

const char *grc_url_convert(struct grc_reader *reader, const char *text)
{
    size_t scheme = strncmp(text, "http://", 7) == 0    ? 7
                    : strncmp(text, "https://", 8) == 0 ? 8
                                                        : 0;
    size_t len = strlen(text);
    const unsigned char *at;

    if (scheme == 0 || strpbrk(text, "?#@\\ "))
        return NULL;
    for (at = (const unsigned char *)text; *at; at++) {
        if (*at < 0x21 || *at > 0x7e)
            return NULL;
    }
    while (len > scheme && text[len - 1] == '/')
        len--;
    if (len == scheme || !has_good_authority(text + scheme))
        return NULL;
    return grc_keep_copy(reader->keep, (gr_str){text, len});
}
