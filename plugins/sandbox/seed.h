/* The initial state. */
#pragma once

#include "sandbox.h"

/* Deletes everything and makes the default workspace. False without memory. */
bool sb_reset(struct sandbox *sb);
/* Loads the state file; without one, makes the default workspace and adds the seed file. */
enum gr_err sb_load(struct gr_self *self, struct sandbox *sb);
#define SB_SEED_PROBLEM_MAX 128u
/* Adds a seed document: {"templates": […], "rooms": […], …}. On failure ret_problem has the reason
 * and the place, such as "rooms[2]: the template or a role is unknown". */
bool sb_seed(struct sandbox *sb, const json_t *seed, char ret_problem[SB_SEED_PROBLEM_MAX]);
