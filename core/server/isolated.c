#include "server/isolated.h"

#include "base/exit.h"
#include "base/log.h"
#include "base/privileges.h"
#include "config/handover.h"
#include "isolation/child.h"
#include "plugin/fault.h"
#include "server/lifecycle.h"
#include "server/log_target.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

static void report(void *arg, const char *line)
{
    (void)arg;
    grc_error("%s", line);
}

/* The process ends with the gateway and has no more rights than the gateway. It ignores signals of
 * terminals and service managers, since the gateway tells it when to end. */
static bool settle_process(void)
{
    char *reason = NULL;
    struct sigaction ignore = {.sa_handler = SIG_IGN};

    if (!grc_privileges_settle(&reason)) {
        grc_error("%s", reason ? reason : "out of memory");
        return false;
    }
    return prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) == 0 &&
           prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0 && /* until the config says otherwise */
           sigaction(SIGPIPE, &ignore, NULL) == 0 && sigaction(SIGTERM, &ignore, NULL) == 0 &&
           sigaction(SIGINT, &ignore, NULL) == 0 && sigaction(SIGHUP, &ignore, NULL) == 0 &&
           grc_fault_install("the process of its group");
}

/* The bytes that the gateway handed over; ptr NULL with errno when there are none. */
static gr_str map_config(void)
{
    struct stat info;

    if (fstat(GRC_HANDOVER_CONFIG_FD, &info) != 0)
        return (gr_str){NULL, 0};
    void *bytes =
        mmap(NULL, (size_t)info.st_size, PROT_READ, MAP_PRIVATE, GRC_HANDOVER_CONFIG_FD, 0);
    if (bytes == MAP_FAILED)
        return (gr_str){NULL, 0};
    return (gr_str){bytes, (size_t)info.st_size};
}

static struct grc_runtime *load(void)
{
    gr_str config = map_config();
    struct grc_runtime *runtime = NULL;

    if (!config.ptr || !grc_handover_replay(config)) {
        grc_error("only the gateway starts the process of a group");
    } else {
        grc_log_level_set(GR_LOG_ERROR); /* the gateway has warned already */
        runtime = grc_runtime_new(grc_handover_dir(), GRC_RUNTIME_GROUP, report, NULL);
    }
    grc_handover_end();
    if (config.ptr)
        (void)munmap((void *)(uintptr_t)config.ptr, config.len);
    (void)close(GRC_HANDOVER_CONFIG_FD);
    return runtime;
}

/* Finds the group of the process, the only one that is not built in. NULL when it was left out. */
static struct grc_plugin *find_group(const struct grc_runtime *runtime)
{
    for (size_t i = 0; i < runtime->plugin_count; i++) {
        if (runtime->plugins[i]->settings && runtime->plugins[i]->state == GRC_LOAD_OK)
            return runtime->plugins[i];
    }
    return NULL;
}

static int serve(struct grc_runtime *runtime)
{
    const struct grc_reporter reporter = {.report = report};
    const struct grc_settings *settings = runtime->settings;
    struct grc_plugin *group = find_group(runtime);

    grc_log_target_style(settings);
    grc_privileges_harden(settings->core_dumps);
    if (!group || !grc_child_limit(&group->settings->process))
        return GRC_EXIT_CONFIG;
    if (group->desc->migrations && !grc_runtime_open_store(runtime, report, NULL))
        return GRC_EXIT_FAILED;
    if (!grc_plugins_begin(runtime, &reporter))
        return GRC_EXIT_FAILED;
    if (!grc_log_queue_start((size_t)settings->log_buffer_bytes))
        return GRC_EXIT_FAILED;
    return grc_child_serve(group) ? GRC_EXIT_OK : GRC_EXIT_FAILED;
}

int grc_run_isolated(void)
{
    if (!settle_process())
        return GRC_EXIT_FAILED;
    grc_child_begin(GRC_HANDOVER_CALLS_FD);
    struct grc_runtime *runtime = load();
    if (!runtime)
        return GRC_EXIT_CONFIG;
    int status = serve(runtime);
    grc_runtime_quiet(runtime);
    grc_runtime_unref(runtime);
    grc_log_queue_stop();
    return status;
}
