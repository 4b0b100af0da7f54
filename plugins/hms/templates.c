/*
 * templates: roles, settings and destinations for rooms.
 *
 * Writing a template replaces it. Bodies are forwarded byte for byte, so a template that was read,
 * changed in one place and written back keeps its members without a row. It is not refused for a
 * value that 100ms itself put there: rows below the members of a template are hints.
 */
#include "templates.h"

/* Path ------------------------------------------------------------------------------------- */

#define TEMPLATE HMS_PARAM_ID("templateId", "ID of the template")

static const struct gr_field template_params[] = {TEMPLATE, GR_END};

static const struct gr_field role_params[] = {
    TEMPLATE,
    HMS_PARAM_ROLE("roleName", .binds = NULL),
    GR_END,
};

/* Plugins ---------------------------------------------------------------------------------- */

static const char *const caption_modes[] = {"caption", NULL};

static const struct gr_field whiteboard_permissions[] = {
    GR_FIELD("admin", GR_ARRAY, "Roles that control the whiteboard", .items = GR_ITEM(GR_STRING)),
    GR_FIELD("writer", GR_ARRAY, "Roles that draw", .items = GR_ITEM(GR_STRING)),
    GR_FIELD("reader", GR_ARRAY, "Roles that see the whiteboard", .items = GR_ITEM(GR_STRING)),
    GR_END,
};

static const struct gr_field whiteboard[] = {
    GR_FIELD("permissions", GR_OBJECT, "Permissions by role", .fields = whiteboard_permissions),
    GR_END,
};

static const struct gr_field caption_permissions[] = {
    GR_FIELD("admin", GR_ARRAY, "Roles that control the captions", .items = GR_ITEM(GR_STRING)),
    GR_END,
};

static const struct gr_field captions[] = {
    GR_FIELD("permissions", GR_OBJECT, "Permissions by role", .fields = caption_permissions),
    GR_FIELD("mode", GR_STRING, "What is transcribed", .values = caption_modes),
    GR_END,
};

static const struct gr_field plugins[] = {
    GR_FIELD("whiteboard", GR_OBJECT, "The whiteboard", .fields = whiteboard),
    GR_FIELD("transcriptions", GR_ARRAY,
             "Live captions; 100ms documents one object, but its own clients send a list",
             .items = GR_ITEM(GR_OBJECT, .fields = captions)),
    GR_END,
};

/* Templates -------------------------------------------------------------------------------- */

#define ROLES(flags_)                                                                              \
    GR_FIELD("roles", GR_MAP, "The roles by name; {} takes the defaults",                          \
             .flags = GR_FIELD_HINTS | (flags_), BY_NAME(template_role))

#define SETTINGS(flags_)                                                                           \
    GR_FIELD("settings", GR_OBJECT, "Region, recording and room state",                            \
             .flags = GR_FIELD_HINTS | (flags_), .fields = hms_template_settings)

#define TEMPLATE_MEMBERS                                                                           \
    GR_FIELD("destinations", GR_OBJECT, "Streams, recordings and transcriptions",                  \
             .flags = GR_FIELD_HINTS, .fields = template_destinations),                            \
        GR_FIELD("plugins", GR_OBJECT, "Whiteboard and captions", .flags = GR_FIELD_HINTS,         \
                 .fields = plugins)

static const struct gr_field new_template[] = {
    GR_FIELD("name", GR_STRING, "Unique name; 100ms makes one up when absent",
             .flags = GR_FIELD_HINTS, .pattern = HMS_TEMPLATE_NAME),
    ROLES(0),
    SETTINGS(0),
    TEMPLATE_MEMBERS,
    GR_END,
};

static const struct gr_field changed_template[] = {
    GR_FIELD("name", GR_STRING, "New name; the old one is kept when absent"),
    ROLES(GR_FIELD_REQUIRED),
    SETTINGS(GR_FIELD_REQUIRED),
    TEMPLATE_MEMBERS,
    GR_END,
};

static const struct gr_field template[] = {
    GR_FIELD("id", GR_STRING, "ID of the template"),
    GR_FIELD("name", GR_STRING, "Name of the template"),
    GR_FIELD("customerId", GR_STRING, "ID of the workspace's owner"),
    GR_FIELD("appId", GR_STRING, "ID of the workspace"),
    GR_FIELD("default", GR_BOOL, "Whether rooms use this template by default"),
    ROLES(0),
    SETTINGS(0),
    TEMPLATE_MEMBERS,
    GR_FIELD("createdAt", GR_TIME, "When the template was created"),
    GR_FIELD("updatedAt", GR_TIME, "When the template was changed last"),
    GR_END,
};

/* The recordings of a template are a list with exactly one configuration. */
#define RECORDING_CONFIGS                                                                          \
    GR_ITEM(GR_OBJECT, .flags = GR_FIELD_REQUIRED, .fields = hms_template_recording)

/* Routes ----------------------------------------------------------------------------------- */

