/* Words on the command line. */
#pragma once

#include <greenroom/plugin.h>

extern const struct gr_command mini_commands[];
