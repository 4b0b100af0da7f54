/* The commands of the group. */
#pragma once

#include <greenroom/plugin.h>

extern const struct gr_command mini_commands[];
