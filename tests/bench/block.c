/* block: a group whose handler blocks its thread, and says so, for the bench. */
#include <greenroom/plugin.h>

#include <jansson.h>
#include <stdlib.h>
#include <time.h>

static enum gr_err block(struct gr_call *call)
{
    long ms = strtol(gr_param(call, "ms").ptr, NULL, 10);
    struct timespec pause = {ms / 1000, ms % 1000 * 1000000L};

    gr_blocking(call, true);
    nanosleep(&pause, NULL);
    gr_blocking(call, false);
    return gr_reply_json(call, 200, json_pack("{s:i}", "blocked_ms", (int)ms));
}

static const struct gr_field param_rows[] = {
    GR_FIELD("ms", GR_INT, "How long", .range = GR_RANGE(0, 10000)),
    GR_END,
};

static const struct gr_route routes[] = {
    GR_GET("/block/{ms}", "block.block", "Answer after the thread has slept",
           .access = GR_ACCESS_OPEN, .params = param_rows, .handle = block),
    GR_END,
};

static const char *const owns[] = {"/block", NULL};

GR_PLUGIN("block", .version = "1.0.0", .summary = "A handler that blocks", .licence = "MIT",
          .routes = routes, .owns = owns)
