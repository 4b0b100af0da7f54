/* A gateway that a command starts for itself: this program in a child process, with another config.
 */
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
/* Waits until the gateway serves, and writes the URL of its first listener. Returns false if the
 * gateway ended, after logging why, or took too long. */
bool grc_child_wait_ready(struct grc_child *child, const char *config, char *ret_url, size_t size);
bool grc_child_ended(struct grc_child *child);
/* The exit status of a command whose gateway has ended too early: that of the gateway if it tells
 * what is wrong, else GRC_EXIT_FAILED. */
int grc_child_exit_status(const struct grc_child *child);
/* As grc_child_ended(), but waits up to timeout_ms for the end. */
bool grc_child_ends(struct grc_child *child, int timeout_ms);
/* Ends the gateway and waits for its end. Does nothing if it does not run. */
void grc_child_stop(struct grc_child *child);

/* Removes a directory and its content; complains about what cannot be removed. */
void grc_tree_remove(const char *path);
