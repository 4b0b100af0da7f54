#include "server/stop.h"

#include "base/clock.h"
#include "base/exit.h"
#include "base/format.h"
#include "base/log.h"
#include "base/thread.h"
#include "call/timers.h"
#include "server/metrics_page.h"

#include <unistd.h>

/* How often to check whether the drain is over. */
#define LOOK_MS 10
/* How long the rest of the stop may take after the drain. */
#define REST_MS 2500
#define STACK_BYTES ((size_t)256 * 1024)

/* A thread that ends the process when the stop takes too long. */
struct watchdog {
    pthread_t thread;
    bool running;
    pthread_mutex_t lock; /* protects the fields below */
    pthread_cond_t changed;
    int64_t drained_ms; /* when the time to drain is over */
    bool over;
};

/* --- ending the process early --- */

static void name_groups(struct grc_gateway *gateway)
{
    const struct grc_runtime *runtime = grc_gateway_runtime(gateway);

    for (size_t i = 0; i < runtime->plugin_count; i++) {
        const struct grc_plugin *plugin = runtime->plugins[i];
        long long calls = (long long)atomic_load(&plugin->calls);

        if (calls > 0)
            grc_warn("%lld request%s of group '%s' %s not return", calls, grc_plural((size_t)calls),
                     plugin->self.name, calls == 1 ? "does" : "do");
    }
}

static _Noreturn void end_process(const char *reason)
{
    grc_warn("stopped without stopping the plugins: %s", reason);
    grc_log_queue_stop();
    _exit(GRC_EXIT_OK);
}

/* --- the watchdog --- */

/* Waits until after_ms have passed since the end of the drain. Returns true if the stop is over. */
static bool wait_for_end(struct watchdog *dog, int64_t after_ms)
{
    return grc_cond_wait_flag(&dog->changed, &dog->lock, &dog->over, dog->drained_ms + after_ms);
}

static void *watch(void *arg)
{
    struct watchdog *dog = arg;

    pthread_mutex_lock(&dog->lock);
    if (!wait_for_end(dog, 0))
        grc_plugin_timers_give_up();
    bool over = wait_for_end(dog, REST_MS);
    pthread_mutex_unlock(&dog->lock);
    if (!over)
        end_process("plugins or their timers did not stop in time");
    return NULL;
}

static void watchdog_start(struct watchdog *dog, int64_t drained_ms)
{
    pthread_mutex_init(&dog->lock, NULL);
    pthread_cond_init(&dog->changed, NULL);
    dog->drained_ms = drained_ms;
    dog->running = grc_thread_start(&dog->thread, STACK_BYTES, watch, dog);
    if (!dog->running)
        grc_warn("no memory for the watchdog of the stop: the stop may take longer than it should");
}

/* Ends the time to drain at once, so that running timers are not waited for. */
static void watchdog_hurry(struct watchdog *dog)
{
    pthread_mutex_lock(&dog->lock);
    dog->drained_ms = grc_mono_ms();
    pthread_cond_signal(&dog->changed);
    pthread_mutex_unlock(&dog->lock);
}

static void watchdog_end(struct watchdog *dog)
{
    pthread_mutex_lock(&dog->lock);
    dog->over = true;
    pthread_cond_signal(&dog->changed);
    pthread_mutex_unlock(&dog->lock);
    if (dog->running)
        pthread_join(dog->thread, NULL);
    pthread_cond_destroy(&dog->changed);
    pthread_mutex_destroy(&dog->lock);
}

/* --- the steps --- */

/* Returns false if the operator does not want to wait. */
static bool announce(const struct grc_stop *stop, int64_t delay_ms)
{
    int64_t due_ms = grc_mono_ms() + delay_ms;

    grc_http_leave(stop->http);
    if (stop->admin)
        grc_http_leave(stop->admin);
    if (delay_ms > 0)
        grc_info("stopping on %s: /readyz fails, requests are served as before for %lld ms",
                 stop->signal, (long long)delay_ms);
    for (int64_t left_ms = delay_ms; left_ms > 0; left_ms = due_ms - grc_mono_ms()) {
        if (stop->wait(stop->arg, (int)left_ms))
            return false;
    }
    return true;
}

/* Waits until all requests are answered, or for the end of the time to drain. Returns false if the
 * operator does not want to wait. */
static bool drain(const struct grc_stop *stop, int64_t drained_ms, bool patient)
{
    grc_http_drain(stop->http);
    if (stop->admin)
        grc_http_drain(stop->admin);
    /* Logged only now, when the drain applies to every new connection. */
    grc_info("stopping on %s", stop->signal);
    while (patient && grc_http_unfinished(stop->http) > 0 && grc_mono_ms() < drained_ms)
        patient = !stop->wait(stop->arg, LOOK_MS);
    return patient;
}

/* Clients that connect during the drain are refused until the end, and do not count. */
static void warn_of_rest(const struct grc_stop *stop, int64_t timeout_ms)
{
    unsigned unfinished = grc_http_unfinished(stop->http);

    if (unfinished > 0)
        grc_warn("%u request%s did not end within %lld ms", unfinished, grc_plural(unfinished),
                 (long long)timeout_ms);
}

void grc_stop(const struct grc_stop *stop)
{
    const struct grc_settings *settings = grc_gateway_runtime(stop->gateway)->settings;
    int64_t timeout_ms = settings->drain_timeout_ms;
    struct watchdog dog = {.running = false};

    bool patient = announce(stop, settings->drain_delay_ms);
    int64_t drained_ms = grc_mono_ms() + timeout_ms;
    watchdog_start(&dog, drained_ms);
    patient = drain(stop, drained_ms, patient);
    warn_of_rest(stop, timeout_ms);
    if (!grc_http_stop(stop->http)) {
        name_groups(stop->gateway);
        end_process("some requests still block their workers");
    }
    if (!patient)
        watchdog_hurry(&dog);
    grc_metrics_page_listeners(NULL, NULL);
    if (!grc_http_stop(stop->admin))
        end_process("some requests of the admin listener still block their workers");
    grc_gateway_free(stop->gateway);
    grc_http_free(stop->http);
    grc_http_free(stop->admin);
    watchdog_end(&dog);
}
