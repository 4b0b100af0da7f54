/* Templates: fields, defaults, and the search for a role. */
#pragma once

#include "sandbox.h"

json_t *sb_default_template(struct sandbox *sb);
json_t *sb_template_put(struct sandbox *sb, const json_t *body, json_t *old);
bool sb_template_has_role(struct sandbox *sb, const char *template_id, const char *role);
extern const char sb_default_role_json[];
extern const char sb_default_roles_json[];
extern const char sb_default_settings_json[];
extern const char sb_default_destinations_json[];
extern const char sb_default_recordings_json[];
json_t *sb_constant(struct sandbox *sb, const char *text);

extern const struct gr_field sb_role_fields[];
extern const struct gr_field sb_destinations_fields[];
extern const struct gr_field sb_template_create_fields[];
extern const struct gr_field sb_template_update_fields[];
