/* The gateway as a process: start, signals, drain, stop. */
#pragma once

struct grc_run_options {
    const char *config_dir;
};

/*
 * Runs until SIGTERM or SIGINT, which drain; SIGHUP reloads the config. Returns the exit status: 0,
 * 1 (failed), 3 (the config or a plugin is wrong), 4 (cannot listen). Once per process.
 */
int grc_run(const struct grc_run_options *options);
