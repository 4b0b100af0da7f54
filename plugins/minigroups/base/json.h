/* JSON that is stored as text. */
#pragma once

#include <greenroom/plugin.h>

#include <jansson.h>

/* The text of a member; NULL when it is absent or no string. */
static inline const char *mini_json_member(const json_t *object, const char *name)
{
    return json_string_value(json_object_get(object, name));
}
/* Parses text. Returns a new reference, or NULL when text is NULL or not JSON. */
json_t *mini_json_load(const char *text);
/* Returns the text of the object in text with one member set (call memory); NULL without memory. */
const char *mini_json_set(struct gr_call *call, const char *text, gr_str name, const json_t *value);
