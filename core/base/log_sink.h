/* Where the log's lines go: at once, or by way of a queue and a thread. For base/log.c alone. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* One whole line with its line feed. urgent: is not kept waiting for company. Thread-safe. */
void grc_log_sink_put(const char *line, size_t len, bool urgent);
