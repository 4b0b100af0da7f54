#include "cmd/audit.h"

#include "base/file.h"
#include "base/format.h"
#include "base/redis_url.h"
#include "config/env.h"
#include "config/ownership.h"
#include "config/source.h"
#include "server/runtime_build.h"

#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define HS256_BYTES_MIN 32u

#define AUDIT_ROW(name, id, severity, doc) [GRC_AUDIT_##name] = {id, GRC_SEVERITY_##severity, doc},
const struct grc_audit_row grc_audit_rows[GRC_AUDIT_COUNT] = {GRC_AUDIT_LIST(AUDIT_ROW)};

const char *grc_severity_name(enum grc_severity severity)
{
    static const char *const names[] = {
        [GRC_SEVERITY_LOW] = "low",
        [GRC_SEVERITY_MEDIUM] = "medium",
        [GRC_SEVERITY_HIGH] = "high",
    };

    return names[severity];
}

/* The state of an audit. */
struct audit {
    const struct grc_settings *settings;
    const struct grc_runtime *runtime;
    json_t *secrets; /* object: the names of files, and what about them is secret */
    json_t *findings;
};

/* --- findings --- */

static bool accepted(const struct audit *audit, const char *id)
{
    const char *const *known = audit->settings->audit_accepted;

    while (known && *known && strcmp(*known, id) != 0)
        known++;
    return known && *known;
}

/* Adds a finding. Steals where and found. */
static void find(struct audit *audit, enum grc_audit_rule rule, char *where, char *found)
{
    const struct grc_audit_row *row = &grc_audit_rows[rule];

    json_array_append_new(audit->findings,
                          json_pack("{s:s, s:s, s:s, s:s, s:s, s:b}", "rule", row->id, "severity",
                                    grc_severity_name(row->severity), "where", where ? where : "",
                                    "found", found ? found : "", "means", row->doc, "accepted",
                                    accepted(audit, row->id)));
    free(where);
    free(found);
}

/* The place and path of the setting with these names, such as "greenroom.json:3:5: server.listen".
 * two and three may be NULL. */
static char *place_of(const struct audit *audit, const char *one, const char *two,
                      const char *three)
{
    const struct grc_path first = {.name = one};
    const struct grc_path second = {.up = &first, .name = two};
    const struct grc_path third = {.up = &second, .name = three};

    return grc_source_place_main(audit->settings->dir, three ? &third : two ? &second : &first);
}

/* --- listeners --- */

static bool is_open(const struct grc_auth_settings *auth)
{
    return !auth->keys_file && auth->jwt_count == 0 && !auth->none_scopes;
}

static bool anyone_may_all(const struct grc_auth_settings *auth)
{
    for (size_t i = 0; auth->none_scopes && auth->none_scopes[i]; i++) {
        if (strcmp(auth->none_scopes[i], "*") == 0)
            return true;
    }
    return false;
}

static void look_at_listener(struct audit *audit, const struct grc_listen *listen)
{
    const struct grc_settings *settings = audit->settings;

    if (!listen->address || listen->loopback)
        return;
    if (is_open(&settings->auth))
        find(audit, GRC_AUDIT_OPEN_REMOTE, place_of(audit, "server", "listen", NULL),
             grc_format("%s:%u", listen->address, listen->port));
    if (anyone_may_all(&settings->auth))
        find(audit, GRC_AUDIT_ANY_CALLER, place_of(audit, "auth", "none", NULL),
             grc_format("\"*\", and %s:%u", listen->address, listen->port));
    if (!listen->tls)
        find(audit, GRC_AUDIT_PLAIN_REMOTE, place_of(audit, "server", "listen", NULL),
             grc_format("%s:%u without \"tls\": true", listen->address, listen->port));
}

