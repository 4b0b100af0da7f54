/* Checks of greenroom.json that involve several keys, or what exists on this machine. */
#include "base/log.h"
#include "base/near.h"
#include "config/settings_rows.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* True when every client has to show a credential. */
static bool has_auth_provider(const struct grc_settings *settings)
{
    const struct grc_auth_settings *auth = &settings->auth;

    return (auth->keys_file || auth->jwt_count > 0) && !auth->none_scopes;
}

/* The admin listener never asks for a credential, even when there are providers. */
static void check_admin(struct grc_reader *reader, const struct grc_settings *settings)
{
    const struct grc_path up = {.name = "admin"};
    const struct grc_path path = {.up = &up, .name = "listen"};
    const struct grc_listen *listen = &settings->admin;

    if (listen->address && !listen->loopback && !settings->admin_remote)
        grc_reader_problem(
            reader, &path,
            "%s:%u can be reached from other machines, and what it serves asks for no "
            "credential: listen on 127.0.0.1, or set "
            "admin.allow_unauthenticated_remote to true",
            listen->address, listen->port);
}

static void check_listen(struct grc_reader *reader, const struct grc_settings *settings,
                         const struct grc_listen *listen)
{
    const struct grc_path up = {.name = "server"};
    const struct grc_path path = {.up = &up, .name = "listen"};

    if (!listen->address || listen->loopback || settings->allow_unauthenticated_remote ||
        has_auth_provider(settings))
        return;
    grc_reader_problem(
        reader, &path,
        "%s:%u can be reached from other machines, and no client has to authenticate: "
        "listen on 127.0.0.1, %s under \"auth\", or set "
        "server.allow_unauthenticated_remote to true",
        listen->address, listen->port,
        settings->auth.none_scopes ? "have providers but not \"none\"" : "add a provider");
}

/* Whether both cannot be bound at the same time: they have the same port, and the same address or
 * one of them all addresses. */
static bool collide(const struct grc_listen *a, const struct grc_listen *b)
{
    bool v6 = a->address[0] == '[';
    const char *all = v6 ? "[::]" : "0.0.0.0";

    return a->port != 0 && a->port == b->port && v6 == (b->address[0] == '[') &&
           (strcmp(a->address, b->address) == 0 || strcmp(a->address, all) == 0 ||
            strcmp(b->address, all) == 0);
}

/* Reports a listener that collides with one of the first count listeners of server.listen. */
static void check_collisions(struct grc_reader *reader, const struct grc_path *path,
                             const struct grc_settings *settings, const struct grc_listen *listen,
                             size_t count)
{
    for (size_t i = 0; listen->address && i < count; i++) {
        const struct grc_listen *other = &settings->listen[i];

        if (collide(listen, other))
            grc_reader_problem(reader, path,
                               "%s:%u is taken by %s:%u of server.listen: choose another port",
                               listen->address, listen->port, other->address, other->port);
    }
}

static void check_all_collisions(struct grc_reader *reader, const struct grc_settings *settings)
{
    const struct grc_path server = {.name = "server"};
    const struct grc_path listen = {.up = &server, .name = "listen"};
    const struct grc_path admin = {.name = "admin"};
    const struct grc_path admin_listen = {.up = &admin, .name = "listen"};

    for (size_t i = 1; i < settings->listen_count; i++) {
        const struct grc_path here = {.up = &listen, .index = i};

        check_collisions(reader, &here, settings, &settings->listen[i], i);
    }
    check_collisions(reader, &admin_listen, settings, &settings->admin, settings->listen_count);
}

/* The header counts only when a trusted proxy has written it. */
static void check_proxy_protocol(struct grc_reader *reader, const struct grc_settings *settings)
{
    const struct grc_path up = {.name = "server"};
    const struct grc_path path = {.up = &up, .name = "trusted_proxies"};
    bool spoken = settings->admin.proxy_protocol;

    for (size_t i = 0; i < settings->listen_count; i++)
        spoken = spoken || settings->listen[i].proxy_protocol;
    if (spoken && settings->proxies.count == 0)
        grc_reader_problem(reader, &path,
                           "expected the addresses of the proxies, since a listener has "
                           "\"proxy_protocol\", and no other peer is believed");
}

