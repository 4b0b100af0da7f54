/*
 * Measures how many GETs a second the upstream module can make. Usage: bench_upstream URL [THREADS
 * [SECONDS [http1|curl]]]. Every thread makes one call after the other. It prints the calls per
 * second, their times and the number of failures.
 */
#include "base/clock.h"
#include "upstream/upstream.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#define SAMPLES_MAX 20000u

struct worker {
    pthread_t thread;
    struct grc_upstreams *all;
    int64_t until_ms;
    size_t calls;
    size_t failures;
    size_t samples;
    int64_t took_us[SAMPLES_MAX];
};

static bool never_gone(void *arg)
{
    (void)arg;
    return false;
}

static void *work(void *arg)
{
    struct worker *worker = arg;
    struct grc_arena arena;

    grc_arena_init(&arena, 1u << 24);
    while (grc_mono_ms() < worker->until_ms) {
        struct grc_exchange exchange = {.upstream = "bench",
                                        .method = GR_METHOD_GET,
                                        .target = GR_STR("/rooms/64b8a3f2e5c1d2a3b4c5d6e7"),
                                        .request_id = "0123456789abcdef0123456789abcdef",
                                        .gone = never_gone,
                                        .arena = &arena};
        grc_upstreams_run(worker->all, &exchange, 1);
        worker->calls++;
        if (exchange.err != GR_OK || exchange.status != 200)
            worker->failures++;
        worker->took_us[worker->samples++ % SAMPLES_MAX] = exchange.took_us;
        grc_arena_reset(&arena);
    }
    grc_arena_done(&arena);
    return NULL;
}

static int by_time(const void *a, const void *b)
{
    const int64_t *x = a;
    const int64_t *y = b;

    return (*x > *y) - (*x < *y);
}

static void report(struct worker *workers, size_t count, int64_t took_ms)
{
    size_t calls = 0;
    size_t failures = 0;
    size_t samples = 0;
    int64_t *all = calloc(count * SAMPLES_MAX, sizeof(*all));

    for (size_t i = 0; i < count; i++) {
        calls += workers[i].calls;
        failures += workers[i].failures;
        for (size_t k = 0; all && k < workers[i].samples && k < SAMPLES_MAX; k++)
            all[samples++] = workers[i].took_us[k];
    }
    if (all && samples) {
        qsort(all, samples, sizeof(*all), by_time);
        printf("%.0f calls/s, p50 %lld us, p99 %lld us, %zu failures of %zu\n",
               (double)calls * 1000.0 / (double)took_ms, (long long)all[samples / 2],
               (long long)all[samples * 99 / 100], failures, calls);
    }
    free(all);
}

static struct grc_upstreams *upstreams_of(const char *url, bool curl_transport)
{
    static struct grc_credential credential = {.name = "100ms",
                                               .kind = GRC_CREDENTIAL_100MS,
                                               .access_key = "key",
                                               .secret = "secret",
                                               .lifetime_ms = 86400000};
    static struct grc_upstream_settings one = {
        .name = "bench",
        .credential = "100ms",
        .connect_timeout_ms = 3000,
        .timeout_ms = 30000,
        .retries = 2,
        .connections_max = 4096,
        .idle_timeout_ms = 30000,
        .answer_max_bytes = 1 << 24,
        .verify = false,
        .breaker = {.enabled = true, .min_calls = 20, .error_percent = 50, .open_ms = 2000}};
    static struct grc_settings settings = {
        .credentials = &credential, .credential_count = 1, .upstreams = &one, .upstream_count = 1};
    char *reason = NULL;

    one.url = url;
    one.curl_transport = curl_transport;
    struct grc_upstreams *all = grc_upstreams_new(&settings, &reason);
    if (!all)
        fprintf(stderr, "bench_upstream: %s\n", reason ? reason : "out of memory");
    free(reason);
    return all;
}

int main(int argc, char **argv)
{
    size_t count = argc > 2 ? strtoul(argv[2], NULL, 10) : 64;
    int64_t seconds = argc > 3 ? strtol(argv[3], NULL, 10) : 3;
    bool curl_transport = argc > 4 && strcmp(argv[4], "curl") == 0;
    struct worker *workers = calloc(count ? count : 1, sizeof(*workers));

    if (argc < 2 || count == 0 || !workers) {
        fputs("usage: bench_upstream URL [THREADS [SECONDS [http1|curl]]]\n", stderr);
        free(workers);
        return 2;
    }
    struct grc_upstreams *all = upstreams_of(argv[1], curl_transport);
    int64_t began_ms = grc_mono_ms();
    for (size_t i = 0; all && i < count; i++) {
        workers[i].all = all;
        workers[i].until_ms = began_ms + seconds * 1000;
        if (pthread_create(&workers[i].thread, NULL, work, &workers[i]) != 0)
            abort();
    }
    for (size_t i = 0; all && i < count; i++)
        pthread_join(workers[i].thread, NULL);
    if (all)
        report(workers, count, grc_mono_ms() - began_ms);
    grc_upstreams_free(all);
    free(workers);
    return all ? 0 : 1;
}
