/* The group that describes the API: /openapi.json, and the page that shows it. */
#pragma once

#include <greenroom/plugin.h>

extern const struct gr_plugin grc_docs_group;
