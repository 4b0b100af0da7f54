#include "server/minute.h"

void grc_minute_note(struct grc_minute *minute, int64_t now_ms)
{
    unsigned last = (minute->count + GRC_MINUTE_STEPS - 1) % GRC_MINUTE_STEPS;
    unsigned next = minute->count % GRC_MINUTE_STEPS;

    if (minute->count > 0 && now_ms - minute->notes[last].at_ms < GRC_MINUTE_STEP_MS)
        return;
    minute->notes[next].at_ms = now_ms;
    grc_metrics_totals(&minute->notes[next].totals);
    minute->count++;
}

static double per_second(uint64_t now, uint64_t before, int64_t over_ms)
{
    return over_ms > 0 ? (double)(now - before) * 1000 / (double)over_ms : 0;
}

json_t *grc_minute_rates(const struct grc_minute *minute, int64_t now_ms)
{
    unsigned oldest = minute->count > GRC_MINUTE_STEPS ? minute->count % GRC_MINUTE_STEPS : 0;
    const struct grc_metrics_totals *then = &minute->notes[oldest].totals;
    int64_t over_ms = now_ms - minute->notes[oldest].at_ms;
    struct grc_metrics_totals now;

    if (minute->count == 0)
        return json_object();
    grc_metrics_totals(&now);
    uint64_t requests = now.requests - then->requests;
    double mean_ms = requests ? (double)(now.took_us - then->took_us) / 1000 / (double)requests : 0;
    return json_pack(
        "{s:I, s:f, s:f, s:f, s:f, s:f, s:f}", "over_ms", (json_int_t)over_ms, "requests_per_s",
        per_second(now.requests, then->requests, over_ms), "failed_per_s",
        per_second(now.failed, then->failed, over_ms), "refused_per_s",
        per_second(now.refused, then->refused, over_ms), "mean_ms", mean_ms, "upstream_per_s",
        per_second(now.upstream_calls, then->upstream_calls, over_ms), "upstream_failed_per_s",
        per_second(now.upstream_failed, then->upstream_failed, over_ms));
}
