/* The process of an isolated group, from its start to its end. */
#pragma once

/*
 * What `greenroom isolated NAME` does, which only the gateway calls: config, plugin and socket are
 * descriptors, see config/handover.h. Returns the exit status.
 */
int grc_run_isolated(void);
