/* The routes that add, list and delete fault rules. */
#include "faults.h"
#include "routes.h"

static enum gr_err faults_add(struct gr_call *call, struct sandbox *sb)
{
    json_t *rule = sb_copy(sb, gr_json(call));

    if (!json_object_get(rule, "count"))
        sb_set(sb, rule, "count", json_integer(1));
    if (!json_object_get(sb->root, "faults"))
        sb_set(sb, sb->root, "faults", json_array());
    sb_append(sb, json_object_get(sb->root, "faults"), rule);
    return sb_reply(call, sb, sb_copy(sb, rule));
}

static enum gr_err faults_list(struct gr_call *call, struct sandbox *sb)
{
    const json_t *rules = json_object_get(sb->root, "faults");

    return sb_reply(call, sb,
                    sb_pack(sb, "{so}", "data", rules ? sb_copy(sb, rules) : json_array()));
}

static enum gr_err faults_clear(struct gr_call *call, struct sandbox *sb)
{
    (void)call;
    sb_unset(sb, sb->root, "faults");
    return GR_OK;
}

const struct gr_route sb_fault_routes[] = {
    SB_ADMIN(GET, "/faults", "admin.faults_list", "List the fault rules",
             SB_RUN_ADMIN(faults_list)),
    SB_ADMIN(POST, "/faults", "admin.faults_add", "Add a fault rule for the next calls",
             .body = GR_BODY(GR_OBJECT, .fields = sb_fault_fields,
                             .flags = GR_FIELD_REQUIRED | GR_FIELD_STRICT),
             SB_RUN_ADMIN(faults_add)),
    SB_ADMIN(DELETE, "/faults", "admin.faults_clear", "Delete the fault rules",
             SB_RUN_ADMIN(faults_clear)),
    GR_END,
};
