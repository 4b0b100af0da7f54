/* The initial state. */
#pragma once

#include "sandbox.h"

/* Deletes everything and makes the default workspace. False without memory. */
bool sb_reset(struct sandbox *sb);
/* Loads the state file; without one, makes the default workspace and adds the seed file. */
enum gr_err sb_load(struct gr_self *self, struct sandbox *sb);
/* Adds a seed document: {"templates": […], "rooms": […], …}. On failure *ret_problem is the reason.
 */
bool sb_seed(struct sandbox *sb, const json_t *seed, const char **ret_problem);
