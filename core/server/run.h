/* The process of the gateway: start, signals, stop. */
#pragma once

/*
 * Runs until SIGTERM or SIGINT; SIGHUP reloads the config. Returns the exit status: 0, 1 (failed),
 * 3 (the config or a plugin is wrong) or 4 (cannot listen). Call it once per process.
 */
int grc_run(const char *config_dir);
