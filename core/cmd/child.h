/* A gateway of a command's own: this program once more, with another config, until the command has
 * no more use for it. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct grc_child {
    pid_t pid;  /* 0: not running */
    int status; /* how it ended, as waitpid() tells it */
};

/* Starts a gateway that ends with this process. log is a descriptor for its standard error, or -1
 * for that of this process. Returns false after printing the reason. */
bool grc_child_start(struct grc_child *child, const char *config, const char *state, int log);
/* Waits until it serves, and writes the address of its first listener. Returns false when it ended,
 * or took too long. One that ended has said why. */
bool grc_child_wait_ready(struct grc_child *child, const char *config, char *ret_url, size_t size);
bool grc_child_ended(struct grc_child *child);
/* The exit status of a command whose gateway has ended too early: that of the gateway where it says
 * what is wrong, else GRC_EXIT_FAILED. */
int grc_child_exit_status(const struct grc_child *child);
/* As grc_child_ended(), but waits up to timeout_ms for its end. */
bool grc_child_ends(struct grc_child *child, int timeout_ms);
/* Ends it, and waits for that. Does nothing if it does not run. */
void grc_child_stop(struct grc_child *child);

/* Removes a directory and what is in it; says what cannot be removed. */
void grc_tree_remove(const char *path);
