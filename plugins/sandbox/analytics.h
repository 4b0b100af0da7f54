/* The journal of analytics events. */
#pragma once

#include "sandbox.h"

/* Writes an analytics event; steals data. */
void sb_analytics(struct sandbox *sb, const char *type, json_t *data);