static const struct gr_route routes[] = {
    HMS_GET("/templates", "templates.list", "List the templates", .scope = "templates:read",
            .query = hms_page_query,
            .answers =
                HMS_ANSWER(200, "One page of templates", .schema = HMS_PAGE("data", template)),
            .source = HMS_API("policy/list-templates")),
    HMS_GET("/templates/{templateId}", "templates.get", "Fetch one template",
            .scope = "templates:read", .params = template_params,
            .answers = HMS_ANSWER(200, "The template", .schema = HMS_OBJECT(template)),
            .source = HMS_API("policy/retrieve-a-template")),
    HMS_POST("/templates", "templates.create",
             "Create a template, or replace the one with this name", .scope = "templates:write",
             .flags = GR_ROUTE_IDEMPOTENCY_KEY, .body = GR_BODY(GR_OBJECT, .fields = new_template),
             .answers = HMS_ANSWER(200, "The template", .schema = HMS_OBJECT(template)),
             .doc = "Without a name every call creates another template.",
             .source = HMS_API("policy/create-template-via-api")),
    HMS_POST("/templates/{templateId}", "templates.update", "Replace a template",
             .scope = "templates:write", .params = template_params,
             .body = GR_BODY(GR_OBJECT, .fields = changed_template, .flags = GR_FIELD_REQUIRED),
             .answers = HMS_ANSWER(200, "The template", .schema = HMS_OBJECT(template)),
             .doc =
                 "Read the template, change it and write it back whole. 100ms does not detect that "
                 "another caller changed it in between.",
             .source = HMS_API("policy/update-a-template")),
    HMS_GET("/templates/{templateId}/roles/{roleName}", "templates.role_get", "Fetch one role",
            .scope = "templates:read", .params = role_params,
            .answers = HMS_ANSWER(200, "The role", .schema = HMS_OBJECT(template_role)),
            .source = HMS_API("policy/retrieve-a-role")),
    HMS_POST("/templates/{templateId}/roles/{roleName}", "templates.role_put",
             "Create or change a role", .scope = "templates:write", .params = role_params,
             .body = GR_BODY(GR_OBJECT, .fields = template_role,
                             .flags = GR_FIELD_REQUIRED | GR_FIELD_HINTS),
             .answers = HMS_ANSWER(200, "The role", .schema = HMS_OBJECT(template_role)),
             .source = HMS_API("policy/create-update-role")),
    HMS_DELETE("/templates/{templateId}/roles/{roleName}", "templates.role_delete", "Delete a role",
               .scope = "templates:write", .params = role_params,
               .answers = HMS_ANSWER(204, "The role was deleted", .schema = NULL),
               .source = HMS_API("policy/delete-a-role")),
    HMS_GET("/templates/{templateId}/settings", "templates.settings_get",
            "Fetch the settings of a template", .scope = "templates:read",
            .params = template_params,
            .answers = HMS_ANSWER(200, "The settings", .schema = HMS_OBJECT(hms_template_settings)),
            .source = HMS_API("policy/retrieve-settings")),
    HMS_POST(
        "/templates/{templateId}/settings", "templates.settings_update",
        "Change the settings of a template", .scope = "templates:write", .params = template_params,
        .body = GR_BODY(GR_OBJECT, .fields = hms_template_settings,
                        .flags = GR_FIELD_REQUIRED | GR_FIELD_HINTS),
        .answers = HMS_ANSWER(200, "The settings", .schema = HMS_OBJECT(hms_template_settings)),
        .doc = "100ms does not document whether absent members keep their value: send them all.",
        .source = HMS_API("policy/update-settings")),
    HMS_GET("/templates/{templateId}/destinations", "templates.destinations_get",
            "Fetch the destinations of a template", .scope = "templates:read",
            .params = template_params,
            .answers =
                HMS_ANSWER(200, "The destinations", .schema = HMS_OBJECT(template_destinations)),
            .source = HMS_API("policy/retrieve-destinations")),
    HMS_POST(
        "/templates/{templateId}/destinations", "templates.destinations_update",
        "Change the destinations of a template", .scope = "templates:write",
        .params = template_params,
        .body = GR_BODY(GR_OBJECT, .fields = template_destinations,
                        .flags = GR_FIELD_REQUIRED | GR_FIELD_HINTS),
        .answers = HMS_ANSWER(200, "The destinations", .schema = HMS_OBJECT(template_destinations)),
        .doc = "100ms does not document whether absent members keep their value: send them all.",
        .source = HMS_API("policy/update-destinations")),
    HMS_GET("/templates/{templateId}/recordings", "templates.recordings_get",
            "Fetch the recording configuration of a template", .scope = "templates:read",
            .params = template_params,
            .answers =
                HMS_ANSWER(200, "A list with one configuration; flags that are false are left out",
                           .schema = GR_BODY(GR_ARRAY, .items = RECORDING_CONFIGS)),
            .source = HMS_API("policy/configure-recordings")),
    HMS_POST("/templates/{templateId}/recordings", "templates.recordings_update",
             "Set the recording configuration of a template", .scope = "templates:write",
             .params = template_params,
             .body = GR_BODY(GR_ARRAY, .flags = GR_FIELD_REQUIRED | GR_FIELD_HINTS,
                             .range = GR_RANGE(1, 1), .items = RECORDING_CONFIGS),
             .answers = HMS_ANSWER(200, "A list with one configuration",
                                   .schema = GR_BODY(GR_ARRAY, .items = RECORDING_CONFIGS)),
             .source = HMS_API("policy/configure-recordings")),
    GR_END,
};

static const char *const owns[] = {"/templates", NULL};

GR_PLUGIN("templates", .version = HMS_VERSION,
          .summary = "Templates of 100ms: roles, settings and destinations", .licence = HMS_LICENCE,
          .routes = routes, .owns = owns)
