/* The tables of the group. Times are milliseconds since the epoch, booleans 0 or 1, JSON text. */
#pragma once

#include <greenroom/plugin.h>

extern const struct gr_migration mini_migrations[];
