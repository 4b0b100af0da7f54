/* The rows of one file of plugins.d. */
#include "config/settings_rows.h"

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

#define CACHE_SCHEMA                                                                               \
    "{\"anyOf\":[{\"type\":[\"string\",\"integer\"]},{\"type\":\"object\",\"properties\":{"        \
    "\"ttl\":{\"type\":[\"string\",\"integer\"]},\"stale_if_error\":{\"type\":[\"string\","        \
    "\"integer\"]},\"stale_while_revalidate\":{\"type\":[\"string\",\"integer\"]}},"               \
    "\"additionalProperties\":false}]}"

static const struct grc_setting cache_keys[] = {
    GRC_SETTING(grc_cache_settings, "ttl", ttl_ms, GRC_SETTING_MS, "0",
                "How long an answer is served again", .range = GR_RANGE(0, HOURS(1))),
    GRC_SETTING(grc_cache_settings, "stale_if_error", stale_if_error_ms, GRC_SETTING_MS, "0",
                "How long an answer older than ttl is served while the upstream fails",
                .range = GR_RANGE(0, HOURS(24))),
    GRC_SETTING(grc_cache_settings, "stale_while_revalidate", stale_while_revalidate_ms,
                GRC_SETTING_MS, "0",
                "How long an answer older than ttl is served while one call fetches a new one",
                .range = GR_RANGE(0, HOURS(24))),
    GRC_SETTING_END,
};

/* Reads an object of these rows. Another value stands for the first of its members alone. */
static void read_short(struct grc_reader *reader, const struct grc_path *path,
                       const struct grc_setting *keys, const json_t *value, void *base)
{
    json_t *object = json_is_object(value) ? json_incref((json_t *)(uintptr_t)value)
                                           : json_pack("{sO}", keys[0].name, value);

    grc_setting_rows_read(reader, path, keys, object, base);
    json_decref(object);
}

/* "cache": "2s", or an object of cache_keys. */
static void read_cache(struct grc_reader *reader, const struct grc_path *path,
                       const struct grc_setting *key, const json_t *value, void *base)
{
    struct grc_route_settings *route = base;

    (void)key;
    read_short(reader, path, cache_keys, value, &route->cache);
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
                "Number of records from which on requests with a new key get 503",
                .range = GR_RANGE(1, 1e9)),
    GRC_SETTING_END,
};

/* "idempotency": "24h", or an object of idempotency_keys. */
static void read_idempotency(struct grc_reader *reader, const struct grc_path *path,
                             const struct grc_setting *key, const json_t *value, void *base)
{
    struct grc_plugin_settings *plugin = base;

    (void)key;
    read_short(reader, path, idempotency_keys, value, &plugin->idempotency);
}

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
        "object: \"ttl\" is that time; afterwards the answer is still served for "
        "\"stale_if_error\" while the upstream fails, and for \"stale_while_revalidate\" while one "
        "call fetches a new one",
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
                "Calls at the same time in the process; further calls wait in the gateway",
                .range = GR_RANGE(1, 256)),
    GRC_SETTING(grc_process_settings, "call_timeout", call_timeout_ms, GRC_SETTING_MS, "30s",
                "Time for a call whose route has no timeout; one second later the call counts as "
                "hung, and the process is ended and started again",
                .range = GR_RANGE(10, HOURS(1))),
    GRC_SETTING(grc_process_settings, "memory_max", memory_max_bytes, GRC_SETTING_BYTES, "512m",
                "Memory that the process may allocate (RLIMIT_DATA); 0: any",
                .range = GR_RANGE(0, MEBI(1024 * 1024))),
    GRC_SETTING(grc_process_settings, "descriptors_max", descriptors_max, GRC_SETTING_INT, "1024",
                "Files and connections that the process may have open",
                .range = GR_RANGE(64, 1048576)),
    GRC_SETTING(grc_process_settings, "cpu_max", cpu_max_ms, GRC_SETTING_MS, "0",
                "CPU time that the process may use in a minute, in whole seconds; after more it is "
                "ended and started again. 0: any",
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
        "Or an object: \"keep\" is that time, \"answer_max\" (256k) the largest answer that is "
        "kept, and \"records_max\" (1000000) the number of records from which on requests with a "
        "new key get 503. Unset: the header has no effect",
        .optional = true, .read = read_idempotency, .schema = IDEMPOTENCY_SCHEMA,
        .expected = "a duration such as \"24h\", or an object with \"keep\""),
    GRC_SETTING(grc_plugin_settings, "isolation", isolated, GRC_SETTING_FLAG, "none",
                "\"process\" runs the functions of the plugin in a process of their own, so that a "
                "crash or a hang costs the calls of this group alone",
                .values = GR_LIST("none", "process")),
    GRC_SETTING(grc_plugin_settings, "process", process, GRC_SETTING_OBJECT, NULL,
                "The process of a group with \"isolation\": \"process\"", .keys = process_keys),
    GRC_SETTING_END,
};
