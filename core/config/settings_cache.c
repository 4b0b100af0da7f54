/* The rows of "cache", and those of a Redis or Valkey server, which "limits.shared" has too. */
#include "base/redis_url.h"
#include "config/settings_rows.h"

/* HS256 asks for as much (RFC 7518, section 3.2); both keys that are made from it have this size.
 */
#define SECRET_MIN 32u

const char *grc_redis_url_convert(struct grc_reader *reader, const char *text)
{
    struct grc_redis_url url;
    const char *problem = grc_redis_url_parse(text, &url);

    (void)reader;
    grc_redis_url_done(&url);
    return problem ? NULL : text;
}

static const char *secret_convert(struct grc_reader *reader, const char *text)
{
    (void)reader;
    return strlen(text) >= SECRET_MIN ? text : NULL;
}

static const struct grc_setting shared_keys[] = {
    GRC_REDIS_URL_ROW(grc_cache_shared_settings,
                      "Redis or Valkey server in which several gateways keep answers; it may be "
                      "that of limits.shared",
                      "Without it each gateway keeps its own"),
    GRC_REDIS_CA_FILE_ROW(grc_cache_shared_settings),
    GRC_REDIS_TIMEOUT_ROW(grc_cache_shared_settings),
    GRC_SETTING(grc_cache_shared_settings, "secret", secret, GRC_SETTING_SECRET, NULL,
                "Must be the same on all gateways, which encrypt answers in the server with it and "
                "refuse all others",
                .optional = true, .convert = secret_convert,
                .expected = "at least 32 characters, or {\"file\": \"PATH\"} with such a line"),
    GRC_SETTING(grc_cache_shared_settings, "recheck", recheck_ms, GRC_SETTING_MS, "1s",
                "How long a gateway serves its own copy of an answer before it asks the server "
                "whether the copy is still right; so long, it may not see a write through another "
                "gateway",
                .range = GR_RANGE(10, HOURS(1))),
    GRC_SETTING(grc_cache_shared_settings, "lease", lease_ms, GRC_SETTING_MS, "2s",
                "How long other gateways wait for one that asks the upstream, before they ask the "
                "upstream too",
                .range = GR_RANGE(10, SECONDS(60))),
    GRC_SETTING(grc_cache_shared_settings, "answer_max", answer_max_bytes, GRC_SETTING_BYTES,
                "256k", "A larger answer is kept by one gateway alone",
                .range = GR_RANGE(1024, MEBI(4))),
    GRC_SETTING_END,
};

const struct grc_setting grc_cache_rows[] = {
    GRC_SETTING(grc_gateway_cache_settings, "max", max_bytes, GRC_SETTING_BYTES, "16m",
                "Memory for answers that are kept for routes with a \"cache\" time; 0 keeps none",
                .range = GR_RANGE(0, MEBI(4096))),
    GRC_SETTING(grc_gateway_cache_settings, "shared", shared, GRC_SETTING_OBJECT, NULL,
                "Keeping answers together with other gateways", .keys = shared_keys),
    GRC_SETTING_END,
};

void grc_cache_settings_check(struct grc_reader *reader, const struct grc_settings *settings)
{
    const struct grc_path cache = {.name = "cache"};
    const struct grc_path here = {.up = &cache, .name = "shared"};

    if (reader->problems == 0 && settings->cache.shared.server.url &&
        !settings->cache.shared.secret)
        grc_reader_problem(reader, &here,
                           "no \"secret\": expected at least %u characters that all gateways have",
                           SECRET_MIN);
}
