/* A plugin whose init fails. */
#include "broken.h"

static enum gr_err init(struct gr_self *self, const void *options, void **ret_state)
{
    (void)options;
    (void)ret_state;
    gr_log_self(self, GR_LOG_ERROR, "the moon is in the wrong phase");
    return GR_ERR_CONFLICT;
}

BROKEN_PLUGIN(.init = init)
