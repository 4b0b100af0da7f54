/* Config directories, valid and invalid: the values that are read, and the messages. */
#include "base/log.h"
#include "config/env.h"
#include "config/settings.h"
#include "config/units.h"
#include "unit/config_dir.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#define CREDENTIAL "\"credentials\":{\"100ms\":{\"access_key\":\"key\",\"secret\":\"top\"}}"
#define UPSTREAM(url_) "\"upstreams\":{\"api\":{\"url\":\"" url_ "\",\"credential\":\"100ms\"}}"

/* A greenroom.json and all messages about it. */
struct wrong {
    const char *content;
    const char *lines;
};

static const struct wrong wrongs[] = {
    {"", "D/greenroom.json:1:1: the file is empty, expected a JSON object\n"},
    {" // a comment\n", "D/greenroom.json:1:1: the file is empty, expected a JSON object\n"},
    {"\xff\xfe{", "D/greenroom.json:1:1: the file is not UTF-8: save it in that encoding\n"},
    {"{\n  \"server\": {\n    \"workers\": 3,,\n  }\n}",
     "D/greenroom.json:4:3: expected the name of a key in double quotes, or '}'\n"},
    {"[]", "D/greenroom.json: expected an object, found an array\n"},
    {"{\"log\": {}, \"log\": {}}", "D/greenroom.json:1:17: duplicate object key near '\"log\"'\n"},
    {"{\"credentials\": {\"x\": {\"secret\": \"topsecret\n\"}}}",
     "D/greenroom.json:1:43: the line ends within a text: close it with '\"', or write \\n for a "
     "line end in it\n"},
    {"{\"server\": {\"workers\": \"many\"}}",
     "D/greenroom.json:1:13: server.workers: expected an integer from 1 to 4096, found \"many\"\n"},
    {"{\"server\": {\"workers\": 0}}",
     "D/greenroom.json:1:13: server.workers: expected an integer from 1 to 4096, found 0\n"},
    {"{\"server\": {\"workers\": 4097}}",
     "D/greenroom.json:1:13: server.workers: expected an integer from 1 to 4096, found 4097\n"},
    {"{\"server\": {\"workers\": 1.5}}",
     "D/greenroom.json:1:13: server.workers: expected an integer from 1 to 4096, found 1.5\n"},
    {"{\"server\": {\"workers\": null}}",
     "D/greenroom.json:1:13: server.workers: expected an integer from 1 to 4096, found null\n"},
    {"{\"server\": {\"workers\": [4]}}",
     "D/greenroom.json:1:13: server.workers: expected an integer from 1 to 4096, found an array\n"},
    {"{\"server\": {\"workers\": \"${GR_TEST_WORD}\"}}",
     "D/greenroom.json:1:13: server.workers: expected an integer from 1 to 4096, found the value "
     "of "
     "\"${GR_TEST_WORD}\"\n"},
    {"{\"server\": {\"worker\": 4}}",
     "D/greenroom.json:1:13: server.worker: unknown key, did you mean \"workers\"?\n"},
    {"{\"sevrer\": {}, \"zebra\": 1}",
     "D/greenroom.json:1:2: sevrer: unknown key, did you mean \"server\"?\n"
     "D/greenroom.json:1:16: zebra: unknown key, expected one of: server, admin, credentials, "
     "upstreams, "
     "plugins, store, state_directory, auth, limits, cache, docs, log, traces, audit\n"},
    {"{\"server\": 1}", "D/greenroom.json:1:2: server: expected an object, found 1\n"},
    {"{\"server\": {\"body_timeout\": \"10 s\", \"body_max\": \"1mb\", \"access_log\": \"yes\"}}",
     "D/greenroom.json:1:37: server.body_max: expected a size such as \"64k\" from 0 to 1g, found "
     "\"1mb\"\n"
     "D/greenroom.json:1:13: server.body_timeout: expected a duration such as \"10s\" from 10ms to "
     "1h, "
     "found \"10 s\"\n"
     "D/greenroom.json:1:56: server.access_log: expected true or false, found \"yes\"\n"},
    {"{\"server\": {\"drain_timeout\": \"9999999999999999999s\"}}",
     "D/greenroom.json:1:13: server.drain_timeout: expected a duration such as \"10s\" from 0 to "
     "1h, "
     "found \"9999999999999999999s\"\n"},
    {"{\"server\": {\"drain_timeout\": -5}}", "D/greenroom.json:1:13: server.drain_timeout: "
                                              "expected a duration such as \"10s\" from 0 to 1h, "
                                              "found -5\n"},
    {"{\"server\": {\"cors\": {\"origins\": [1, \"*\"], \"max_age\": \"2d\"}}}",
     "D/greenroom.json:1:34: server.cors.origins[0]: expected a string, found 1\n"
     "D/greenroom.json:1:43: server.cors.max_age: expected a duration such as \"10s\" from 0 to "
     "1d, "
     "found \"2d\"\n"},
    {"{\"server\": {\"cors\": {\"origins\": [\"*\"], \"credentials\": true}}}",
     "D/greenroom.json:1:40: server.cors.credentials: browsers refuse credentials for origin "
     "\"*\": "
     "name the origins\n"},
    {"{\"server\": {\"cors\": {\"origins\": [\"null\", \"http://localhost:3000\", \"app://page\", "
     "\"https://a.example/\", \"a.example\", \"https://A.example\", \"https://*.example\", "
     "\"https://a.example:443\", \"://x\", \"https://u@a.example\"]}}}",
     "D/greenroom.json:1:81: server.cors.origins[3]: 'https://a.example/' can never match: it has "
     "something "
     "behind the host: \"https://app.example.org\" would match, without a slash at its end\n"
     "D/greenroom.json:1:103: server.cors.origins[4]: 'a.example' can never match: it has no "
     "scheme: "
     "\"https://app.example.org\" would match\n"
     "D/greenroom.json:1:116: server.cors.origins[5]: 'https://A.example' can never match: it has "
     "upper "
     "case, "
     "which browsers never send\n"
     "D/greenroom.json:1:137: server.cors.origins[6]: 'https://*.example' can never match: it is "
     "not a "
     "single "
     "origin: name each one, or \"*\" for all\n"
     "D/greenroom.json:1:158: server.cors.origins[7]: 'https://a.example:443' can never match: it "
     "names "
     "the "
     "default port of its scheme, which browsers leave out\n"
     "D/greenroom.json:1:183: server.cors.origins[8]: '://x' can never match: it has no scheme: "
     "\"https://app.example.org\" would match\n"
     "D/greenroom.json:1:191: server.cors.origins[9]: 'https://u@a.example' can never match: it "
     "has "
     "something "
     "behind the host: \"https://app.example.org\" would match, without a slash at its end\n"},
    {"{\"server\": {\"listen\": {\"address\": \"127.0.0.1:8443\", \"tls\": true}}}",
     "D/greenroom.json:1:2: server.tls.certificate: missing: a listener has \"tls\": true\n"},
    {"{\"admin\": {\"listen\": \"0.0.0.0:9090\"}, \"auth\": {\"keys\": {\"file\": \"keys.json\"}}}",
     "D/greenroom.json:1:12: admin.listen: 0.0.0.0:9090 can be reached from other machines, and "
     "what it "
     "serves "
     "asks for no credential: listen on 127.0.0.1, or set admin.allow_unauthenticated_remote to "
     "true\n"},
    {"{\"server\": {\"listen\": \"8080\"}}",
     "D/greenroom.json:1:13: server.listen: expected "
     "\"ADDRESS:PORT\" with an IP address or localhost, such as \"127.0.0.1:8080\" or "
     "\"[::1]:8443\", found \"8080\"\n"},
    {"{\"server\": {\"listen\": [\"127.0.0.1:99999\", \"::1:80\", \"[::1]:80x\", \"[zz]:80\"]}}",
     "D/greenroom.json:1:24: server.listen[0]: expected \"ADDRESS:PORT\" with an IP address or "
     "localhost, such as "
     "\"127.0.0.1:8080\" or "
     "\"[::1]:8443\", found \"127.0.0.1:99999\"\n"
     "D/greenroom.json:1:43: server.listen[1]: expected \"ADDRESS:PORT\" with an IP address or "
     "localhost, such as "
     "\"127.0.0.1:8080\" or "
     "\"[::1]:8443\", found \"::1:80\"\n"
     "D/greenroom.json:1:53: server.listen[2]: expected \"ADDRESS:PORT\" with an IP address or "
     "localhost, such as "
     "\"127.0.0.1:8080\" or "
     "\"[::1]:8443\", found \"[::1]:80x\"\n"
     "D/greenroom.json:1:66: server.listen[3]: expected \"ADDRESS:PORT\" with an IP address or "
     "localhost, such as "
     "\"127.0.0.1:8080\" or "
     "\"[::1]:8443\", found \"[zz]:80\"\n"},
    {"{\"server\": {\"listen\": {\"adress\": \"127.0.0.1:80\"}}}",
     "D/greenroom.json:1:24: server.listen.adress: unknown key, did you mean \"address\"?\n"
     "D/greenroom.json:1:13: server.listen.address: missing, expected \"ADDRESS:PORT\"\n"},
    {"{\"server\": {\"listen\": []}}",
     "D/greenroom.json:1:13: server.listen: expected 1 to 16 listeners, found 0\n"},
    {"{\"server\": {\"listen\": [\"127.0.0.1:0\", \"0.0.0.0:80\"]}}",
     "D/greenroom.json:1:13: server.listen: 0.0.0.0:80 can be reached from other machines, and "
     "no client "
     "has to authenticate: listen on 127.0.0.1, add a provider under \"auth\", or set "
     "server.allow_unauthenticated_remote to true\n"},
    {"{\"admin\": {\"listen\": \"[::]:90\"}, \"auth\": {\"none\": {}}}",
     "D/greenroom.json:1:12: admin.listen: [::]:90 can be reached from other machines, and what it "
     "serves "
     "asks for no credential: listen on 127.0.0.1, or set admin.allow_unauthenticated_remote to "
     "true\n"},
    {"{\"server\": {\"listen\": \"0.0.0.0:80\"}, \"auth\": {\"throttle\": {\"failures\": 3}}}",
     "D/greenroom.json:1:13: server.listen: 0.0.0.0:80 can be reached from other machines, and "
     "no client "
     "has to authenticate: listen on 127.0.0.1, add a provider under \"auth\", or set "
     "server.allow_unauthenticated_remote to true\n"},
    {"{\"server\": {\"listen\": \"0.0.0.0:80\"}, \"auth\": {\"keys\": {}, \"none\": {}}}",
     "D/greenroom.json:1:13: server.listen: 0.0.0.0:80 can be reached from other machines, and "
     "no client "
     "has to authenticate: listen on 127.0.0.1, have providers but not \"none\" under \"auth\", "
     "or set server.allow_unauthenticated_remote to true\n"},
    {"{\"auth\": {\"none\": {\"scopes\": [\"rooms\", \"a b:c\", 5, \"*:read\"]}, \"key\": {}}}",
     "D/greenroom.json:1:64: auth.key: unknown key, did you mean \"keys\"?\n"
     "D/greenroom.json:1:31: auth.none.scopes[0]: expected a scope such as \"rooms:read\", "
     "\"rooms:*\" "
     "or \"*\", found \"rooms\"\n"
     "D/greenroom.json:1:40: auth.none.scopes[1]: expected a scope such as \"rooms:read\", "
     "\"rooms:*\" "
     "or \"*\", found \"a b:c\"\n"
     "D/greenroom.json:1:49: auth.none.scopes[2]: expected a scope such as \"rooms:read\", "
     "\"rooms:*\" "
     "or \"*\", found 5\n"},
    {"{\"auth\": {\"jwt\": {\"a\": {}, \"b\": {\"jwks_url\": \"https://i/k\", \"jwks_file\": "
     "\"k\", \"audience\": \"x\"}}}}",
     "D/greenroom.json:1:19: auth.jwt.a: no keys: expected \"keys\", \"jwks_file\" or "
     "\"jwks_url\"\n"
     "D/greenroom.json:1:28: auth.jwt.b: expected one of \"jwks_file\" and \"jwks_url\"\n"},
    {"{\"auth\": {\"jwt\": {\"a\": {\"jwks_url\": \"http://issuer.example/k\", \"leeway\": \"2h\", "
     "\"keys\": [{\"alg\": \"none\", \"secret\": \"x\"}, {\"alg\": \"HS256\"}]}}}}",
     "D/greenroom.json:1:64: auth.jwt.a.leeway: expected a duration such as \"10s\" from 0 to 10m, "
     "found \"2h\"\n"
     "D/greenroom.json:1:90: auth.jwt.a.keys[0].alg: expected \"HS256\", \"HS384\", \"HS512\", "
     "\"RS256\", \"RS384\", \"RS512\", \"ES256\", \"ES384\" or \"ES512\", found \"none\"\n"
     "D/greenroom.json:1:121: auth.jwt.a.keys[1]: expected either \"file\" or \"secret\"\n"
     "D/greenroom.json:1:25: auth.jwt.a.jwks_url: expected an https URL without query (http only "
     "on "
     "this machine), found \"http://issuer.example/k\"\n"},
    {"{\"limits\": {\"caller\": {\"rate\": \"5\"}, \"routes\": {\"rooms.list\": {}}, \"scopes\": "
     "{\"a b\": {\"rate\": \"1/s\"}}}}",
     "D/greenroom.json:1:24: limits.caller.rate: expected a rate such as \"100/s\", \"600/m\" or "
     "\"1000/h\", found \"5\"\n"
     "D/greenroom.json:1:79: limits.scopes.a b: expected a name of letters, digits, '_', '-' and "
     "'.', "
     "or of :\n"
     "D/greenroom.json:1:49: limits.routes.rooms.list.rate: missing, expected a rate such as "
     "\"100/s\", \"600/m\" or \"1000/h\"\n"},
    {"{\"upstreams\": {\"api\": {}}}", "D/greenroom.json:1:16: upstreams.api.url: missing, "
                                       "expected an http or https URL without query\n"},
    {"{\"upstreams\": {\"api\": {\"url\": \"ftp://x\"}, \"b c\": {}, \"d\": 5}}",
     "D/greenroom.json:1:24: upstreams.api.url: expected an http or https URL without query, found "
     "\"ftp://x\"\n"
     "D/greenroom.json:1:43: upstreams.b c: expected a name of letters, digits, '_', '-' and '.'\n"
     "D/greenroom.json:1:54: upstreams.d: expected an object, found 5\n"},
    {"{\"upstreams\": {\"api\": {\"url\": \"http://h?a=b\"}}}",
     "D/greenroom.json:1:24: upstreams.api.url: expected an http or https URL without query, found "
     "\"http://h?a=b\"\n"},
    {"{\"upstreams\": {\"api\": {\"url\": \"${GR_TEST_UNSET}\"}}}",
     "D/greenroom.json:1:24: upstreams.api.url: the environment variable GR_TEST_UNSET is not set: "
     "set "
     "it, or put the value here\n"},
    {"{\"upstreams\": {\"api\": {\"url\": \"${GR TEST}\"}}}",
     "D/greenroom.json:1:24: upstreams.api.url: expected \"${NAME}\" or \"${NAME:-default}\" after "
     "\"$\" "
     "(\"$$\" stands for one dollar sign)\n"},
    {"{" CREDENTIAL
     ", \"upstreams\": {\"api\": {\"url\": \"http://h\", \"credential\": \"10ms\"}}}",
     "D/greenroom.json:1:104: upstreams.api.credential: no credential is called \"10ms\", did you "
     "mean "
     "\"100ms\"?\n"},
    {"{" UPSTREAM("http://h") ", \"credentials\": {\"100ms\": {\"access_key\": "
                              "\"${GR_TEST_UNSET}\", \"secret\": \"${GR_TEST_UNSET}\"}}}",
     "D/greenroom.json:1:89: credentials.100ms.access_key: the environment variable GR_TEST_UNSET "
     "is "
     "not set: set it, or put the value here, or name a file that holds it as {\"file\": "
     "\"PATH\"}\n"
     "D/greenroom.json:1:123: credentials.100ms.secret: the environment variable GR_TEST_UNSET is "
     "not "
     "set: set it, or put the value here, or name a file that holds it as {\"file\": \"PATH\"}\n"},
    {"{" UPSTREAM("http://h") ", \"credentials\": {\"100ms\": {\"secret\": 12345}}}",
     "D/greenroom.json:1:89: credentials.100ms.secret: expected a string or {\"file\": \"PATH\"}, "
     "found "
     "something else\n"},
    {"{" UPSTREAM("http://h") ", \"credentials\": {\"100ms\": {\"secret\": \"x\"}}}",
     "D/greenroom.json:1:79: credentials.100ms.access_key: missing: a credential of kind \"100ms\" "
     "has "
     "an access key\n"},
    {"{" UPSTREAM("http://h") ", \"credentials\": {\"100ms\": {\"access_key\": \"\", \"secret\": "
                              "\"\", \"kind\": \"basic\"}}}",
     "D/greenroom.json:1:121: credentials.100ms.kind: expected \"100ms\" or \"bearer\", found "
     "\"basic\"\n"
     "D/greenroom.json:1:107: credentials.100ms.secret: expected a secret, found nothing\n"},
    {"{" UPSTREAM("http://h") ", \"credentials\": {\"100ms\": {\"access_key\": \"k\", \"secret\": "
                              "{\"file\": \"nowhere\"}}}}",
     "D/greenroom.json:1:119: credentials.100ms.secret.file: cannot read the secret file "
     "'D/nowhere': No "
     "such file or directory\n"},
    {"{\"store\": \"mysql://x\", \"auth\": [], \"log\": {\"level\": \"loud\"}}",
     "D/greenroom.json:1:2: store: expected \"sqlite:FILE\" or \"postgres://…\", or "
     "{\"file\": \"PATH\"} with such a line, found a string\n"
     "D/greenroom.json:1:24: auth: expected an object, found an array\n"
     "D/greenroom.json:1:44: log.level: expected \"error\", \"warn\", \"info\" or \"debug\", found "
     "\"loud\"\n"},
    {"{\"plugins\": {\"on_error\": \"ignore\"}}",
     "D/greenroom.json:1:14: plugins.on_error: expected \"stop\" or \"skip\", found \"ignore\"\n"},
};

