/* The counts of isolated groups. */
#include "isolation/internal.h"
#include "metrics/metrics.h"

#include <stdlib.h>

static _Atomic(struct grc_tally *) tallies; /* grows at the head */
static pthread_mutex_t making = PTHREAD_MUTEX_INITIALIZER;

static const char *const ends_names[] = {
#define GRC_ENDS_NAME(id, name) [GRC_ENDS_##id] = (name),
    GRC_ENDS(GRC_ENDS_NAME)
#undef GRC_ENDS_NAME
};

static struct grc_tally *find(const char *group)
{
    struct grc_tally *at = atomic_load(&tallies);

    while (at && strcmp(at->group, group) != 0)
        at = at->next;
    return at;
}

struct grc_tally *grc_tally_of(const char *group)
{
    pthread_mutex_lock(&making);
    struct grc_tally *tally = find(group);
    if (!tally) {
        tally = calloc(1, sizeof(*tally));
        char *name = strdup(group);
        if (tally && name) {
            tally->group = name;
            tally->next = atomic_load(&tallies);
            atomic_store(&tallies, tally);
        } else {
            free(tally);
            free(name);
            tally = NULL;
        }
    }
    pthread_mutex_unlock(&making);
    return tally;
}

static void sample(struct grc_buf *out, const char *name, const struct grc_tally *tally,
                   const char *cause, int64_t value)
{
    (void)grc_buf_format(out, "greenroom_%s{", name);
    grc_metrics_label(out, "group", tally->group, cause ? "," : "}");
    if (cause)
        grc_metrics_label(out, "cause", cause, "}");
    (void)grc_buf_format(out, " %lld\n", (long long)value);
}

static void report_ends(struct grc_buf *out)
{
    grc_metrics_head(out, "group_process_ends_total", "counter",
                     "Processes of isolated groups that ended although they should not, by cause");
    for (struct grc_tally *at = atomic_load(&tallies); at; at = at->next) {
        for (enum grc_ends how = 0; how < GRC_ENDS_COUNT; how++)
            sample(out, "group_process_ends_total", at, ends_names[how],
                   atomic_load(&at->ends[how]));
    }
}

void grc_isolated_report(struct grc_buf *out)
{
    if (!atomic_load(&tallies))
        return;
    grc_metrics_head(
        out, "group_process_up", "gauge",
        "Processes of an isolated group that take calls: two while a reload is under way");
    for (struct grc_tally *at = atomic_load(&tallies); at; at = at->next)
        sample(out, "group_process_up", at, NULL, atomic_load(&at->up));
    grc_metrics_head(out, "group_process_starts_total", "counter",
                     "Processes of isolated groups that were started");
    for (struct grc_tally *at = atomic_load(&tallies); at; at = at->next)
        sample(out, "group_process_starts_total", at, NULL, atomic_load(&at->starts));
    report_ends(out);
    grc_metrics_head(out, "group_process_calls_lost_total", "counter",
                     "Calls that were in a process of an isolated group when it ended");
    for (struct grc_tally *at = atomic_load(&tallies); at; at = at->next)
        sample(out, "group_process_calls_lost_total", at, NULL, atomic_load(&at->lost));
}
