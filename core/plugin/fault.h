/*
 * When the process is about to end by SIGSEGV, SIGBUS, SIGFPE, SIGILL or SIGABRT, one line on
 * standard error says whose work that was: plugin, version, build id, operation, request, and the
 * address as file and offset, which `addr2line -e FILE OFFSET` turns into a line of source. The
 * signal then does what it always did. Only async-signal-safe functions are used.
 */
#pragma once

#include <stdbool.h>

struct grc_module;

/* What a thread works on. The texts live as long as the subject is set. */
struct grc_fault_subject {
    const char *plugin;
    const struct grc_module *module; /* NULL: linked into the host */
    const char *operation;           /* operation id, or "timer NAME", "init", … */
    const char *request_id;          /* "" outside of requests */
};

/* Sets what the calling thread works on from here; NULL: nothing. Returns what was set before.
 * Work on a fiber takes its subject along: see grc_fiber_on_switch(). */
const struct grc_fault_subject *grc_fault_subject_set(const struct grc_fault_subject *subject);

/* Installs the handlers, once, on the main thread. process: what ends, "the gateway"; static. Does
 * nothing in sanitizer builds, which report by themselves. Threads call grc_altstack_use() so that
 * a full stack is reported, too. false with errno. */
bool grc_fault_install(const char *process);
