/* A sound descriptor to break: each bad_*.c changes one thing about it. */
#pragma once

#include <greenroom/plugin.h>

static inline enum gr_err broken_handle(struct gr_call *call)
{
    return gr_reply(call, 200, "text/plain", GR_STR("served"));
}

static const struct gr_route broken_routes[] = {
    GR_GET("/broken", "broken.get", "Answer", .access = GR_ACCESS_OPEN, .handle = broken_handle),
    GR_END,
};

#define BROKEN_PLUGIN(...)                                                                         \
    GR_PLUGIN(.name = "broken", .version = "1.0.0", .summary = "A plugin for tests",               \
              .licence = "MIT", .routes = broken_routes, __VA_ARGS__)

/* Later initialisers win on purpose. */
#pragma GCC diagnostic ignored "-Woverride-init"
#if defined(__clang__)
#pragma clang diagnostic ignored "-Winitializer-overrides"
#endif
