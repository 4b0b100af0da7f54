/* A plugin whose init succeeds and whose start fails. The host must undo what init has done. */
#include "broken.h"

static enum gr_err init(struct gr_self *self, const void *options, void **ret_state)
{
    static const char state[] = "made by init";

    (void)options;
    gr_log_self(self, GR_LOG_INFO, "init ran");
    *ret_state = (void *)(uintptr_t)state;
    return GR_OK;
}

static enum gr_err start(struct gr_self *self, void *state)
{
    (void)state;
    gr_log_self(self, GR_LOG_ERROR, "cannot start: no stage");
    return GR_ERR_CONFLICT;
}

static void stop(struct gr_self *self, void *state)
{
    (void)state;
    gr_log_self(self, GR_LOG_INFO, "stop ran");
}

static void fini(struct gr_self *self, void *state)
{
    (void)state;
    gr_log_self(self, GR_LOG_INFO, "fini ran");
}

BROKEN_PLUGIN(.init = init, .start = start, .stop = stop, .fini = fini)
