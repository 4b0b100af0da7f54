/* Starts and ends the process of a group. */
#pragma once

#include "plugin/plugin.h"

#include <sys/types.h>

/* The word of the command line that makes the program the process of a group; see
 * server/isolated.h. */
#define GRC_ISOLATED_COMMAND "isolated"

struct grc_process {
    pid_t pid;  /* 0: none */
    int watch;  /* a pidfd, readable when it has ended; -1: the system has none */
    int socket; /* connected to it, and does not block; -1: none */
};

/* Writes the plugin's part of the config into sealed memory, which each of its processes is given.
 * Returns a descriptor that belongs to the caller, or -1 with errno. */
int grc_process_config(const struct grc_plugin *plugin);
/*
 * Starts a process. It runs the gateway's own program, gets the config and the plugin's sealed
 * bytes as descriptors, and neither an argument nor a variable with a secret in it. It is killed
 * when the calling thread ends. false with errno.
 */
bool grc_process_start(const struct grc_plugin *plugin, int config,
                       struct grc_process *ret_process);
/* Kills it, waits for its end, and returns its status, as waitpid() gives it. */
int grc_process_end(struct grc_process *process);
