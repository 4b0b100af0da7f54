/* The table of the bridge. Times are milliseconds since the epoch. */
#pragma once

#include <greenroom/plugin.h>

extern const struct gr_migration mq_migrations[];
