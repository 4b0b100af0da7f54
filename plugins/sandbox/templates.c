/*
 * Templates: roles, settings, destinations and recording configurations. A write replaces the whole
 * object. All members are stored, including unknown ones; absent members take the documented
 * defaults.
 */
#include "templates.h"
#include "routes.h"

/* Members that only the service writes. */
static const char *const owned[] = {"id",    "_id",       "customerId", "customer",
                                    "appId", "createdAt", "updatedAt"};

static bool is_owned(const char *name)
{
    for (size_t i = 0; i < sizeof(owned) / sizeof(owned[0]); i++) {
        if (strcmp(name, owned[i]) == 0)
            return true;
    }
    return false;
}

static json_t *by_name(struct sandbox *sb, const char *name)
{
    const char *id;
    json_t *row;

    if (!*name)
        return NULL;
    json_object_foreach(sb_all(sb, "templates"), id, row) {
        if (sb_is(row, "name", gr_str_of(name)))
            return row;
    }
    return NULL;
}

bool sb_template_has_role(struct sandbox *sb, const char *template_id, const char *role)
{
    const json_t *template = sb_find_text(sb, "templates", template_id);

    return json_object_get(json_object_get(template, "roles"), role) != NULL;
}

/* Adds missing members to target from JSON text. */
static void fill_from(struct sandbox *sb, json_t *target, const char *defaults)
{
    json_t *value = sb_constant(sb, defaults);

    sb_fill(sb, target, value);
    json_decref(value);
}

static void complete_role(struct sandbox *sb, json_t *role, const char *name)
{
    struct sb_name id = sb_new_id(sb);

    if (!json_object_get(role, "name"))
        sb_set(sb, role, "name", sb_pack(sb, "s", name));
    if (!json_object_get(role, "role_id"))
        sb_set(sb, role, "role_id", sb_pack(sb, "s", id.text));
    fill_from(sb, role, sb_default_role_json);
}

static void complete_roles(struct sandbox *sb, json_t *template)
{
    const char *name;
    json_t *roles;
    json_t *role;

    if (!json_object_size(json_object_get(template, "roles")))
        sb_set(sb, template, "roles", sb_constant(sb, sb_default_roles_json));
    roles = json_object_get(template, "roles");
    json_object_foreach(roles, name, role) {
        if (!json_is_object(role))
            sb_set(sb, roles, name, json_object());
        complete_role(sb, json_object_get(roles, name), name);
    }
}

static void set_part(struct sandbox *sb, json_t *template, const char *member, json_t *stolen)
{
    sb_set(sb, template, member, stolen);
    if (strcmp(member, "settings") == 0)
        fill_from(sb, stolen, sb_default_settings_json);
}

json_t *sb_template_put(struct sandbox *sb, const json_t *body, json_t *old)
{
    struct sb_name id = sb_new_id(sb);
    struct sb_name now = sb_stamp(sb->now_ms);
    const char *text;
    const char *member;
    json_t *value;
    json_t *row;

    if (!old)
        old = by_name(sb, sb_text(body, "name"));
    text = old ? sb_text(old, "id") : *sb_text(body, "id") ? sb_text(body, "id") : id.text;
    row = sb_pack(sb, "{ss ss ss ss ss ss ss ss}", "id", text, "_id", text, "name",
                  old ? sb_text(old, "name") : id.text, "customerId", sb->options->customer_id,
                  "customer", sb->options->customer_id, "appId", sb->options->app_id, "createdAt",
                  old ? sb_text(old, "createdAt") : now.text, "updatedAt", now.text);
    json_object_foreach(sb_mutable(body), member, value) {
        if (!is_owned(member) && !(json_is_null(value) && strcmp(member, "name") == 0))
            sb_set(sb, row, member, sb_copy(sb, value));
    }
    complete_roles(sb, row);
    if (!json_is_object(json_object_get(row, "settings")))
        sb_set(sb, row, "settings", json_object());
    fill_from(sb, json_object_get(row, "settings"), sb_default_settings_json);
    if (!json_is_object(json_object_get(row, "destinations")))
        sb_set(sb, row, "destinations", sb_constant(sb, sb_default_destinations_json));
    /* The key is not `text`, which may belong to the replaced row. */
    return sb_put(sb, "templates", sb_text(row, "id"), row);
}

json_t *sb_default_template(struct sandbox *sb)
{
    json_t *body = sb_pack(sb, "{ss}", "name", "default-videoconf");
    json_t *row = sb_template_put(sb, body, NULL);

    json_decref(body);
    sb_set(sb, sb_all(sb, "template_recordings"), sb_text(row, "id"),
           sb_constant(sb, sb_default_recordings_json));
    return row;
}

