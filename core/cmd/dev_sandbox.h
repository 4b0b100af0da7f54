/* The flags of greenroom dev that are for the sandbox. */
#pragma once

/* Their values; NULL: not given. */
struct grc_dev_sandbox {
    const char *seed;
    const char *speed;
};

/*
 * Checks the values, and sets the variables by which the sandbox gets them. config is the directory
 * of its config; NULL: there is no sandbox. state is the directory in which its content is kept;
 * NULL: in memory. Returns the exit status; what is wrong has been printed.
 */
int grc_dev_sandbox_set(const struct grc_dev_sandbox *flags, const char *config, const char *state);
