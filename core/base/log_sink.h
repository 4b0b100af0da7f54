/* Writes the lines of the log, at once or through a queue and a thread. For base/log.c alone; log.h
 * describes its functions of the same names. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Logs that this number of lines was lost. Called on the queue's thread. */
typedef void grc_log_tell_fn(uint64_t lines);

/* Writes or queues one whole line with its line feed. An urgent line does not wait for more lines.
 * Thread-safe. */
void grc_log_sink_put(const char *line, size_t len, bool urgent);
void grc_log_sink_fd_set(int fd);
bool grc_log_sink_start(size_t max_bytes, grc_log_tell_fn *tell);
void grc_log_sink_stop(void);
uint64_t grc_log_sink_lost(void);
