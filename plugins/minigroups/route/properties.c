/* Properties of classes and accounts: JSON values with a name. */
#include "access.h"
#include "base/json.h"
#include "base/problem.h"
#include "handlers.h"

/* Reads the body, which is any JSON value, including null. Fails the call when it is not JSON. */
static enum gr_err read_value(struct gr_call *call, const json_t **ret_value)
{
    const json_t *value = gr_parse_json(call, gr_body(call));

    if (!value)
        return mini_fail(call, MINI_BAD_PAYLOAD, "the body is not JSON");
    *ret_value = value;
    return GR_OK;
}

static enum gr_err reply_member(struct gr_call *call, const char *properties,
                                enum mini_problem missing)
{
    gr_str name = gr_param(call, "property_id");
    json_t *all = mini_json_load(properties);
    json_t *value = json_incref(json_object_getn(all, name.ptr, name.len));

    json_decref(all);
    return value ? gr_reply_json(call, 200, value) : mini_fail(call, missing, "");
}

static enum gr_err reply_text(struct gr_call *call, const char *text)
{
    return gr_reply(call, 200, "application/json", gr_str_of(text));
}

enum gr_err mini_property(struct gr_call *call)
{
    struct mini_class row;
    enum gr_err err = mini_load_class(call, "read", &row);

    if (err != GR_OK)
        return err;
    return reply_member(call, row.properties, MINI_NO_CLASS_PROPERTY);
}

enum gr_err mini_set_property(struct gr_call *call)
{
    const json_t *value = NULL;
    const char *all = NULL;
    struct mini_class row;
    enum gr_err err = read_value(call, &value);

    if (err == GR_OK)
        err = mini_load_class(call, "update", &row);
    if (err != GR_OK)
        return err;
    err = mini_class_set_property(call, row.id, gr_param(call, "property_id"), value, &all);
    return err == GR_OK ? reply_text(call, all) : mini_fail_store(call, err);
}

enum gr_err mini_account_property(struct gr_call *call)
{
    const char *all = NULL;
    enum gr_err err = mini_account_load(call, gr_caller(call), &all);

    if (err == GR_ERR_NOT_FOUND)
        return mini_fail(call, MINI_NO_ACCOUNT, "");
    if (err != GR_OK)
        return mini_fail_store(call, err);
    return reply_member(call, all, MINI_NO_ACCOUNT_PROPERTY);
}

enum gr_err mini_set_account_property(struct gr_call *call)
{
    const json_t *value = NULL;
    const char *all = NULL;
    enum gr_err err = read_value(call, &value);

    if (err != GR_OK)
        return err;
    err = mini_account_set(call, gr_caller(call), gr_param(call, "property_id"), value, &all);
    if (err == GR_ERR_TOO_LARGE)
        return mini_fail(call, MINI_TOO_LARGE,
                         "all properties of the account together are limited to 64 KiB");
    return err == GR_OK ? reply_text(call, all) : mini_fail_store(call, err);
}