/* Finds the template of the path; fails the call with 404 when there is none. */
static enum gr_err template_of(struct gr_call *call, struct sandbox *sb, json_t **ret_row)
{
    *ret_row = sb_find(sb, "templates", gr_param(call, "template_id"));
    return *ret_row ? GR_OK : sb_error(call, 404, "template not found", NULL);
}

static enum gr_err role_of(struct gr_call *call, struct sandbox *sb, json_t **ret_roles,
                           json_t **ret_role)
{
    json_t *template;
    enum gr_err err = template_of(call, sb, &template);

    if (err != GR_OK)
        return err;
    *ret_roles = json_object_get(template, "roles");
    *ret_role = json_object_get(*ret_roles, gr_param(call, "role").ptr);
    return GR_OK;
}

static void touch(struct gr_call *call, struct sandbox *sb)
{
    sb_set(sb, sb_find(sb, "templates", gr_param(call, "template_id")), "updatedAt",
           sb_time(sb, sb->now_ms));
}

static const struct gr_field page_query[] = {SB_PAGE_FIELDS(10), GR_END};

static enum gr_err templates_list(struct gr_call *call, struct sandbox *sb)
{
    static const struct sb_list list = {
        .collection = "templates", .items = "data", .limit_default = 10, .view = sb_copy};

    return sb_reply_list(call, sb, &list);
}

static enum gr_err templates_get(struct gr_call *call, struct sandbox *sb)
{
    json_t *row;
    enum gr_err err = template_of(call, sb, &row);

    return err == GR_OK ? sb_reply(call, sb, sb_copy(sb, row)) : err;
}

static enum gr_err templates_create(struct gr_call *call, struct sandbox *sb)
{
    json_t *body = sb_copy(sb, gr_json(call));
    json_t *row;

    sb_unset(sb, body, "id"); /* only a seed may set ids */
    row = sb_template_put(sb, body, NULL);
    json_decref(body);
    return sb_reply(call, sb, sb_copy(sb, row));
}

static enum gr_err templates_update(struct gr_call *call, struct sandbox *sb)
{
    json_t *row;
    json_t *other = by_name(sb, sb_text(gr_json(call), "name"));
    enum gr_err err = template_of(call, sb, &row);

    if (err != GR_OK)
        return err;
    if (other && other != row)
        return sb_error(call, 400, "overwrite error", "name: another template has it");
    return sb_reply(call, sb, sb_copy(sb, sb_template_put(sb, gr_json(call), row)));
}

static enum gr_err templates_role_get(struct gr_call *call, struct sandbox *sb)
{
    json_t *roles;
    json_t *role;
    enum gr_err err = role_of(call, sb, &roles, &role);

    if (err != GR_OK)
        return err;
    return role ? sb_reply(call, sb, sb_copy(sb, role))
                : sb_error(call, 404, "role does not exist", NULL);
}

static enum gr_err templates_role_put(struct gr_call *call, struct sandbox *sb)
{
    static const char *const kept[] = {"role_id", NULL};
    const char *old_name = gr_param(call, "role").ptr;
    const char *new_name = sb_text(gr_json(call), "name");
    json_t *roles;
    json_t *old;
    json_t *role;
    enum gr_err err = role_of(call, sb, &roles, &old);

    if (err != GR_OK)
        return err;
    if (!*new_name)
        new_name = old_name;
    if (strcmp(new_name, old_name) != 0 && json_object_get(roles, new_name))
        return sb_error(call, 400, "overwrite error", "name: another role has it");
    role = sb_copy(sb, gr_json(call));
    if (!json_object_get(role, "role_id"))
        sb_take(sb, role, old, kept);
    complete_role(sb, role, new_name);
    if (strcmp(new_name, old_name) != 0)
        sb_unset(sb, roles, old_name);
    sb_set(sb, roles, new_name, role);
    touch(call, sb);
    return sb_reply(call, sb, sb_copy(sb, role));
}

static enum gr_err templates_role_delete(struct gr_call *call, struct sandbox *sb)
{
    json_t *roles;
    json_t *role;
    enum gr_err err = role_of(call, sb, &roles, &role);

    if (err != GR_OK)
        return err;
    if (!role)
        return sb_error(call, 404, "role does not exist", NULL);
    sb_unset(sb, roles, gr_param(call, "role").ptr);
    touch(call, sb);
    return GR_OK;
}

/* The member of the route: "settings" or "destinations". */
static const char *part_name(const struct gr_call *call)
{
    return sb_endpoint_of(call)->of;
}

static enum gr_err templates_part_get(struct gr_call *call, struct sandbox *sb)
{
    json_t *row;
    enum gr_err err = template_of(call, sb, &row);

    return err == GR_OK ? sb_reply(call, sb, sb_copy(sb, json_object_get(row, part_name(call))))
                        : err;
}

