/* libcurl is loaded when an upstream is first called. The program runs itself again with a
 * directory in LD_LIBRARY_PATH, in which it puts broken libraries. The tests need their order: once
 * libcurl is loaded, it stays. */
#include "upstream/upstream.h"

#include "base/log.h"
#include "loop/loop.h"
#include "upstream/libcurl.h"
#include "upstream/url.h"

#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#define THREADS 8
#define CALLS 3

static const char *dir;
static char broken[256];

/* Puts a file where the library is looked for first. */
static void put(const char *content, size_t size)
{
    int fd = open(broken, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0700);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, content, size), size);
    close(fd);
}

/* A shared object for this processor, but one that cannot be loaded: this program. */
static void put_program(void)
{
    static char bytes[1 << 16];
    int from = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    int to = open(broken, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0700);
    ssize_t count;

    assert_true(from >= 0 && to >= 0);
    while ((count = read(from, bytes, sizeof(bytes))) > 0)
        assert_int_equal(write(to, bytes, (size_t)count), count);
    close(from);
    close(to);
}

/* --- upstreams --- */

static struct grc_upstreams *upstreams_of(const char *url, char **ret_reason)
{
    static struct grc_upstream_settings one;
    static struct grc_settings settings;

    one = (struct grc_upstream_settings){.name = "api",
                                         .url = url,
                                         .connect_timeout_ms = 1000,
                                         .timeout_ms = 3000,
                                         .retries = 2,
                                         .retry_percent = 20,
                                         .answer_max_bytes = 65536};
    settings = (struct grc_settings){.upstreams = &one, .upstream_count = 1};
    *ret_reason = NULL;
    return grc_upstreams_new(&settings, ret_reason);
}

/* Makes calls at the same time of an upstream that is not there, with this number of attempts each.
 */
static void call_in_vain(size_t count, unsigned attempts)
{
    char *reason = NULL;
    struct grc_upstreams *all = upstreams_of("http://127.0.0.1:1", &reason);
    struct grc_exchange exchanges[CALLS];
    struct grc_arena arena;

    assert_non_null(all);
    grc_arena_init(&arena, 1u << 20);
    for (size_t i = 0; i < count; i++)
        exchanges[i] = (struct grc_exchange){
            .upstream = "api", .method = GR_METHOD_POST, .target = GR_STR("/"), .arena = &arena};
    grc_upstreams_run(all, exchanges, count);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(exchanges[i].err, GR_ERR_UPSTREAM_CONNECT);
        assert_int_equal(exchanges[i].attempts, attempts);
    }
    grc_upstreams_free(all);
    grc_arena_done(&arena);
}

/* --- tests --- */

static void a_file_that_is_no_library_is_noticed(void **state)
{
    char reason[GRC_LIBRARY_REASON] = "";

    (void)state;
    assert_true(grc_upstreams_check_library(reason));
    put("not a library\n", 14);
    assert_false(grc_upstreams_check_library(reason));
    assert_non_null(strstr(reason, broken));
    assert_null(grc_upstreams_library());
}

static void a_usual_url_needs_no_library(void **state)
{
    char *reason = NULL;
    struct grc_upstreams *all = upstreams_of("https://api.example.com:8443/v2", &reason);

    (void)state;
    assert_non_null(all);
    grc_upstreams_free(all);
    assert_null(upstreams_of("http://[::1]/v2", &reason));
    assert_non_null(strstr(reason, "upstream 'api': "));
    assert_non_null(strstr(reason, broken));
    free(reason);
}

static void looking_does_not_load(void **state)
{
    char reason[GRC_LIBRARY_REASON] = "";

    (void)state;
    put_program();
    assert_true(grc_upstreams_check_library(reason));
    assert_false(grc_upstreams_load_library(reason));
    assert_true(reason[0]);
}

