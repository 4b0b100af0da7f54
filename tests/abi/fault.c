/* A plugin that crashes in the function that its option names. */
#include <greenroom/plugin.h>

#include <signal.h>
#include <stdlib.h>

struct options {
    const char *where;
};

static const struct gr_option option_rows[] = {
    GR_OPTION(options, where, GR_OPT_STRING, "handler", "Where it crashes",
              .values = GR_LIST("handler", "init", "timer")),
    GR_END,
};

static void write_through_null(void)
{
    volatile int *volatile nowhere = NULL;

    *nowhere = 1;
}

/* Overflows the stack; the volatile buffer keeps the compiler from making a loop of it. */
static int recurse(int depth)
{
    static const volatile int deepest = 1 << 30;
    volatile char room[1024];

    room[0] = (char)depth;
    return depth == deepest ? 0 : recurse(depth + 1) + room[0];
}

static enum gr_err fault(struct gr_call *call)
{
    const char *how = gr_param(call, "how").ptr;

    if (strcmp(how, "null") == 0)
        write_through_null();
    else if (strcmp(how, "stack") == 0)
        return recurse(0) == 1 ? GR_OK : GR_ERR_INTERNAL;
    else if (strcmp(how, "abort") == 0)
        abort();
    else if (strcmp(how, "kill") == 0)
        (void)raise(SIGFPE);
    return GR_OK;
}

static enum gr_err tick(struct gr_call *call)
{
    if (call->state)
        write_through_null();
    return GR_OK;
}

static const struct gr_route routes[] = {
    GR_GET("/fault/{how}", "fault.cause", "Cause a fault", .access = GR_ACCESS_OPEN,
           .handle = fault),
    GR_END,
};

static const struct gr_timer timers[] = {{.name = "tick", .interval_ms = 5, .run = tick}, GR_END};

static enum gr_err init(struct gr_self *self, const void *arg, void **ret_state)
{
    const struct options *options = arg;

    if (strcmp(options->where, "init") == 0)
        write_through_null();
    /* The timer crashes when the state is not NULL. */
    *ret_state = strcmp(options->where, "timer") == 0 ? self : NULL;
    return GR_OK;
}

GR_PLUGIN("fault", .version = "7.8.9", .summary = "Crashes where its option says", .licence = "MIT",
          .routes = routes, .timers = timers, .options = option_rows,
          .options_size = sizeof(struct options), .init = init)