static enum gr_err templates_part_put(struct gr_call *call, struct sandbox *sb)
{
    json_t *row;
    enum gr_err err = template_of(call, sb, &row);

    if (err != GR_OK)
        return err;
    set_part(sb, row, part_name(call), sb_copy(sb, gr_json(call)));
    touch(call, sb);
    return sb_reply(call, sb, sb_copy(sb, json_object_get(row, part_name(call))));
}

/* Removes flags that are false, like the service. */
static void drop_false(json_t *value)
{
    const char *name;
    json_t *member;
    void *next;
    size_t i;

    json_object_foreach_safe(value, next, name, member) {
        if (json_is_false(member))
            (void)json_object_del(value, name);
        else
            drop_false(member);
    }
    json_array_foreach(value, i, member)
        drop_false(member);
}

static enum gr_err reply_recordings(struct gr_call *call, struct sandbox *sb)
{
    const json_t *list = sb_find(sb, "template_recordings", gr_param(call, "template_id"));
    json_t *view = list ? sb_copy(sb, list) : sb_pack(sb, "[]");

    drop_false(view);
    return sb_reply(call, sb, view);
}

static enum gr_err templates_recordings_get(struct gr_call *call, struct sandbox *sb)
{
    json_t *row;
    enum gr_err err = template_of(call, sb, &row);

    return err == GR_OK ? reply_recordings(call, sb) : err;
}

static enum gr_err templates_recordings_put(struct gr_call *call, struct sandbox *sb)
{
    const json_t *first = json_array_get(gr_json(call), 0);
    json_t *row;
    enum gr_err err = template_of(call, sb, &row);

    if (err != GR_OK)
        return err;
    if (!json_object_get(json_object_get(row, "roles"), sb_text(first, "role")))
        return sb_error(call, 400, "Invalid body param: role", "[0].role: no such role");
    sb_put(sb, "template_recordings", sb_text(row, "id"), sb_copy(sb, gr_json(call)));
    return reply_recordings(call, sb);
}

const struct gr_route sb_template_routes[] = {
    SB_GET("/templates", "templates.list", "List templates", .query = page_query,
           SB_RUN(templates_list)),
    SB_POST(
        "/templates", "templates.create", "Create a template, or replace the one with this name",
        .body = GR_BODY(GR_OBJECT, .fields = sb_template_create_fields), SB_RUN(templates_create)),
    SB_GET("/templates/{template_id}", "templates.get", "Fetch a template", SB_RUN(templates_get)),
    SB_POST("/templates/{template_id}", "templates.update", "Replace a template",
            .body =
                GR_BODY(GR_OBJECT, .fields = sb_template_update_fields, .flags = GR_FIELD_REQUIRED),
            SB_RUN(templates_update)),
    SB_GET("/templates/{template_id}/roles/{role}", "templates.role_get", "Fetch a role",
           SB_RUN(templates_role_get)),
    SB_POST("/templates/{template_id}/roles/{role}", "templates.role_put",
            "Create, replace or rename a role",
            .body = GR_BODY(GR_OBJECT, .fields = sb_role_fields, .flags = GR_FIELD_REQUIRED),
            SB_RUN(templates_role_put)),
    SB_DELETE("/templates/{template_id}/roles/{role}", "templates.role_delete", "Delete a role",
              SB_RUN(templates_role_delete)),
    SB_GET("/templates/{template_id}/settings", "templates.settings_get", "Fetch the settings",
           SB_RUN(templates_part_get, .of = "settings")),
    SB_POST("/templates/{template_id}/settings", "templates.settings_update",
            "Replace the settings",
            .body = GR_BODY(GR_OBJECT, .fields = hms_template_settings, .flags = GR_FIELD_REQUIRED),
            SB_RUN(templates_part_put, .of = "settings")),
    SB_GET("/templates/{template_id}/destinations", "templates.destinations_get",
           "Fetch the destinations", SB_RUN(templates_part_get, .of = "destinations")),
    SB_POST("/templates/{template_id}/destinations", "templates.destinations_update",
            "Replace the destinations",
            .body =
                GR_BODY(GR_OBJECT, .fields = sb_destinations_fields, .flags = GR_FIELD_REQUIRED),
            SB_RUN(templates_part_put, .of = "destinations")),
    SB_GET("/templates/{template_id}/recordings", "templates.recordings_get",
           "Fetch the recording configuration", SB_RUN(templates_recordings_get)),
    SB_POST("/templates/{template_id}/recordings", "templates.recordings_update",
            "Replace the recording configuration",
            .body = GR_BODY(GR_ARRAY, .range = GR_RANGE(1, 1), .flags = GR_FIELD_REQUIRED,
                            .items = GR_ITEM(GR_OBJECT, .fields = hms_template_recording)),
            SB_RUN(templates_recordings_put)),
    GR_END,
};
