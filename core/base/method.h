/* Names of enum gr_method. Thread-safe. */
#pragma once

#include <greenroom/plugin.h>

/* Returns "GET" and so on; "?" when the value is no method. */
const char *grc_method_name(enum gr_method method);
