/* What the state begins with. */
#pragma once

#include "sandbox.h"

/* Drops everything and makes the default workspace. false without memory. */
bool sb_reset(struct sandbox *sb);
/* Reads the state file, else the seed file, else makes the default workspace; called once. */
enum gr_err sb_load(struct gr_self *self, struct sandbox *sb);
/* Merges a seed document: {"templates": […], "rooms": […], …}. false: *ret_problem says why. */
bool sb_seed(struct sandbox *sb, const json_t *seed, const char **ret_problem);
