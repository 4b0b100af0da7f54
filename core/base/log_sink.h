/* Where the log's lines go: at once, or by way of a queue and a thread. For base/log.c alone, whose
 * functions of the same names say what each does. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Logs that so many lines were lost. Called on the queue's thread. */
typedef void grc_log_tell_fn(uint64_t lines);

/* One whole line with its line feed. urgent: is written without waiting for more lines.
 * Thread-safe. */
void grc_log_sink_put(const char *line, size_t len, bool urgent);
void grc_log_sink_fd_set(int fd);
bool grc_log_sink_start(size_t max_bytes, grc_log_tell_fn *tell);
void grc_log_sink_stop(void);
uint64_t grc_log_sink_lost(void);
