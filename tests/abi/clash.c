/* A plugin with another name than good.so that has the same route, with another name of its
 * parameter. */
#include <greenroom/plugin.h>

static enum gr_err handle(struct gr_call *call)
{
    return gr_reply(call, 200, "text/plain", GR_STR("the second"));
}

static const struct gr_route routes[] = {
    GR_GET("/broken", "clash.get", "Answer", .access = GR_ACCESS_OPEN, .handle = handle),
    GR_END,
};

GR_PLUGIN("clash", .version = "1.0.0", .summary = "A second owner of one route", .licence = "MIT",
          .routes = routes)
