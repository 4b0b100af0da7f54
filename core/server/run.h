/* The server's life: from reading the config to the last drained request. */
#pragma once

struct grc_run_options {
    const char *config_dir;
};

/* Serves until SIGTERM or SIGINT. Returns an enum grc_exit. */
int grc_run(const struct grc_run_options *options);