static const char authority[] = "-----BEGIN CERTIFICATE-----\n"
                                "MIIBcDCCARegAwIBAgIUQVikdbIDGiSpHN0JnCaPDJErGrgwCgYIKoZIzj0EAwIw\n"
                                "DTELMAkGA1UEAwwCY2EwIBcNMjYxMTI2MDgwMjU2WhgPMjEyNjExMDIwODAyNTZa\n"
                                "MA0xCzAJBgNVBAMMAmNhMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAErH2OXy43\n"
                                "XjakAaatZG3FFOgbLKcp6h/SKtWei5mdsgIOP6UARvDk5TRtNJmo6DKDGAPI9gvt\n"
                                "LRfJbOd18npej6NTMFEwHQYDVR0OBBYEFMvav3DVkXkV4hRNwWjvjPVt9GKDMB8G\n"
                                "A1UdIwQYMBaAFMvav3DVkXkV4hRNwWjvjPVt9GKDMA8GA1UdEwEB/wQFMAMBAf8w\n"
                                "CgYIKoZIzj0EAwIDRwAwRAIgJGUFEc/7o9KRu2bnNwq0YbXv2E2JEKxRM5qMeveM\n"
                                "QfcCICae69pAbOtIM6sbU7LfqFjoy259f34iEu9g9cHCZQ97\n"
                                "-----END CERTIFICATE-----\n";

