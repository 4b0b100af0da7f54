/* A group for measurements, whose handlers block their threads. One of them announces that it will
 * block. */
#include <greenroom/plugin.h>

#include <jansson.h>
#include <stdlib.h>
#include <time.h>

static void block(struct gr_call *call)
{
    long ms = strtol(gr_param(call, "ms").ptr, NULL, 10);
    struct timespec pause = {ms / 1000, ms % 1000 * 1000000L};

    nanosleep(&pause, NULL);
}

static enum gr_err silent(struct gr_call *call)
{
    block(call);
    return gr_reply_json(call, 200, json_object());
}

static enum gr_err announced(struct gr_call *call)
{
    gr_blocking(call, true);
    block(call);
    gr_blocking(call, false);
    return gr_reply_json(call, 200, json_object());
}

static const struct gr_field param_rows[] = {
    GR_FIELD("ms", GR_INT, "How long", .range = GR_RANGE(0, 10000)),
    GR_END,
};

static const struct gr_route routes[] = {
    GR_GET("/block/announced/{ms}", "block.announced", "Answer after the thread has slept",
           .access = GR_ACCESS_OPEN, .params = param_rows, .handle = announced),
    GR_GET("/block/silent/{ms}", "block.silent", "The same without an announcement",
           .access = GR_ACCESS_OPEN, .params = param_rows, .handle = silent),
    GR_END,
};

static const char *const owns[] = {"/block", NULL};

GR_PLUGIN("block", .version = "1.0.0", .summary = "A handler that blocks", .licence = "MIT",
          .routes = routes, .owns = owns)
