/* The rows of "limits". */
#include "config/settings_rows.h"

#include <stdlib.h>

/* Parses "100/s", "600/m" or "10/h". */
static bool rate_parse(const char *text, struct grc_rate *ret_rate)
{
    char *end = NULL;
    unsigned long count;
    double per_s;

    if (text[0] < '0' || text[0] > '9')
        return false;
    count = strtoul(text, &end, 10);
    if (count < 1 || count > 1000000 || end[0] != '/')
        return false;
    if (strcmp(end, "/s") == 0)
        per_s = (double)count;
    else if (strcmp(end, "/m") == 0)
        per_s = (double)count / 60;
    else if (strcmp(end, "/h") == 0)
        per_s = (double)count / 3600;
    else
        return false;
    *ret_rate = (struct grc_rate){.per_s = per_s, .burst = (int64_t)count};
    return true;
}

static void read_rate(struct grc_reader *reader, const struct grc_path *path,
                      const struct grc_setting *key, const json_t *value, void *base)
{
    struct grc_rate rate;
    const char *text = NULL;

    if (json_is_string(value) && !grc_reader_text(reader, path, value, false, &text))
        return;
    if (!text || !rate_parse(text, &rate))
        grc_reader_expected(reader, path, key, NULL, value);
    else
        memcpy((char *)base + key->offset, &rate, sizeof(rate));
}

#define KEY_RATE(optional_)                                                                        \
    {                                                                                              \
        .name = "rate", .type = GRC_SETTING_CUSTOM, .optional = (optional_),                       \
        .offset = offsetof(struct grc_rate_settings, rate),                                        \
        .doc = "Requests in a second, minute or hour",                                             \
        .expected = "a rate such as \"100/s\", \"600/m\" or \"1000/h\"", .read = read_rate,        \
        .schema = "{\"type\":\"string\",\"pattern\":\"^[0-9]+/[smh]$|\\\\$\\\\{\"}"                \
    }
#define KEY_BURST                                                                                  \
    GRC_SETTING(grc_rate_settings, "burst", burst, GRC_SETTING_INT, "0",                           \
                "Requests at once after a quiet time; 0: the number in the rate",                  \
                .range = GR_RANGE(0, 1000000))
#define KEY_CONCURRENT                                                                             \
    GRC_SETTING(grc_rate_settings, "concurrent", concurrent, GRC_SETTING_INT, "0",                 \
                "Requests at the same time; 0: any number", .range = GR_RANGE(0, 1000000))

static const struct grc_setting who_keys[] = {KEY_RATE(true), KEY_BURST, KEY_CONCURRENT,
                                              GRC_SETTING_END};
static const struct grc_setting what_keys[] = {KEY_RATE(false), KEY_BURST, GRC_SETTING_END};

static const struct grc_map scopes_map = {
    .element_size = sizeof(struct grc_rate_settings),
    .count_offset = offsetof(struct grc_limits_settings, scope_count),
    .name_offset = offsetof(struct grc_rate_settings, name),
    .more = ":",
};
static const struct grc_map routes_map = {
    .element_size = sizeof(struct grc_rate_settings),
    .count_offset = offsetof(struct grc_limits_settings, route_count),
    .name_offset = offsetof(struct grc_rate_settings, name),
};

static const struct grc_setting shared_keys[] = {
    GRC_REDIS_URL_ROW(grc_shared_settings,
                      "Redis or Valkey server in which all gateways with the same URL count "
                      "together",
                      "Without it each gateway counts alone"),
    GRC_REDIS_CA_FILE_ROW(grc_shared_settings),
    GRC_SETTING(grc_shared_settings, "on_failure", closed, GRC_SETTING_FLAG, "local",
                "What happens to requests with a limit while the server cannot be reached: each "
                "gateway counts them alone, or they get 503",
                .values = GR_LIST("local", "closed")),
    GRC_REDIS_TIMEOUT_ROW(grc_shared_settings),
    GRC_SETTING_END,
};

const struct grc_setting grc_limits_rows[] = {
    GRC_SETTING(grc_limits_settings, "caller", caller, GRC_SETTING_OBJECT, NULL,
                "Limits of each caller", .keys = who_keys),
    GRC_SETTING(grc_limits_settings, "address", address, GRC_SETTING_OBJECT, NULL,
                "Limits of each address (of each /64 network with IPv6)", .keys = who_keys),
    GRC_SETTING(grc_limits_settings, "scopes", scopes, GRC_SETTING_MAP, "{}",
                "Limits of each caller on the routes of a scope", .keys = what_keys,
                .map = &scopes_map),
    GRC_SETTING(grc_limits_settings, "routes", routes, GRC_SETTING_MAP, "{}",
                "Limits of each caller on one route, by operation id", .keys = what_keys,
                .map = &routes_map),
    GRC_SETTING(
        grc_limits_settings, "in_flight", in_flight, GRC_SETTING_INT, "0",
        "Requests at the same time in the whole gateway; more are answered 503; 0: any number",
        .range = GR_RANGE(0, 1000000)),
    GRC_SETTING(
        grc_limits_settings, "shared", shared, GRC_SETTING_OBJECT, NULL,
        "Count over several gateways, for all limits except in_flight and for wrong credentials",
        .keys = shared_keys),
    GRC_SETTING_END,
};

static void settle_rate(struct grc_rate_settings *settings)
{
    if (settings->burst > 0)
        settings->rate.burst = settings->burst;
}

void grc_limits_settle(struct grc_limits_settings *limits)
{
    size_t i;

    settle_rate(&limits->caller);
    settle_rate(&limits->address);
    for (i = 0; i < limits->scope_count; i++)
        settle_rate(&limits->scopes[i]);
    for (i = 0; i < limits->route_count; i++)
        settle_rate(&limits->routes[i]);
}