static void look_at_listeners(struct audit *audit)
{
    const struct grc_settings *settings = audit->settings;

    for (size_t i = 0; i < settings->listen_count; i++)
        look_at_listener(audit, &settings->listen[i]);
    if (settings->admin.address && !settings->admin.loopback)
        find(audit, GRC_AUDIT_ADMIN_REMOTE, place_of(audit, "admin", "listen", NULL),
             grc_format("%s:%u", settings->admin.address, settings->admin.port));
    for (size_t i = 0; i < settings->proxies.count; i++) {
        unsigned bits = settings->proxies.networks[i].bits;

        if (bits == 0 || (bits == 96 && strchr(settings->proxies.texts[i], '.')))
            find(audit, GRC_AUDIT_PROXY_ANY, place_of(audit, "server", "trusted_proxies", NULL),
                 grc_format("\"%s\"", settings->proxies.texts[i]));
    }
}

static void look_at_cors(struct audit *audit)
{
    const struct grc_cors *cors = &audit->settings->cors;

    for (size_t i = 0; cors->origins && cors->origins[i]; i++) {
        const char *origin = cors->origins[i];

        if (strcmp(origin, "*") == 0 && is_open(&audit->settings->auth))
            find(audit, GRC_AUDIT_CORS_ANY, place_of(audit, "server", "cors", "origins"),
                 grc_format("\"*\", and no provider under \"auth\""));
        if (cors->credentials && strncmp(origin, "http://", 7) == 0 &&
            strncmp(origin, "http://localhost", 16) != 0)
            find(audit, GRC_AUDIT_CORS_CREDENTIALS, place_of(audit, "server", "cors", "origins"),
                 grc_format("\"%s\", and \"credentials\": true", origin));
    }
}

/* --- secrets --- */

static void note_file(struct audit *audit, const char *dir, const char *text)
{
    char name[128];
    struct grc_buf buf;

    grc_buf_init(&buf, PATH_MAX);
    bool known = grc_expand(&buf, gr_str_of(text), false, name, sizeof(name)) == GRC_EXPAND_OK;
    char *file = !known || !buf.ptr  ? NULL
                 : buf.ptr[0] == '/' ? strdup(buf.ptr)
                                     : grc_path_join(dir, buf.ptr);
    if (file)
        (void)json_object_set_new(audit->secrets, file, json_string("is a secret"));
    free(file);
    grc_buf_done(&buf);
}

/* Is called for every value. Notes the config files in which secrets are written, and the files
 * from which secrets are read. */
static void note_secret(void *arg, const struct grc_note *note)
{
    struct audit *audit = arg;
    const char *text = json_string_value(note->value);
    const char *file = json_string_value(json_object_get(note->value, "file"));

    if (note->key->type != GRC_SETTING_SECRET || note->origin != GRC_ORIGIN_FILE)
        return;
    if (text && text[0] && !strstr(text, "${"))
        (void)json_object_set_new(audit->secrets, note->reader->where, json_string("has a secret"));
    if (file)
        note_file(audit, note->reader->dir, file);
}

static void look_at_secret_file(struct audit *audit, const char *file, const char *what)
{
    struct stat info;

    if (file && stat(file, &info) == 0 && S_ISREG(info.st_mode) && (info.st_mode & S_IROTH))
        find(audit, GRC_AUDIT_SECRET_READABLE, strdup(file),
             grc_format("%s, mode %03o", what, info.st_mode & 0777u));
}

static void look_at_short(struct audit *audit, const struct grc_credential *credential)
{
    size_t len = credential->secret ? strlen(credential->secret) : 0;

    if (credential->kind == GRC_CREDENTIAL_100MS && len > 0 && len < HS256_BYTES_MIN)
        find(audit, GRC_AUDIT_SECRET_SHORT,
             place_of(audit, "credentials", credential->name, "secret"),
             grc_format("%zu byte%s", len, grc_plural(len)));
}

/* A secret of an issuer should be as long as the hash that its algorithm names, such as HS512. */
static void look_at_issuer(struct audit *audit, const struct grc_jwt_settings *jwt)
{
    const struct grc_path root = {.name = "auth"};
    const struct grc_path providers = {.up = &root, .name = "jwt"};
    const struct grc_path provider = {.up = &providers, .name = jwt->name};
    const struct grc_path keys = {.up = &provider, .name = "keys"};

    for (size_t i = 0; i < jwt->key_count; i++) {
        const struct grc_path key = {.up = &keys, .index = i};
        const struct grc_path secret = {.up = &key, .name = "secret"};
        const struct grc_auth_key_settings *set = &jwt->keys[i];
        size_t len = set->secret ? strlen(set->secret) : 0;

        if (len > 0 && len < strtoul(set->alg + strlen("HS"), NULL, 10) / 8)
            find(audit, GRC_AUDIT_SECRET_SHORT,
                 grc_source_place_main(audit->settings->dir, &secret),
                 grc_format("%zu byte%s, for %s", len, grc_plural(len), set->alg));
    }
}

