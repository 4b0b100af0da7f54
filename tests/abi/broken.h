/* A valid descriptor, of which each bad_*.c changes one part. */
#pragma once

#include <greenroom/plugin.h>

#include <unistd.h>

/* Macros that a file defines before it includes this replace values of note and descriptor. */
#ifdef BROKEN_ABI
#undef GR_ABI
#define GR_ABI                                                                                     \
    {                                                                                              \
        GR_ABI_MEMBERS, BROKEN_ABI                                                                 \
    }
#endif

/* This must not run when a plugin is refused because of the content of its file. */
__attribute__((constructor)) static void broken_constructor(void)
{
    static const char said[] = "a constructor ran\n";

    (void)!write(2, said, sizeof(said) - 1);
}

static inline enum gr_err broken_handle(struct gr_call *call)
{
    return gr_reply(call, 200, "text/plain", GR_STR("served"));
}

static const struct gr_route broken_routes[] = {
    GR_GET("/broken", "broken.get", "Answer", .access = GR_ACCESS_OPEN, .handle = broken_handle),
    GR_END,
};

#define BROKEN_PLUGIN(...)                                                                         \
    GR_PLUGIN("broken", .version = "1.0.0", .summary = "A plugin for tests", .licence = "MIT",     \
              .routes = broken_routes, __VA_ARGS__)

/* Later initialisers replace earlier ones on purpose. */
#pragma GCC diagnostic ignored "-Woverride-init"
#if defined(__clang__)
#pragma clang diagnostic ignored "-Winitializer-overrides"
#endif
