/*
 * Before SIGSEGV, SIGBUS, SIGFPE, SIGILL or SIGABRT ends the process, one line on standard error
 * reports what was running: plugin, version, build id, operation, request, and the address as file
 * and offset, which `addr2line -e FILE OFFSET` turns into a line of source. Then the default action
 * of the signal follows. Only async-signal-safe functions are used.
 */
#pragma once

#include <stdbool.h>

struct grc_module;

/* The work of a thread. The texts live as long as the subject is set. */
struct grc_fault_subject {
    const char *plugin;
    const struct grc_module *module; /* NULL: linked into the host */
    const char *operation;           /* operation id, or "timer NAME", "init", … */
    const char *request_id;          /* "" outside of requests */
};

/* Sets the work of the calling thread, or none with NULL. Returns the former one. A fiber takes its
 * subject along to other threads: see grc_fiber_on_switch(). */
const struct grc_fault_subject *grc_fault_subject_set(const struct grc_fault_subject *subject);

/* Installs the handlers, once, on the main thread. process: what ends, "the gateway"; static. Does
 * nothing in sanitizer builds, which report by themselves. Threads call grc_altstack_use() so that
 * a full stack is reported, too. false with errno. */
bool grc_fault_install(const char *process);