static void look_at_secrets(struct audit *audit)
{
    const struct grc_settings *settings = audit->settings;
    char *environment = grc_path_join(settings->dir, "environment");
    const char *file;
    json_t *value;

    json_object_foreach(audit->secrets, file, value)
        look_at_secret_file(audit, file, json_string_value(value));
    look_at_secret_file(audit, environment, "the variables of the service");
    look_at_secret_file(audit, settings->tls.key ? settings->tls.key : settings->tls.certificate,
                        "the private key of HTTPS");
    look_at_secret_file(audit, settings->auth.keys_file, "the digests of API keys");
    free(environment);
    for (size_t i = 0; i < settings->credential_count; i++)
        look_at_short(audit, &settings->credentials[i]);
    for (size_t i = 0; i < settings->auth.jwt_count; i++)
        look_at_issuer(audit, &settings->auth.jwt[i]);
}

/* --- upstreams --- */

/* Whether the host at the beginning of the text is this machine. */
static bool is_near(const char *text)
{
    size_t len = text[0] == '[' ? strcspn(text, "]") + 1 : strcspn(text, ":/");
    gr_str host = {text, len};

    return gr_str_eq(host, GR_STR("localhost")) || gr_str_eq(host, GR_STR("[::1]")) ||
           (strncmp(text, "127.", 4) == 0 && strspn(text, "0123456789.") == len);
}

static void look_at_upstreams(struct audit *audit)
{
    const struct grc_settings *settings = audit->settings;

    for (size_t i = 0; i < settings->upstream_count; i++) {
        const struct grc_upstream_settings *upstream = &settings->upstreams[i];

        if (!upstream->url)
            continue;
        if (strncmp(upstream->url, "http://", 7) == 0 && !is_near(upstream->url + 7))
            find(audit, GRC_AUDIT_UPSTREAM_PLAIN,
                 place_of(audit, "upstreams", upstream->name, "url"),
                 grc_format("%s", upstream->url));
        if (!upstream->verify && strncmp(upstream->url, "https://", 8) == 0)
            find(audit, GRC_AUDIT_UPSTREAM_UNVERIFIED,
                 place_of(audit, "upstreams", upstream->name, "verify"), grc_format("false"));
    }
}

/* --- servers of the gateway --- */

/* Names the host without the rest of the URL, which may have a password. */
static void look_at_redis(struct audit *audit, const char *part, const char *text)
{
    struct grc_redis_url url = {.host = NULL};

    if (text && !grc_redis_url_parse(text, &url) && url.host && !url.password &&
        strcmp(url.host, "::1") != 0 && !is_near(url.host))
        find(audit, GRC_AUDIT_REDIS_OPEN, place_of(audit, part, "shared", "url"),
             grc_format("%s:%u", url.host, url.port));
    grc_redis_url_done(&url);
}

/* --- files that other users can change --- */

static void find_writable(void *arg, const char *path, const char *found)
{
    find(arg, GRC_AUDIT_WRITABLE, grc_format("%s", path), grc_format("%s", found));
}

static void look_at_writables(struct audit *audit)
{
    grc_config_owned_by_others(audit->settings, find_writable, audit);
    for (size_t i = 0; i < audit->runtime->plugin_count; i++) {
        const struct grc_plugin *plugin = audit->runtime->plugins[i];
        char *found = plugin->settings && plugin->state == GRC_LOAD_OK
                          ? grc_owned_by_others(audit->settings, plugin->file)
                          : NULL;

        if (found)
            find_writable(audit, plugin->file, found);
        free(found);
    }
}

/* --- limits --- */

