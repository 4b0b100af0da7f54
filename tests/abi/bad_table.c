/* A plugin with a wrong table; BROKEN_CASE selects what is wrong. The host must refuse the table
 * before it reads its rows. */
#include "broken.h"

#define IS(case_) (BROKEN_CASE == (case_))

struct options {
    int64_t first;
    const char *second;
};

static const struct gr_option option_rows[] = {
    GR_OPTION(options, first, IS(2) ? GR_OPT_BOOL : GR_OPT_INT, NULL, "The first"),
    GR_OPTION(options, second, GR_OPT_STRING, "x", "The second", .required = IS(3)),
#if !IS(4)
    GR_END,
#endif
};

static const struct gr_field strict[] = {
    GR_FIELD("list", GR_STRING, "A list", .items = IS(5) ? GR_ITEM(GR_STRING) : NULL),
    GR_FIELD("size", GR_INT, "A size", .range = IS(6) ? GR_RANGE(5, 1) : NULL),
    GR_FIELD("when", GR_TIME, "A time", .flags = IS(7) ? GR_FIELD_REPEATED : 0),
    GR_FIELD("like", GR_OBJECT, "An example", .example = IS(8) ? "{'a': 1}" : "{\"a\": 1}"),
    GR_FIELD("kind", IS(9) ? (enum gr_type)77 : GR_ANY, "A kind"),
#if !IS(10)
    GR_END,
#endif
};

static const struct gr_route rows[] = {
    GR_ROUTE(IS(17) ? GR_METHOD_PUT : GR_METHOD_POST, "/broken", "broken.post", "Answer",
             .access = GR_ACCESS_OPEN, .handle = broken_handle, .flags = GR_ROUTE_IDEMPOTENCY_KEY,
             .body = GR_BODY(GR_OBJECT, .fields = strict)),
#if !IS(11)
    GR_END,
#endif
};

static const struct gr_migration steps[] = {
    {1, "first", "CREATE TABLE broken_a (id TEXT)", NULL},
    {IS(12) ? 3 : 2, "second", "CREATE TABLE broken_b (id TEXT)", NULL},
    GR_END,
};

static enum gr_err tick(struct gr_call *call)
{
    (void)call;
    return GR_OK;
}

static const struct gr_timer timers[] = {
    {.name = "tick",
     .interval_ms = IS(13) || IS(15) ? 0 : 1000,
     .run = tick,
     .interval_option = IS(15) ? "second" : NULL},
    GR_END,
};

static const struct gr_metric metrics[] = {
    {"total", IS(14) ? (enum gr_metric_kind)9 : GR_COUNTER, "All of it", NULL},
    GR_END,
};

BROKEN_PLUGIN(.routes = rows, .options = option_rows,
              .options_size = IS(1) ? 8 : sizeof(struct options), .migrations = steps,
              .timers = timers, .metrics = metrics,
              .upstreams = IS(16) ? (const char *const *)(uintptr_t)16 : NULL)
