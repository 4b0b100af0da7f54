/* The journal of analytics events. */
#pragma once

#include "sandbox.h"

/* Adds an analytics event. Takes over the reference to data. */
void sb_analytics(struct sandbox *sb, const char *type, json_t *data);
