/* Takes back what a process has added to gauges, when the process has ended. */
#include "isolation/internal.h"
#include "metrics/metrics.h"

#include <stdlib.h>

#define GAUGES_MAX 1024u

struct grc_gauge {
    struct grc_gauge *next;
    const char *name; /* the row's */
    char *label;      /* NULL: none */
    int64_t sum;
};

/* Returns the name of the row if it is a gauge, or else NULL. */
static const char *gauge_name(const struct gr_metric *rows, const char *name)
{
    for (; rows && rows->name; rows++) {
        if (strcmp(rows->name, name) == 0)
            return rows->kind == GR_GAUGE ? rows->name : NULL;
    }
    return NULL;
}

static struct grc_gauge *find(const struct grc_gauges *gauges, const char *name, const char *label)
{
    struct grc_gauge *at = gauges->first;

    while (at && !(at->name == name && strcmp(at->label ? at->label : "", label ? label : "") == 0))
        at = at->next;
    return at;
}

/* Returns NULL without memory, and when there are too many. */
static struct grc_gauge *make(struct grc_gauges *gauges, const char *name, const char *label)
{
    struct grc_gauge *gauge = gauges->count < GAUGES_MAX ? calloc(1, sizeof(*gauge)) : NULL;

    if (!gauge)
        return NULL;
    gauge->name = name;
    gauge->label = label ? strdup(label) : NULL;
    gauge->next = gauges->first;
    gauges->first = gauge;
    gauges->count++;
    return gauge;
}

void grc_gauges_note(struct grc_gauges *gauges, const struct grc_plugin *plugin, const char *name,
                     const char *label, int64_t delta)
{
    const char *row = gauge_name(plugin->desc->metrics, name);
    struct grc_gauge *gauge = row ? find(gauges, row, label) : NULL;

    if (row && !gauge)
        gauge = make(gauges, row, label);
    if (gauge)
        gauge->sum += delta;
}

void grc_gauges_take_back(struct grc_gauges *gauges, const struct grc_plugin *plugin)
{
    while (gauges->first) {
        struct grc_gauge *gauge = gauges->first;

        gauges->first = gauge->next;
        if (gauge->sum)
            grc_metrics_plugin_add(plugin->self.name, plugin->desc->metrics, gauge->name,
                                   gauge->label, -gauge->sum);
        free(gauge->label);
        free(gauge);
    }
    gauges->count = 0;
}