static void check_wrong(struct config_dir *dir, const struct wrong *wrong)
{
    struct grc_settings *settings;

    config_dir_clear(dir);
    config_dir_write(dir, "greenroom.json", wrong->content, 0600);
    settings = grc_settings_load(dir->path, config_dir_report, dir);
    if (settings || strcmp(dir->lines.ptr ? dir->lines.ptr : "", wrong->lines) != 0)
        print_error("%s\n", wrong->content);
    assert_null(settings);
    assert_string_equal(dir->lines.ptr, wrong->lines);
}

static void test_wrong(void **state)
{
    size_t i;

    for (i = 0; i < sizeof(wrongs) / sizeof(wrongs[0]); i++)
        check_wrong(*state, &wrongs[i]);
}

/* One plugins.d/rooms.json and all messages about it. */
static const struct wrong wrong_plugins[] = {
    {"{", "D/plugins.d/rooms.json:1:1: expected the name of a key in double quotes, or '}'\n"},
    {"{\"enabled\": 1, \"libary\": \"x.so\"}",
     "D/plugins.d/rooms.json:1:16: libary: unknown key, did you mean \"library\"?\n"
     "D/plugins.d/rooms.json:1:2: enabled: expected true or false, found 1\n"},
    {"{\"library\": \"../x.so\", \"prefix\": \"v1\", \"config\": [], \"routes\": {\"a\": 1}}",
     "D/plugins.d/rooms.json:1:2: library: expected a file name without directories, or an "
     "absolute "
     "path, found \"../x.so\"\n"
     "D/plugins.d/rooms.json:1:24: prefix: expected \"\" or a path such as \"/v1\", found \"v1\"\n"
     "D/plugins.d/rooms.json:1:40: config: expected an object, found an array\n"
     "D/plugins.d/rooms.json:1:65: routes.a: expected an object, found 1\n"},
    {"{\"prefix\": \"/v1/\"}", "D/plugins.d/rooms.json:1:2: prefix: expected \"\" or a path such "
                               "as \"/v1\", found \"/v1/\"\n"},
};

