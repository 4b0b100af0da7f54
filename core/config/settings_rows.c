/* The rows of the top level of greenroom.json, with "plugins", "docs", "log" and "audit". */
#include "config/settings_rows.h"

const char *grc_file_convert(struct grc_reader *reader, const char *text)
{
    return grc_reader_file(reader, text);
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

static const struct grc_setting plugins_keys[] = {
    GRC_FILE_SETTING(
        grc_settings, "directory", plugin_dir,
        "Where the shared objects are; by default beside the program or where they were "
        "installed",
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
                "Base URL of the API in its OpenAPI document; by default that of the first "
                "listener",
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
                "By default lines go to standard error, and so do those from before the gateway "
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

const struct grc_setting grc_settings_rows[] = {
    {.name = "$schema", .type = GRC_SETTING_NOTE, .doc = "For editors"},
    GRC_PART_SETTING("server", "The HTTP server", grc_server_rows),
    GRC_PART_SETTING("admin", "The admin listener", grc_admin_rows),
    GRC_SETTING(grc_settings, "credentials", credentials, GRC_SETTING_MAP, "{}",
                "Credentials of upstreams, by name", .keys = grc_credential_rows,
                .map = &grc_credential_map),
    GRC_SETTING(grc_settings, "upstreams", upstreams, GRC_SETTING_MAP, "{}",
                "The services behind the gateway, by name", .keys = grc_upstream_rows,
                .map = &grc_upstream_map),
    GRC_PART_SETTING("plugins", "The plugins", plugins_keys),
    GRC_SETTING(
        grc_settings, "store", store, GRC_SETTING_SECRET, "${GREENROOM_STORE:-sqlite:greenroom.db}",
        "Database for groups that keep data; a relative file is in state_directory",
        .optional = true, .convert = store_convert,
        .expected =
            "\"sqlite:FILE\" or \"postgres://…\", or {\"file\": \"PATH\"} with such a line"),
    GRC_FILE_SETTING(
        grc_settings, "state_directory", state_dir,
        "Directory for files that the gateway writes; by default beside the program in a build "
        "tree, else /var/lib/greenroom",
        .verify = grc_made_directory_verify, .env = "STATE_DIRECTORY"),
    GRC_SETTING(grc_settings, "auth", auth, GRC_SETTING_OBJECT, NULL,
                "Who may call; without a provider, every client that reaches the listener",
                .keys = grc_auth_rows),
    GRC_SETTING(grc_settings, "limits", limits, GRC_SETTING_OBJECT, NULL,
                "Limits on rates and on requests at the same time", .keys = grc_limits_rows),
    GRC_SETTING(grc_settings, "cache", cache, GRC_SETTING_OBJECT, NULL,
                "Answers that are kept for routes with a \"cache\" time", .keys = grc_cache_rows),
    GRC_SETTING(grc_settings, "docs", docs, GRC_SETTING_OBJECT, NULL,
                "The description of the API and its page", .keys = docs_keys),
    GRC_PART_SETTING("log", "The log", log_keys),
    GRC_SETTING(grc_settings, "traces", traces, GRC_SETTING_OBJECT, NULL,
                "Spans for an OpenTelemetry collector", .keys = grc_traces_rows),
    GRC_PART_SETTING("audit", "Exceptions for greenroom audit", audit_keys),
    GRC_SETTING_END,
};