static bool speaks_https(const struct grc_settings *settings)
{
    bool tls = settings->admin.tls;

    for (size_t i = 0; i < settings->listen_count; i++)
        tls = tls || settings->listen[i].tls;
    return tls;
}

static void check_tls(struct grc_reader *reader, const struct grc_settings *settings)
{
    const struct grc_tls_settings *tls = &settings->tls;
    const struct grc_path server = {.name = "server"};
    const struct grc_path here = {.up = &server, .name = "tls"};
    const struct grc_path certificate = {.up = &here, .name = "certificate"};
    const struct grc_path client_ca = {.up = &here, .name = "client_ca"};
    const struct grc_path client = {.up = &here, .name = "client_certificate"};
    bool asks = tls->client_certificate > GRC_CLIENT_CERTIFICATE_NONE;

    if (speaks_https(settings) && !tls->certificate)
        grc_reader_problem(reader, &certificate, "missing: a listener has \"tls\": true");
    if (asks && !tls->client_ca)
        grc_reader_problem(reader, &client_ca,
                           "missing: client certificates are checked against its authorities");
    if (!asks && tls->client_ca)
        grc_reader_problem(reader, &client,
                           "is \"none\" although server.tls.client_ca is set: say \"optional\" or "
                           "\"required\"");
}

static void check_credential(struct grc_reader *reader, const struct grc_credential *credential)
{
    const struct grc_path up = {.name = "credentials"};
    const struct grc_path here = {.up = &up, .name = credential->name};
    const struct grc_path key = {.up = &here, .name = "access_key"};

    if (credential->kind == GRC_CREDENTIAL_100MS && credential->secret && !credential->access_key)
        grc_reader_problem(reader, &key,
                           "missing: a credential of kind \"100ms\" has an access key");
}

static void check_upstream(struct grc_reader *reader, const struct grc_settings *settings,
                           const struct grc_upstream_settings *upstream)
{
    const struct grc_path up = {.name = "upstreams"};
    const struct grc_path here = {.up = &up, .name = upstream->name};
    const struct grc_path key = {.up = &here, .name = "credential"};
    const struct grc_path http2 = {.up = &here, .name = "http2"};
    const char *names[64] = {NULL};
    size_t i;

    if (!upstream->verify && upstream->url)
        grc_warn("upstream '%s' is called without checking its certificate", upstream->name);
    if (upstream->http2 && upstream->url && strncasecmp(upstream->url, "https:", 6) != 0)
        grc_reader_problem(reader, &http2,
                           "needs an https URL, since HTTP/2 is agreed on in the TLS handshake");
    if (!upstream->credential || grc_settings_credential(settings, upstream->credential))
        return;
    for (i = 0; i < settings->credential_count && i < 63; i++)
        names[i] = settings->credentials[i].name;
    const char *near = grc_name_near(upstream->credential, names);
    grc_reader_problem(reader, &key, "no credential is called \"%s\"%s%s%s", upstream->credential,
                       near ? ", did you mean \"" : "", near ? near : "", near ? "\"?" : "");
}

/* Only root changes its user; on the machine of another user, the names need not exist. */
static void check_user(struct grc_reader *reader, const struct grc_settings *settings)
{
    const struct grc_path server = {.name = "server"};
    const struct grc_path user = {.up = &server, .name = "user"};
    const struct grc_path group = {.up = &server, .name = "group"};

    if (settings->group && !settings->user)
        grc_reader_problem(reader, &user, "missing, although server.group is set");
    if (geteuid() != 0)
        return;
    if (settings->user && !getpwnam(settings->user))
        grc_reader_problem(reader, &user, "there is no user '%s' on this machine", settings->user);
    if (settings->group && !getgrnam(settings->group))
        grc_reader_problem(reader, &group, "there is no group '%s' on this machine",
                           settings->group);
}

void grc_settings_check(struct grc_reader *reader, const struct grc_settings *settings)
{
    size_t i;

    for (i = 0; i < settings->listen_count; i++)
        check_listen(reader, settings, &settings->listen[i]);
    check_admin(reader, settings);
    for (i = 0; i < settings->upstream_count; i++)
        check_upstream(reader, settings, &settings->upstreams[i]);
    grc_auth_check(reader, settings);
    grc_cache_settings_check(reader, settings);
    if (reader->problems > 0)
        return; /* a key that could not be read would be called missing here */
    check_all_collisions(reader, settings);
    check_proxy_protocol(reader, settings);
    check_tls(reader, settings);
    check_user(reader, settings);
    for (i = 0; i < settings->credential_count; i++)
        check_credential(reader, &settings->credentials[i]);
    grc_cors_check(reader, &settings->cors);
}