static void without_it_calls_fail_as_with_a_dead_upstream(void **state)
{
    (void)state;
    call_in_vain(1, 1); /* another attempt could not help */
    call_in_vain(CALLS, 1);
    assert_null(grc_upstreams_library());
}

static void *load(void *arg)
{
    char reason[GRC_LIBRARY_REASON];

    *(enum gr_err *)arg = grc_curl_load(GRC_NEVER_MS, reason);
    return NULL;
}

static void it_is_loaded_once_when_it_is_there_again(void **state)
{
    pthread_t threads[THREADS];
    enum gr_err errs[THREADS];

    (void)state;
    assert_int_equal(unlink(broken), 0);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, load, &errs[i]), 0);
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_int_equal(errs[i], GR_OK);
    }
    assert_non_null(grc_upstreams_library());
    put("not a library\n", 14); /* it is not loaded again */
    call_in_vain(CALLS, 3);
}

/* The URLs that are read without libcurl mean what libcurl takes them for. */
static void plain_urls_are_read_as_by_libcurl(void **state)
{
    static const char *const urls[] = {
        "http://localhost",
        "http://localhost/",
        "https://api.100ms.live/v2",
        "https://Api.Example.COM:443/V2/",
        "http://example.com:443/a;b=c,d/x.y..z/~u",
        "http://127.0.0.1:8100",
        "http://0.0.0.0:80",
        "https://255.255.255.255:65535/a-b",
        "http://a/a%b",
        "http://a_b-c.d.:1/'(!$&*+)'",
        "http://x1.2.3.4/",
        "http://localhost/a/.well-known/b",
        "http://localhost/a/../b/./c/",
        "http://localhost/a//b",
        "http://localhost/%2e%2e/a",
        "http://127.1/",
        "http://0x7f.1/",
        "http://2130706433/",
        "http://010.0.0.1/",
        "http://1.2.3.4.5/",
        "http://1.2.3.256/",
        "http://1a.example/",
        "http://[::1]:8080/x",
        "http://[0:0:0:0:0:0:0:1]/x",
        "http://a..b/",
        "http://a:0/",
        "http://a:00080/",
        "http://a:65536/",
        "http://a:/",
        "http://%61/",
        "http://a@b/",
        "http://a/?b",
        "http://a/#b",
        "http:///a",
        "HTTP://a/",
        "ftp://a/",
        "http://a b/",
        "",
    };
    size_t plain = 0;

    (void)state;
    for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
        struct grc_upstream_url ours;
        struct grc_upstream_url theirs;

        if (!grc_upstream_url_plain(urls[i], &ours))
            continue;
        plain++;
        if (!grc_upstream_url_ask(urls[i], &theirs))
            fail_msg("%s", urls[i]);
        assert_string_equal(ours.authority, theirs.authority);
        assert_string_equal(ours.prefix, theirs.prefix);
        assert_int_equal(ours.tls, theirs.tls);
        grc_upstream_url_done(&ours);
        grc_upstream_url_done(&theirs);
    }
    assert_int_equal(plain, 10);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_that_is_no_library_is_noticed),
        cmocka_unit_test(a_usual_url_needs_no_library),
        cmocka_unit_test(looking_does_not_load),
        cmocka_unit_test(without_it_calls_fail_as_with_a_dead_upstream),
        cmocka_unit_test(it_is_loaded_once_when_it_is_there_again),
        cmocka_unit_test(plain_urls_are_read_as_by_libcurl),
    };
    char made[] = "/tmp/greenroom-libcurl-XXXXXX";

    if (argc == 1) {
        if (!mkdtemp(made) || setenv("LD_LIBRARY_PATH", made, 1) != 0)
            return 1;
        execl("/proc/self/exe", argv[0], made, (char *)NULL);
        return 1;
    }
    dir = argv[1];
    grc_log_level_set(GR_LOG_ERROR);
    snprintf(broken, sizeof(broken), "%s/%s", dir, GRC_LIBCURL);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    (void)unlink(broken);
    (void)rmdir(dir);
    return failed;
}
