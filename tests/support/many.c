/* many: a group of 200 operations, for pages that have to show all of them. */
#include <greenroom/plugin.h>

static enum gr_err answer(struct gr_call *call)
{
    return gr_reply(call, 200, "text/plain", GR_STR("one of many"));
}

#define ONE(n)                                                                                     \
    GR_GET("/many/" #n, "many.n" #n, "One of many", .access = GR_ACCESS_OPEN, .handle = answer)
#define TEN(n)                                                                                     \
    ONE(n##0), ONE(n##1), ONE(n##2), ONE(n##3), ONE(n##4), ONE(n##5), ONE(n##6), ONE(n##7),        \
        ONE(n##8), ONE(n##9)
#define HUNDRED(n)                                                                                 \
    TEN(n##0), TEN(n##1), TEN(n##2), TEN(n##3), TEN(n##4), TEN(n##5), TEN(n##6), TEN(n##7),        \
        TEN(n##8), TEN(n##9)

static const struct gr_route routes[] = {HUNDRED(1), HUNDRED(2), GR_END};

GR_PLUGIN("many", .version = "1.0.0", .summary = "Many operations", .licence = "MIT",
          .routes = routes)