static void test_wrong_plugins(void **state)
{
    struct config_dir *dir = *state;
    size_t i;

    config_dir_write(dir, "greenroom.json", "{}", 0600);
    for (i = 0; i < sizeof(wrong_plugins) / sizeof(wrong_plugins[0]); i++) {
        config_dir_clear(dir);
        config_dir_write(dir, "plugins.d/rooms.json", wrong_plugins[i].content, 0600);
        assert_null(grc_settings_load(dir->path, config_dir_report, dir));
        assert_string_equal(dir->lines.ptr, wrong_plugins[i].lines);
    }
}

static void test_nothing(void **state)
{
    struct config_dir *dir = *state;

    assert_null(grc_settings_load(dir->path, config_dir_report, dir));
    assert_string_equal(dir->lines.ptr,
                        "D/greenroom.json: cannot be read: No such file or directory\n");
}

/* JSON that is nested too deeply is refused with a message, and does not cause deep recursion. */
static void test_deep(void **state)
{
    struct config_dir *dir = *state;
    char content[4097];

    memset(content, '[', sizeof(content) - 1);
    content[sizeof(content) - 1] = '\0';
    config_dir_write(dir, "greenroom.json", content, 0600);
    assert_null(grc_settings_load(dir->path, config_dir_report, dir));
    assert_string_equal(dir->lines.ptr, "D/greenroom.json: nested deeper than 64 levels\n");
}

