/* JSON that is kept as text. */
#pragma once

#include <greenroom/plugin.h>

#include <jansson.h>

/* A new reference to what text says; NULL for NULL or text that is not JSON. */
json_t *mini_json_load(const char *text);
/* Text of the object in text with one member set; NULL without memory. */
const char *mini_json_set(struct gr_call *call, const char *text, gr_str name, const json_t *value);
