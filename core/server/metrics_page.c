#include "server/metrics_page.h"

#include "base/log.h"
#include "guard/limits.h"
#include "isolation/group.h"
#include "loop/wait.h"
#include "metrics/metrics.h"
#include "plugin/report.h"
#include "runtime/runtime.h"
#include "upstream/remote.h"

#include <dirent.h>
#include <greenroom/version.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

static struct {
    pthread_mutex_t lock;
    const struct grc_http *http;
    const struct grc_http *admin;
    unsigned generation;
    bool reload_failed;
    int64_t config_read_ms; /* when the current config was loaded */
} listeners = {.lock = PTHREAD_MUTEX_INITIALIZER};

void grc_metrics_page_listeners(const struct grc_http *http, const struct grc_http *admin)
{
    pthread_mutex_lock(&listeners.lock);
    listeners.http = http;
    listeners.admin = admin;
    pthread_mutex_unlock(&listeners.lock);
}

void grc_metrics_page_reload(unsigned generation, bool failed, int64_t at_ms)
{
    pthread_mutex_lock(&listeners.lock);
    listeners.generation = generation;
    listeners.reload_failed = failed;
    if (!failed)
        listeners.config_read_ms = at_ms;
    pthread_mutex_unlock(&listeners.lock);
}

static void gauge(struct grc_buf *out, const char *name, const char *help, double value)
{
    grc_metrics_head(out, name, "gauge", help);
    grc_metrics_sample(out, name, NULL, value);
}

static void render_reloads(struct grc_buf *out)
{
    pthread_mutex_lock(&listeners.lock);
    gauge(out, "config_generation",
          "Number of configs that were loaded and used, including the first", listeners.generation);
    gauge(out, "config_last_reload_successful", "Whether the last reload succeeded",
          !listeners.reload_failed);
    gauge(out, "config_last_reload_success_timestamp_seconds", "When the current config was loaded",
          (double)listeners.config_read_ms / 1000);
    pthread_mutex_unlock(&listeners.lock);
}

void grc_metrics_page_visit(grc_listeners_fn *visit, void *arg)
{
    pthread_mutex_lock(&listeners.lock);
    visit(arg, listeners.http, listeners.admin);
    pthread_mutex_unlock(&listeners.lock);
}

unsigned grc_metrics_page_port(void)
{
    pthread_mutex_lock(&listeners.lock);
    unsigned port = listeners.http ? grc_http_port(listeners.http, 0) : 0;
    pthread_mutex_unlock(&listeners.lock);
    return port;
}

/* --- listeners --- */

static void listener_gauge(struct grc_buf *out, const char *name, const char *help,
                           unsigned (*value)(const struct grc_http *http))
{
    grc_metrics_head(out, name, "gauge", help);
    if (listeners.http)
        grc_metrics_sample(out, name, "listener=\"main\"", value(listeners.http));
    if (listeners.admin)
        grc_metrics_sample(out, name, "listener=\"admin\"", value(listeners.admin));
}

static void connections_gauge(struct grc_buf *out, const char *listener,
                              const struct grc_http *http)
{
    struct grc_http_connections count;

    grc_http_connections_by_state(http, &count);
    const struct {
        const char *state;
        unsigned count;
    } rows[] = {{"idle", count.idle},
                {"receiving", count.receiving},
                {"request", count.request},
                {"closing", count.closing}};

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char labels[64];

        snprintf(labels, sizeof(labels), "listener=\"%s\",state=\"%s\"", listener, rows[i].state);
        grc_metrics_sample(out, "connections", labels, rows[i].count);
    }
}

static void render_listeners(struct grc_buf *out)
{
    pthread_mutex_lock(&listeners.lock);
    listener_gauge(out, "workers", "Worker threads, by listener", grc_http_workers);
    listener_gauge(out, "listener_requests", "Requests in progress, waiting ones included",
                   grc_http_active);
    listener_gauge(out, "listener_requests_running",
                   "Requests in progress that occupy a worker, because they compute or block",
                   grc_http_running);
    listener_gauge(out, "listener_requests_queued", "Requests that wait for a worker",
                   grc_http_queued);
    listener_gauge(out, "listener_connections", "Open connections, idle ones included",
                   grc_http_connections);
    grc_metrics_head(out, "connections", "gauge", "Open connections, by state");
    if (listeners.http)
        connections_gauge(out, "main", listeners.http);
    if (listeners.admin)
        connections_gauge(out, "admin", listeners.admin);
    pthread_mutex_unlock(&listeners.lock);
}

static void render_waits(struct grc_buf *out)
{
    grc_metrics_head(out, "calls_waiting", "gauge", "Calls that wait, by what they wait for");
    for (enum grc_waits what = 0; what < GRC_WAITS_COUNT; what++) {
        char text[32];

        snprintf(text, sizeof(text), "for=\"%s\"", grc_waits_name(what));
        grc_metrics_sample(out, "calls_waiting", text, (double)grc_waits_now(what));
    }
}

/* --- process: the usual names of Prometheus clients --- */

static void sample(struct grc_buf *out, const char *name, const char *type, const char *help,
                   double value)
{
    (void)grc_buf_format(out, "# HELP %s %s\n# TYPE %s %s\n%s %.17g\n", name, help, name, type,
                         name, value);
}

