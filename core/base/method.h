/* Names of enum gr_method. Thread-safe. */
#pragma once

#include <greenroom/plugin.h>

/* "GET" …; "?" for what is none. */
const char *grc_method_name(enum gr_method method);
