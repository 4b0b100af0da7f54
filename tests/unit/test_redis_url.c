/* URLs of Redis servers: what is read from good ones, and what is said of wrong ones. */
#include "base/redis_url.h"

#include <greenroom/plugin.h>

#include <setjmp.h>
#include <stdlib.h>

#include <cmocka.h>

struct row {
    const char *text;
    const char *user;
    const char *password;
    const char *host;
    unsigned port;
    const char *path;
    unsigned database;
    bool tls;
};

static void assert_text(const char *found, const char *wanted)
{
    if (wanted) {
        assert_non_null(found);
        assert_string_equal(found, wanted);
    } else {
        assert_null(found);
    }
}

static void test_good(void **state)
{
    static const struct row rows[] = {
        {"redis://localhost", NULL, NULL, "localhost", 6379, NULL, 0, false},
        {"redis://10.0.0.1:7000/", NULL, NULL, "10.0.0.1", 7000, NULL, 0, false},
        {"redis://:pass@redis.example/3", NULL, "pass", "redis.example", 6379, NULL, 3, false},
        {"redis://gate:p%40ss%2Fw%3Ard@h:1/65535", "gate", "p@ss/w:rd", "h", 1, NULL, 65535, false},
        {"redis://:p@ss@h", NULL, "p@ss", "h", 6379, NULL, 0, false},
        {"redis://:a:b@h", NULL, "a:b", "h", 6379, NULL, 0, false},
        {"redis://[::1]:6380/1", NULL, NULL, "::1", 6380, NULL, 1, false},
        {"redis://[2001:db8::7]", NULL, NULL, "2001:db8::7", 6379, NULL, 0, false},
        {"rediss://:p@h:6380/2", NULL, "p", "h", 6380, NULL, 2, true},
        {"unix:///run/redis/redis.sock", NULL, NULL, NULL, 0, "/run/redis/redis.sock", 0, false},
        {"unix://u:p@/run/r.sock?db=12", "u", "p", NULL, 0, "/run/r.sock", 12, false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct grc_redis_url url;

        assert_null(grc_redis_url_parse(rows[i].text, &url));
        assert_text(url.user, rows[i].user);
        assert_text(url.password, rows[i].password);
        assert_text(url.host, rows[i].host);
        assert_text(url.path, rows[i].path);
        assert_int_equal(url.port, rows[i].port);
        assert_int_equal(url.database, rows[i].database);
        assert_int_equal(url.tls, rows[i].tls);
        grc_redis_url_done(&url);
    }
}

static void test_wrong(void **state)
{
    static const char *const texts[] = {
        "",
        "localhost:6379",
        "http://localhost",
        "rediss://",
        "Redis://localhost",
        "redis://",
        "redis:///0",
        "redis://:6379",
        "redis://h:0",
        "redis://h:65536",
        "redis://h:port",
        "redis://h:",
        "redis://h/x",
        "redis://h/65536",
        "redis://h/0/1",
        "redis://h/-1",
        "redis://h h",
        "redis://[::1",
        "redis://[::1]6379",
        "redis://[]",
        "redis://user@h",
        "redis://user:@h",
        "redis://:%zz@h",
        "redis://:a%00b@h",
        "redis://h?db=1",
        "unix://",
        "unix:///",
        "unix://run/redis.sock",
        "unix:///run/redis.sock?db=",
        "unix:///run/redis.sock?database=1",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct grc_redis_url url;

        if (!grc_redis_url_parse(texts[i], &url))
            fail_msg("accepted: %s", texts[i]);
        assert_null(url.password);
        assert_null(url.host);
        assert_null(url.path);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),
        cmocka_unit_test(test_wrong),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