/* Metrics that a hardened system hides are omitted. */
static void render_fds(struct grc_buf *out)
{
    DIR *dir = opendir("/proc/self/fd");
    struct rlimit limit;
    int count = 0;

    if (dir) {
        while (readdir(dir)) /* safe: no other thread has this DIR */
            count++;
        closedir(dir);
        /* minus ".", ".." and the directory's own descriptor */
        sample(out, "process_open_fds", "gauge", "Open file descriptors", count - 3);
    }
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY)
        sample(out, "process_max_fds", "gauge", "Most file descriptors that may be open",
               (double)limit.rlim_cur);
}

/* A field of /proc/self/stat, numbered as in proc(5); text begins after the name. */
static double stat_field(const char *text, int number)
{
    for (int at = 3; text && at < number; at++) {
        text = strchr(text, ' ');
        text = text ? text + 1 : NULL;
    }
    return text ? strtod(text, NULL) : 0;
}

static double boot_time_s(void)
{
    struct timespec wall;
    struct timespec up;

    clock_gettime(CLOCK_REALTIME, &wall);
    clock_gettime(CLOCK_BOOTTIME, &up);
    return (double)(wall.tv_sec - up.tv_sec) + (double)(wall.tv_nsec - up.tv_nsec) / 1e9;
}

static void render_stat(struct grc_buf *out)
{
    double hertz = (double)sysconf(_SC_CLK_TCK);
    double page = (double)sysconf(_SC_PAGESIZE);
    char text[1024];
    FILE *file = fopen("/proc/self/stat", "re");

    if (!file)
        return;
    size_t len = fread(text, 1, sizeof(text) - 1, file);
    (void)fclose(file);
    text[len] = '\0';
    const char *fields = strrchr(text, ')'); /* the name before may have any characters */
    if (!fields || fields[1] != ' ')
        return;
    fields += 2;
    sample(out, "process_cpu_seconds_total", "counter", "CPU time, user and system",
           (stat_field(fields, 14) + stat_field(fields, 15)) / hertz);
    sample(out, "process_threads", "gauge", "Threads", stat_field(fields, 20));
    sample(out, "process_start_time_seconds", "gauge", "Start, in seconds since the epoch",
           boot_time_s() + stat_field(fields, 22) / hertz);
    sample(out, "process_virtual_memory_bytes", "gauge", "Virtual memory", stat_field(fields, 23));
    sample(out, "process_resident_memory_bytes", "gauge", "Resident memory",
           stat_field(fields, 24) * page);
}

/* --- build --- */

static void render_build(struct grc_buf *out)
{
    char abi[16];

    snprintf(abi, sizeof(abi), "%u.%u", GR_ABI_MAJOR, GR_ABI_MINOR);
    grc_metrics_head(out, "build_info", "gauge", "Versions, as labels; always 1");
    (void)grc_buf_text(out, "greenroom_build_info{");
    grc_metrics_label(out, "version", GR_VERSION, ",");
    grc_metrics_label(out, "abi", abi, ",");
    grc_metrics_label(out, "civetweb", grc_http_library(), ",");
    if (grc_upstreams_library())
        grc_metrics_label(out, "curl", grc_upstreams_library(), ",");
    grc_metrics_label(out, "jansson", jansson_version_str(), ",");
    grc_metrics_label(out, "compiler", __VERSION__, "} 1\n");
}

static void render_log(struct grc_buf *out)
{
    grc_metrics_head(out, "log_lines_lost_total", "counter",
                     "Log lines lost because the buffer was full");
    grc_metrics_sample(out, "log_lines_lost_total", NULL, (double)grc_log_lost());
}

static void render_certificate(struct grc_buf *out)
{
    int64_t end_s = grc_http_certificate_end_s();

    if (end_s)
        gauge(out, "tls_certificate_end_timestamp_seconds",
              "When the certificate of HTTPS listeners ends", (double)end_s);
}

static void render_groups(const struct grc_runtime *runtime, struct grc_buf *out)
{
    grc_metrics_head(out, "group_requests_in_flight", "gauge", "Requests in a group's handlers");
    for (size_t i = 0; i < runtime->plugin_count; i++) {
        const struct grc_plugin *plugin = runtime->plugins[i];

        if (plugin->state != GRC_LOAD_OK || plugin->calls_max <= 0)
            continue;
        (void)grc_buf_text(out, "greenroom_group_requests_in_flight{");
        grc_metrics_label(out, "group", plugin->self.name, "}");
        (void)grc_buf_format(out, " %lld\n", (long long)atomic_load(&plugin->calls));
    }
}

void grc_metrics_page_collect(void *arg, struct grc_buf *out)
{
    struct grc_runtime *runtime = arg;

    render_listeners(out);
    render_reloads(out);
    render_waits(out);
    render_groups(runtime, out);
    grc_plugins_report(runtime->plugins, runtime->plugin_count, out);
    grc_isolated_report(out);
    grc_upstreams_metrics(runtime->upstreams, out);
    grc_tracer_report(runtime->tracer, out);
    if (runtime->limits)
        grc_shared_report(runtime->limits->shared, out);
    grc_remote_report(grc_upstreams_shared(runtime->upstreams), out);
    render_certificate(out);
    render_log(out);
    render_build(out);
    render_stat(out);
    render_fds(out);
}
