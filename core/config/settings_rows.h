/* The rows of the config files: a table for each file, and one for each object in them whose rows
 * stand in a source of their own. Private to core/config. */
#pragma once

#include "config/ca_file.h"
#include "config/setting.h"

/* Durations in milliseconds and sizes in bytes, for the ranges of rows. */
#define SECONDS(n_) ((n_)*1000.0)
#define HOURS(n_) ((n_)*3600000.0)
#define MEBI(n_) ((n_)*1048576.0)

/* greenroom.json, into a struct grc_settings. */
extern const struct grc_setting grc_settings_rows[];
/* One plugins.d file, into a struct grc_plugin_settings. */
extern const struct grc_setting grc_plugin_file_rows[];
/* "server" and "admin", into a struct grc_settings. */
extern const struct grc_setting grc_server_rows[];
extern const struct grc_setting grc_admin_rows[];
/* One value of "credentials", into a struct grc_credential. */
extern const struct grc_setting grc_credential_rows[];
extern const struct grc_map grc_credential_map;
/* One value of "upstreams", into a struct grc_upstream_settings. */
extern const struct grc_setting grc_upstream_rows[];
extern const struct grc_map grc_upstream_map;

/* Reads "127.0.0.1:8080", {"address": …, "tls": true} or a list of them into listen, listen_count.
 */
void grc_listen_read(struct grc_reader *reader, const struct grc_path *path,
                     const struct grc_setting *key, const json_t *value, void *base);
/* Reads one listener into the struct grc_listen at the row's offset. */
void grc_listen_read_one(struct grc_reader *reader, const struct grc_path *path,
                         const struct grc_setting *key, const json_t *value, void *base);
/* Checks an http or https URL, and drops its trailing slashes. */
const char *grc_url_convert(struct grc_reader *reader, const char *text);

/* "cache", into a struct grc_gateway_cache_settings, and its check. */
extern const struct grc_setting grc_cache_rows[];
void grc_cache_settings_check(struct grc_reader *reader, const struct grc_settings *settings);

/* The name of a file, which may be absent. */
#define GRC_FILE_SETTING(struct_, name_, member_, ...)                                             \
    GRC_SETTING(struct_, name_, member_, GRC_SETTING_STRING, NULL, __VA_ARGS__, .optional = true,  \
                .range = GR_MIN(1), .convert = grc_file_convert)
#define GRC_CA_FILE_SETTING(struct_, name_, member_, for_what_)                                    \
    GRC_FILE_SETTING(struct_, name_, member_,                                                      \
                     "PEM file of the certificate authorities to trust " for_what_                 \
                     "instead of the system's",                                                    \
                     .verify = grc_ca_file_verify)
/* An object whose members are members of the struct that the row itself is for. */
#define GRC_PART_SETTING(name_, doc_, ...)                                                         \
    {                                                                                              \
        .name = (name_), .type = GRC_SETTING_OBJECT, .doc = (doc_), .keys = __VA_ARGS__            \
    }

/* The rows of a struct grc_redis_settings, which is the member `server` of struct_. */
#define GRC_REDIS_URL_ROW(struct_, doc_, without_)                                                 \
    GRC_SETTING(struct_, "url", server.url, GRC_SETTING_SECRET, NULL,                              \
                doc_ ": redis://[[USER]:PASSWORD@]HOST[:PORT][/DATABASE] or "                      \
                     "unix://[[USER]:PASSWORD@]/PATH[?db=DATABASE]. " without_,                    \
                .optional = true, .convert = grc_redis_url_convert,                                \
                .expected = "a URL such as \"redis://:PASSWORD@HOST:6379/0\" or "                  \
                            "\"unix:///run/redis/redis.sock\" (user and password "                 \
                            "percent-encoded), or {\"file\": \"PATH\"} with such a line")
#define GRC_REDIS_CA_FILE_ROW(struct_)                                                             \
    GRC_CA_FILE_SETTING(struct_, "ca_file", server.ca_file, "for rediss:// ")
#define GRC_REDIS_TIMEOUT_ROW(struct_)                                                             \
    GRC_SETTING(struct_, "timeout", server.timeout_ms, GRC_SETTING_MS, "250ms",                    \
                "How long to wait for an answer of the server",                                    \
                .range = GR_RANGE(10, SECONDS(10)))
const char *grc_redis_url_convert(struct grc_reader *reader, const char *text);

/* Checks what involves several keys. */
void grc_settings_check(struct grc_reader *reader, const struct grc_settings *settings);
/* Checks the files that the gateway will write, when their places are settled. */
void grc_settings_check_places(struct grc_reader *reader, const struct grc_settings *settings);

/* "auth" into a struct grc_auth_settings, and "limits" into a struct grc_limits_settings. */
extern const struct grc_setting grc_auth_rows[];
extern const struct grc_setting grc_limits_rows[];
/* "traces" into a struct grc_trace_settings. */
extern const struct grc_setting grc_traces_rows[];
/* Reads the networks of server.trusted_proxies. */
void grc_proxies_settle(struct grc_reader *reader, struct grc_proxies *proxies);
/* Checks server.cors for origins that can never match. */
void grc_cors_check(struct grc_reader *reader, const struct grc_cors *cors);
/* Checks "auth" for what involves several keys. */
void grc_auth_check(struct grc_reader *reader, const struct grc_settings *settings);
/* Sets the default of server.requests_max, which depends on the limit of descriptors. */
void grc_requests_settle(struct grc_settings *settings);
/* Sets the bursts, which depend on the rates. */
void grc_limits_settle(struct grc_limits_settings *limits);
/* Sets the path of the keys file, which depends on state_directory. */
void grc_auth_settle(struct grc_reader *reader, struct grc_settings *settings);
/* grc_verify_fn of a directory that has to be there, and of one that the gateway makes. */
void grc_directory_verify(struct grc_reader *reader, const struct grc_path *path, const char *file);
void grc_made_directory_verify(struct grc_reader *reader, const struct grc_path *path,
                               const char *file);
/* Makes a relative file name start at the config directory. */
const char *grc_file_convert(struct grc_reader *reader, const char *text);
