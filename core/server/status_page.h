/* The group of the status page: /status and what it reads, at the admin listener alone. */
#pragma once

#include <greenroom/plugin.h>

extern const struct gr_plugin grc_status_group;