/* The directory of a file that the gateway writes must exist. */
static void check_directory(struct grc_reader *reader, const struct grc_path *path,
                            const char *file)
{
    const char *slash = strrchr(file, '/');
    char *dir = slash ? strndup(file, slash == file ? 1 : (size_t)(slash - file)) : NULL;
    struct stat info;

    if (dir && stat(dir, &info) != 0)
        grc_reader_problem(reader, path, "'%s' cannot be made: %s: %s", file, dir, strerror(errno));
    else if (dir && !S_ISDIR(info.st_mode))
        grc_reader_problem(reader, path, "'%s' cannot be made: %s is not a directory", file, dir);
    free(dir);
}

/* Whether a file is readable and good is judged when it is read, by the user who reads it. */
static void check_presence(struct grc_reader *reader, const struct grc_path *path, const char *file)
{
    struct stat info;

    if (file && stat(file, &info) != 0 && (errno == ENOENT || errno == ENOTDIR))
        grc_reader_problem(reader, path, "'%s': %s", file, strerror(errno));
}

void grc_directory_verify(struct grc_reader *reader, const struct grc_path *path, const char *file)
{
    struct stat info;

    if (stat(file, &info) == 0 && !S_ISDIR(info.st_mode))
        grc_reader_problem(reader, path, "'%s' is not a directory", file);
    else
        check_presence(reader, path, file);
}

void grc_made_directory_verify(struct grc_reader *reader, const struct grc_path *path,
                               const char *file)
{
    char *above = strdup(file);
    char *slash = above;
    struct stat info;

    /* Goes up to a directory that exists. If a directory may not be searched, there is no verdict
     * until the gateway makes it. */
    while (slash && above[0] && stat(above, &info) != 0 && (errno == ENOENT || errno == ENOTDIR)) {
        slash = strrchr(above, '/');
        if (slash)
            *slash = '\0';
    }
    if (above && above[0] && stat(above, &info) == 0 && !S_ISDIR(info.st_mode))
        grc_reader_problem(reader, path, "'%s' cannot be made: %s is not a directory", file, above);
    free(above);
}

static void check_tls_files(struct grc_reader *reader, const struct grc_settings *settings)
{
    const struct grc_path server = {.name = "server"};
    const struct grc_path tls = {.up = &server, .name = "tls"};
    const struct grc_path certificate = {.up = &tls, .name = "certificate"};
    const struct grc_path key = {.up = &tls, .name = "key"};
    const struct grc_path client_ca = {.up = &tls, .name = "client_ca"};

    if (!speaks_https(settings))
        return;
    check_presence(reader, &certificate, settings->tls.certificate);
    check_presence(reader, &key, settings->tls.key);
    check_presence(reader, &client_ca, settings->tls.client_ca);
}

/* True for a file of the state directory, which the gateway makes when it starts. */
static bool in_state(const struct grc_settings *settings, const char *file)
{
    size_t len = settings->state_dir ? strlen(settings->state_dir) : 0;

    return len > 0 && strncmp(file, settings->state_dir, len) == 0;
}

void grc_settings_check_places(struct grc_reader *reader, const struct grc_settings *settings)
{
    const struct grc_path log = {.name = "log"};
    const struct grc_path log_file = {.up = &log, .name = "file"};
    const struct grc_path store = {.name = "store"};
    const struct grc_path auth = {.name = "auth"};
    const struct grc_path keys = {.up = &auth, .name = "keys"};
    const struct grc_path keys_file = {.up = &keys, .name = "file"};
    const char *database = settings->store;

    check_tls_files(reader, settings);
    if (settings->log_file)
        check_directory(reader, &log_file, settings->log_file);
    if (database && strncmp(database, "sqlite:/", 8) == 0 && !in_state(settings, database + 7))
        check_directory(reader, &store, database + 7);
    if (settings->auth.keys_file && !settings->auth.keys_in_store &&
        !in_state(settings, settings->auth.keys_file))
        check_directory(reader, &keys_file, settings->auth.keys_file);
}