static bool is_limited(const struct grc_limits_settings *limits, const struct grc_route *route)
{
    if (limits->caller.rate.per_s > 0 || limits->address.rate.per_s > 0)
        return true;
    for (size_t i = 0; i < limits->scope_count; i++) {
        if (route->scope && strcmp(limits->scopes[i].name, route->scope) == 0)
            return true;
    }
    for (size_t i = 0; i < limits->route_count; i++) {
        if (strcmp(limits->routes[i].name, route->row->id) == 0)
            return true;
    }
    return false;
}

static void look_at_tokens(struct audit *audit)
{
    for (size_t p = 0; p < audit->runtime->plugin_count; p++) {
        const struct grc_plugin *plugin = audit->runtime->plugins[p];

        for (size_t r = 0; plugin->state == GRC_LOAD_OK && r < plugin->route_count; r++) {
            const struct grc_route *route = &plugin->routes[r];

            if (route->scope && strcmp(route->scope, "tokens:write") == 0 &&
                !is_limited(&audit->settings->limits, route))
                find(audit, GRC_AUDIT_TOKENS_UNLIMITED, place_of(audit, "limits", NULL, NULL),
                     grc_format("%s", route->row->id));
        }
    }
}

/* --- the process --- */

static void look_at_process(struct audit *audit)
{
    const struct grc_settings *settings = audit->settings;
    struct stat info;

    /* The owner of the state directory is the user that the gateway runs as, which the service
     * manager may set. In a container the directory can be a volume that belongs to root, and in
     * which the user of the image, who runs this command, may write. */
    bool asked_by_user =
        geteuid() != 0 && faccessat(AT_FDCWD, settings->state_dir, W_OK, AT_EACCESS) == 0;

    if (!settings->user && !asked_by_user && stat(settings->state_dir, &info) == 0 &&
        info.st_uid == 0)
        find(audit, GRC_AUDIT_STAYS_ROOT, place_of(audit, "server", "user", NULL),
             grc_format("missing, and %s belongs to root", settings->state_dir));
    if (settings->core_dumps)
        find(audit, GRC_AUDIT_CORE_DUMPS, place_of(audit, "server", "core_dumps", NULL),
             grc_format("true"));
    if (settings->log_level == GR_LOG_DEBUG)
        find(audit, GRC_AUDIT_LOG_DEBUG, place_of(audit, "log", "level", NULL),
             grc_format("debug"));
}

/* --- the audit --- */

static json_t *gravest_first(json_t *stolen)
{
    static const char *const order[] = {"high", "medium", "low"};
    json_t *sorted = json_array();

    for (size_t s = 0; s < sizeof(order) / sizeof(order[0]); s++) {
        for (size_t i = 0; i < json_array_size(stolen); i++) {
            json_t *finding = json_array_get(stolen, i);

            if (strcmp(json_string_value(json_object_get(finding, "severity")), order[s]) == 0)
                json_array_append(sorted, finding);
        }
    }
    json_decref(stolen);
    return sorted;
}

json_t *grc_audit(const char *config_dir, grc_report_fn *report, void *arg)
{
    struct audit audit = {.secrets = json_object(), .findings = json_array()};

    grc_setting_note_set(note_secret, &audit);
    struct grc_runtime *runtime = grc_runtime_new(config_dir, GRC_RUNTIME_TABLES, report, arg);
    grc_setting_note_set(NULL, NULL);
    if (runtime) {
        audit.runtime = runtime;
        audit.settings = runtime->settings;
        look_at_listeners(&audit);
        look_at_cors(&audit);
        look_at_secrets(&audit);
        look_at_upstreams(&audit);
        look_at_redis(&audit, "limits", audit.settings->limits.shared.server.url);
        look_at_redis(&audit, "cache", audit.settings->cache.shared.server.url);
        look_at_writables(&audit);
        look_at_tokens(&audit);
        look_at_process(&audit);
    } else {
        json_decref(audit.findings);
        audit.findings = NULL;
    }
    grc_runtime_unref(runtime);
    json_decref(audit.secrets);
    return audit.findings ? gravest_first(audit.findings) : NULL;
}
