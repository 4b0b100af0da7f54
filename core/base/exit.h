#pragma once

/* Exit statuses; `greenroom --help` lists them. */
enum grc_exit {
    GRC_EXIT_OK = 0,
    GRC_EXIT_FAILED = 1,
    GRC_EXIT_USAGE = 2,
    GRC_EXIT_CONFIG = 3,
    GRC_EXIT_LISTEN = 4,
};