static struct grc_settings *load(struct config_dir *dir, const char *content)
{
    struct grc_settings *settings;

    config_dir_write(dir, "greenroom.json", content, 0600);
    settings = grc_settings_load(dir->path, config_dir_report, dir);
    if (!settings)
        print_error("%s", dir->lines.ptr);
    assert_non_null(settings);
    assert_int_equal(dir->line_count, 0);
    return settings;
}

static void test_defaults(void **state)
{
    struct config_dir *dir = *state;
    struct grc_settings *settings = load(dir, "{}");
    char store[512];

    assert_int_equal(settings->listen_count, 1);
    assert_string_equal(settings->listen[0].address, "127.0.0.1");
    assert_int_equal(settings->listen[0].port, 8080);
    assert_true(settings->listen[0].loopback);
    assert_null(settings->admin.address);
    assert_int_equal(settings->workers, 64);
    assert_int_equal(settings->body_max_bytes, 1048576);
    assert_int_equal(settings->body_timeout_ms, 10000);
    assert_true(settings->access_log);
    assert_null(settings->cors.origins[0]);
    assert_string_equal(settings->cors.headers[1], "Authorization");
    assert_int_equal(settings->upstream_count, 0);
    assert_int_equal(settings->log_level, GR_LOG_INFO);
    assert_false(settings->log_plain);
    assert_false(settings->plugin_error_skips);
    assert_non_null(settings->plugin_dir);
    assert_null(settings->auth.keys_file);
    assert_null(settings->auth.none_scopes);
    assert_int_equal(settings->auth.jwt_count, 0);
    assert_int_equal(settings->auth.throttle_failures, 30);
    assert_true(settings->limits.caller.rate.per_s <= 0);
    assert_int_equal(settings->limits.in_flight, 0);
    assert_string_equal(settings->state_dir, "/var/lib/greenroom");
    snprintf(store, sizeof(store), "sqlite:%s/greenroom.db", settings->state_dir);
    assert_string_equal(settings->store, store);
    grc_settings_free(settings);
}

/* A file of certificate authorities that is invalid is reported when the config is read, before any
 * connection is made. */
static void test_files_of_authorities(void **state)
{
    static const char config[] =
        "{\"upstreams\": {\"a\": {\"url\": \"https://h\",\n\"ca_file\": \"ca.pem\"}}}";
    struct config_dir *dir = *state;
    char broken[sizeof(authority)];
    const struct {
        const char *content; /* NULL: there is no such file */
        const char *lines;
    } rows[] = {
        {NULL, "D/greenroom.json:2:1: upstreams.a.ca_file: cannot read 'D/ca.pem': No such file or "
               "directory\n"},
        {"", "D/greenroom.json:2:1: upstreams.a.ca_file: 'D/ca.pem' holds no certificate; expected "
             "PEM: -----BEGIN CERTIFICATE-----\n"},
        {broken,
         "D/greenroom.json:2:1: upstreams.a.ca_file: certificate 1 of 'D/ca.pem' cannot be read\n"},
        {authority, NULL},
    };

    memcpy(broken, authority, sizeof(authority));
    broken[100] = '!';
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        config_dir_clear(dir);
        config_dir_write(dir, "greenroom.json", config, 0600);
        if (rows[i].content)
            config_dir_write(dir, "ca.pem", rows[i].content, 0600);
        struct grc_settings *settings = grc_settings_load(dir->path, config_dir_report, dir);
        if (rows[i].lines)
            assert_string_equal(dir->lines.ptr, rows[i].lines);
        assert_int_equal(settings != NULL, rows[i].lines == NULL);
        grc_settings_free(settings);
    }
}

