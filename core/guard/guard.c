#include "guard/guard.h"

enum gr_err grc_guard_authenticate(struct grc_call *call)
{
    call->caller_id = GR_STR("anonymous");
    return GR_OK;
}

enum gr_err grc_guard_scope(struct grc_call *call)
{
    (void)call;
    return GR_OK;
}

enum gr_err grc_guard_rate(struct grc_call *call)
{
    (void)call;
    return GR_OK;
}

bool grc_guard_has_scope(const struct grc_call *call, const char *scope)
{
    (void)call;
    (void)scope;
    return true;
}

bool grc_guard_may(const struct grc_call *call, const char *binds, gr_str value)
{
    (void)call;
    (void)binds;
    (void)value;
    return true;
}
