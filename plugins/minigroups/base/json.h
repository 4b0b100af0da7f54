/* JSON that is stored as text. */
#pragma once

#include <greenroom/plugin.h>

#include <jansson.h>

/* Parses text. Returns a new reference, or NULL when text is NULL or not JSON. */
json_t *mini_json_load(const char *text);
/* Returns the text of the object in text with one member set (call memory); NULL without memory. */
const char *mini_json_set(struct gr_call *call, const char *text, gr_str name, const json_t *value);