/* Comments, a trailing comma, a byte order mark. */
static void test_json_as_people_write_it(void **state)
{
    struct config_dir *dir = *state;
    struct grc_settings *settings =
        load(dir, "\xef\xbb\xbf// the gateway\n{\"server\": {\"workers\": 7, /* few\n */},\n"
                  "\"state_directory\": \"/a//b/*c*/\", // not a comment\n"
                  "\"upstreams\": {\"a\": {\"url\": \"http://h//\",},},}\n// end");

    assert_int_equal(settings->workers, 7);
    assert_string_equal(settings->state_dir, "/a//b/*c*/");
    assert_string_equal(settings->upstreams[0].url, "http://h");
    grc_settings_free(settings);
}

/* A variable set from a command's output may end in a line end, which is removed. */
static void test_line_end_of_a_secret(void **state)
{
    struct grc_settings *settings;

    assert_int_equal(setenv("GR_TEST_LINE", "s3cret\r\n", 1), 0);
    settings = load(*state, "{\"credentials\": {\"c\": {\"kind\": \"bearer\", \"secret\": "
                            "\"${GR_TEST_LINE}\"}}, \"upstreams\": {\"a\": {\"url\": "
                            "\"http://h\", \"credential\": \"c\"}}}");
    assert_string_equal(grc_settings_credential(settings, "c")->secret, "s3cret");
    grc_settings_free(settings);
    unsetenv("GR_TEST_LINE");
}

/* The URL of the store may contain a password, so it is treated as a secret. */
static void test_the_store_is_a_secret(void **state)
{
    struct config_dir *dir = *state;
    struct grc_settings *settings;

    config_dir_write(dir, "secret", "postgres://u:s3cret@h/db\n", 0600);
    settings = load(dir, "{\"store\": {\"file\": \"secret\"}}");
    assert_string_equal(settings->store, "postgres://u:s3cret@h/db");
    grc_settings_free(settings);
    assert_int_equal(setenv("GREENROOM_STORE", "postgres://u:s3cret@h/db", 1), 0);
    settings = load(dir, "{}");
    grc_env_scrub();
    assert_null(getenv("GREENROOM_STORE"));
    assert_string_equal(settings->store, "postgres://u:s3cret@h/db");
    grc_settings_free(settings);
    grc_env_done();
    config_dir_clear(dir);
    config_dir_write(dir, "greenroom.json", "{\"store\": \"mysql://u:s3cret@h\"}", 0600);
    assert_null(grc_settings_load(dir->path, config_dir_report, dir));
    assert_null(strstr(dir->lines.ptr, "s3cret"));
}

static void test_environment_file(void **state)
{
    struct config_dir *dir = *state;
    const char *reason = NULL;
    size_t line = 0;
    char path[PATH_MAX];

    snprintf(path, sizeof(path), "%s/environment", dir->path);
    assert_true(grc_env_read_file(path, &line, &reason)); /* there is none */
    assert_int_equal(setenv("GR_TEST_SET", "stays", 1), 0);
    config_dir_write(dir, "environment",
                     "# secrets\n\n GR_TEST_FILE_A='a b' \nGR_TEST_SET=other\n"
                     "GR_TEST_FILE_B=\"x=y\"\r\n",
                     0600);
    assert_true(grc_env_read_file(path, &line, &reason));
    assert_string_equal(getenv("GR_TEST_FILE_A"), "a b");
    assert_string_equal(getenv("GR_TEST_FILE_B"), "x=y");
    assert_string_equal(getenv("GR_TEST_SET"), "stays");
    config_dir_write(dir, "environment", "GR_TEST_FILE_A=a\nexport B\n", 0600);
    assert_false(grc_env_read_file(path, &line, &reason));
    assert_string_equal(reason, "expected NAME=value");
    assert_int_equal(line, 2);
    unsetenv("GR_TEST_FILE_A");
    unsetenv("GR_TEST_FILE_B");
    unsetenv("GR_TEST_SET");
}

