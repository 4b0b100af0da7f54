#include "delivery.h"

enum gr_err mini_flow_fail(struct gr_call *call, const struct mini_delivery *delivery,
                           const char *detail)
{
    gr_log(call, GR_LOG_WARN, "message for '%s' failed: %s", delivery->audience, detail);
    return mini_fail(call, delivery->failure, detail);
}

enum gr_err mini_flow_store(struct gr_call *call, const struct mini_delivery *delivery,
                            enum gr_err err)
{
    return err == GR_OK ? err : mini_flow_fail(call, delivery, "the store refused a statement");
}

enum gr_err mini_flow_class(struct gr_call *call, const struct mini_delivery *delivery,
                            enum mini_class_by by, const char *room, struct mini_class *ret_class)
{
    enum gr_err err = mini_class_find(call, by, gr_str_of(room), (gr_str){NULL, 0}, ret_class);

    if (err == GR_ERR_NOT_FOUND)
        return err;
    if (err != GR_OK)
        return mini_flow_store(call, delivery, err);
    if (strcmp(ret_class->audience, delivery->audience) != 0)
        return mini_fail(call, MINI_OTHER_AUDIENCE, "the class is of another audience");
    return GR_OK;
}
