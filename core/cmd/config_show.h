/* greenroom config show. */
#pragma once

#include "cmd/cmd.h"

struct grc_config_show_args {
    bool defaults;
    bool origin;
    bool json;
};

grc_command_fn grc_config_show;