static void test_everything(void **state)
{
    struct config_dir *dir = *state;
    char path[128];

    config_dir_write(dir, "ca.pem", authority, 0600);
    struct grc_settings *settings = load(
        dir,
        "{\"$schema\": \"x\", \"server\": {\"listen\": [\"[::1]:80\", {\"address\": "
        "\"0.0.0.0:443\", \"tls\": true}, \"localhost:0\"], \"workers\": \"${GR_TEST_NUMBER}\", "
        "\"allow_unauthenticated_remote\": true, \"body_max\": 10, \"drain_timeout\": \"2m\","
        "\"tls\": {\"certificate\": \"ca.pem\"},"
        "\"cors\": {\"origins\": [\"https://a\", \"https://${GR_TEST_WORD}\"]}},"
        "\"admin\": {\"listen\": \"127.0.0.1:9090\", \"workers\": 2},"
        "\"credentials\": {\"100ms\": {\"access_key\": \"key\", \"secret\": \"top\", "
        "\"join_lifetime_max\": \"1h\"}}, "
        "\"upstreams\": {\"api\": {\"url\": \"https://h:1/v2//\", \"credential\": \"100ms\","
        "\"idle_timeout\": \"20s\","
        "\"ca_file\": \"ca.pem\", \"proxy\": null, \"breaker\": {\"open\": \"7s\"}}, \"auth\": "
        "{\"url\": \"${GR_TEST_UNSET:-http://x/}\", \"retries\": 0}},"
        "\"plugins\": {\"directory\": \"plugins.d\", \"on_error\": \"skip\"}, \"store\": null,"
        "\"state_directory\": \"/var/x\", \"limits\": {\"scopes\": {\"tokens:write\": {\"rate\": "
        "\"${GR_TEST_NUMBER}/m\"}}},"
        "\"log\": {\"level\": \"debug\", \"format\": \"text\"}}");
    const struct grc_upstream_settings *api = grc_settings_upstream(settings, "api");
    const struct grc_credential *credential = grc_settings_credential(settings, "100ms");

    assert_int_equal(settings->listen_count, 3);
    assert_string_equal(settings->listen[0].address, "[::1]");
    assert_true(settings->listen[0].loopback);
    assert_int_equal(settings->listen[1].port, 443);
    assert_true(settings->listen[1].tls);
    assert_false(settings->listen[1].loopback);
    assert_string_equal(settings->listen[2].address, "127.0.0.1");
    assert_int_equal(settings->workers, 12);
    assert_int_equal(settings->body_max_bytes, 10);
    assert_int_equal(settings->drain_timeout_ms, 120000);
    assert_string_equal(settings->cors.origins[1], "https://word");
    assert_int_equal(settings->admin.port, 9090);
    assert_non_null(api);
    assert_string_equal(api->url, "https://h:1/v2");
    assert_null(api->proxy);
    assert_true(api->verify);
    assert_int_equal(api->retries, 2);
    assert_int_equal(api->breaker.open_ms, 7000);
    assert_int_equal(api->idle_timeout_ms, 20000);
    snprintf(path, sizeof(path), "%s/ca.pem", dir->path);
    assert_string_equal(api->ca_file, path);
    assert_string_equal(grc_settings_upstream(settings, "auth")->url, "http://x");
    assert_null(grc_settings_upstream(settings, "other"));
    assert_int_equal(credential->kind, GRC_CREDENTIAL_100MS);
    assert_string_equal(credential->secret, "top");
    assert_int_equal(credential->join_lifetime_max_ms, 3600000);
    assert_true(settings->plugin_error_skips);
    assert_null(settings->store);
    assert_string_equal(settings->state_dir, "/var/x");
    assert_string_equal(settings->limits.scopes[0].name, "tokens:write");
    assert_int_equal(settings->limits.scopes[0].rate.burst, 12);
    assert_int_equal(settings->log_level, GR_LOG_DEBUG);
    assert_true(settings->log_plain);
    grc_settings_free(settings);
}

/* The variables of an unused credential may be missing. */
static void test_unused_credential(void **state)
{
    struct grc_settings *settings =
        load(*state, "{\"credentials\": {\"x\": {\"access_key\": \"${GR_TEST_UNSET}\", \"secret\": "
                     "\"${GR_TEST_UNSET}\"}}, \"upstreams\": {\"a\": {\"url\": \"http://h\"}}}");

    assert_int_equal(settings->credential_count, 0);
    grc_settings_free(settings);
}

static void test_lenient(void **state)
{
    struct grc_settings *settings;

    grc_env_lenient_set(true);
    settings = load(
        *state,
        "{" UPSTREAM("http://h") ", \"credentials\": {\"100ms\": "
                                 "{\"access_key\": \"${GR_TEST_UNSET}\", \"secret\": {\"file\": "
                                 "\"nowhere\"}}}}");
    grc_env_lenient_set(false);
    assert_int_equal(settings->credential_count, 0);
    assert_null(settings->upstreams[0].credential);
    grc_settings_free(settings);
}

static void test_secret_file(void **state)
{
    struct config_dir *dir = *state;
    struct grc_settings *settings;

    config_dir_write(dir, "secret", "two\nlines\n\n", 0644); /* a warning, no refusal */
    settings = load(dir, "{" UPSTREAM("http://h") ", \"credentials\": {\"100ms\": {\"access_key\": "
                                                  "\"k\", \"secret\": {\"file\": \"secret\"}}}}");
    assert_string_equal(settings->credentials[0].secret, "two\nlines\n");
    grc_settings_free(settings);
}

/* The environment variables of the replaced service, with and without a slash at the end of their
 * URLs. */
static void test_seed_variables(void **state)
{
    struct config_dir *dir = *state;
    struct grc_settings *settings;
    char *source = getenv("GR_SOURCE_DIR");
    char path[PATH_MAX];

    if (!source)
        skip();
    snprintf(path, sizeof(path), "%s/etc", source);
    assert_int_equal(setenv("BASE_URL", "http://127.0.0.1:5/v2/", 1), 0);
    assert_int_equal(setenv("AUTH_BASE_URL", "http://127.0.0.1:6/v2", 1), 0);
    assert_int_equal(setenv("APP_ACCESS_KEY", "access", 1), 0);
    assert_int_equal(setenv("APP_SECRET", "app$ecret${x}", 1), 0);
    assert_int_equal(setenv("PORT", "8099", 1), 0);
    settings = grc_settings_load(path, config_dir_report, dir);
    if (!settings)
        print_error("%s", dir->lines.ptr);
    assert_non_null(settings);
    assert_string_equal(grc_settings_upstream(settings, "api")->url, "http://127.0.0.1:5/v2");
    assert_string_equal(grc_settings_upstream(settings, "auth")->url, "http://127.0.0.1:6/v2");
    assert_string_equal(settings->credentials[0].access_key, "access");
    assert_string_equal(settings->credentials[0].secret, "app$ecret${x}");
    assert_int_equal(settings->listen[0].port, 8099);
    grc_settings_free(settings);

    /* Secrets are removed from the environment, and are still known at a reload. */
    grc_env_scrub();
    assert_null(getenv("APP_SECRET"));
    assert_non_null(getenv("PORT"));
    settings = grc_settings_load(path, config_dir_report, dir);
    assert_non_null(settings);
    assert_string_equal(settings->credentials[0].secret, "app$ecret${x}");
    grc_settings_free(settings);
    grc_env_done();
    unsetenv("PORT");
}

static void test_plugins(void **state)
{
    struct config_dir *dir = *state;
    struct grc_settings *settings;

    config_dir_write(dir, "plugins.d/token.json", "{\"enabled\": false}", 0600);
    config_dir_write(dir, "plugins.d/.hidden.json", "{", 0600);
    config_dir_write(dir, "plugins.d/rooms.json.bak", "{", 0600);
    config_dir_write(dir, "plugins.d/rooms.json",
                     "{\"$schema\": \"x\", \"library\": \"/x/y.so\", \"prefix\": \"/v1\", "
                     "\"config\": {\"a\": \"${GR_TEST_UNSET}\"}, \"routes\": {\"rooms.get\": "
                     "{\"scope\": \"${GR_TEST_WORD}\"}}}",
                     0600);
    settings = load(dir, "{}");
    assert_int_equal(settings->plugin_count, 2);
    assert_string_equal(settings->plugins[0].name, "rooms");
    assert_string_equal(settings->plugins[0].library, "/x/y.so");
    assert_string_equal(settings->plugins[0].prefix, "/v1");
    assert_true(settings->plugins[0].enabled);
    assert_int_equal(settings->plugins[0].route_count, 1);
    assert_string_equal(settings->plugins[0].routes[0].id, "rooms.get");
    assert_string_equal(settings->plugins[0].routes[0].scope, "word");
    assert_string_equal(settings->plugins[1].name, "token");
    assert_string_equal(settings->plugins[1].library, "token.so");
    assert_false(settings->plugins[1].enabled);
    grc_settings_free(settings);
}

static void test_upstream_alone(void **state)
{
    struct config_dir *dir = *state;
    json_t *object = json_pack("{s:s,s:i}", "url", "http://h/$$/", "retries", 1);
    struct grc_upstream_settings *upstream = grc_upstream_settings_parse(
        "x.json: config.events", "events", object, config_dir_report, dir);

    assert_non_null(upstream);
    assert_string_equal(upstream->name, "events");
    assert_string_equal(upstream->url, "http://h/$$"); /* not expanded a second time */
    assert_int_equal(upstream->timeout_ms, 30000);
    grc_upstream_settings_free(upstream);
    json_object_set_new(object, "retries", json_integer(11));
    assert_null(grc_upstream_settings_parse("x.json: config.events", "events", object,
                                            config_dir_report, dir));
    assert_string_equal(dir->lines.ptr, "x.json: config.events.retries: expected an integer from 0 "
                                        "to 10, found 11\n");
    json_decref(object);
}

static void test_units(void **state)
{
    int64_t value = -1;
    char text[32];

    (void)state;
    assert_true(grc_duration_parse("28d", &value));
    assert_int_equal(value, 28LL * 86400000);
    assert_true(grc_duration_parse("250", &value));
    assert_int_equal(value, 250);
    assert_false(grc_duration_parse("", &value));
    assert_false(grc_duration_parse("s", &value));
    assert_false(grc_duration_parse("-1s", &value));
    assert_false(grc_duration_parse("1.5s", &value));
    assert_false(grc_duration_parse("106751991168d", &value));
    assert_true(grc_bytes_parse("2g", &value));
    assert_int_equal(value, 2LL << 30);
    assert_false(grc_bytes_parse("2K", &value));
    assert_int_equal(value, 2LL << 30);
    grc_duration_text(90000, text);
    assert_string_equal(text, "90s");
    grc_bytes_text(65536, text);
    assert_string_equal(text, "64k");
    grc_bytes_text(0, text);
    assert_string_equal(text, "0");
}

static int set_up(void **state)
{
    struct config_dir *dir = calloc(1, sizeof(*dir));

    if (!dir)
        return -1;
    config_dir_make(dir);
    *state = dir;
    return setenv("GR_TEST_WORD", "word", 1) || setenv("GR_TEST_NUMBER", "12", 1) ||
           unsetenv("GR_TEST_UNSET") || unsetenv("PORT") || unsetenv("STATE_DIRECTORY") ||
           unsetenv("GREENROOM_STORE");
}

static int tear_down(void **state)
{
    config_dir_remove(*state);
    free(*state);
    return 0;
}

int main(void)
{
#define TEST(function_) cmocka_unit_test_setup_teardown(function_, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_wrong),
        TEST(test_wrong_plugins),
        TEST(test_nothing),
        TEST(test_deep),
        TEST(test_defaults),
        TEST(test_everything),
        TEST(test_files_of_authorities),
        TEST(test_json_as_people_write_it),
        TEST(test_line_end_of_a_secret),
        TEST(test_the_store_is_a_secret),
        TEST(test_environment_file),
        TEST(test_lenient),
        TEST(test_unused_credential),
        TEST(test_secret_file),
        TEST(test_seed_variables),
        TEST(test_plugins),
        TEST(test_upstream_alone),
        TEST(test_units),
    };

    grc_log_level_set(GR_LOG_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
