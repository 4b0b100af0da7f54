/*
 * The log: one JSON object per line on standard error (or a file descriptor for tests). Lines of
 * several threads never mix. Thread-safe.
 *
 * The value of a key that names a secret (authorization, token, secret, password, key …) is masked
 * here, for the host and for all plugins.
 */
#pragma once

#include <greenroom/plugin.h>

enum grc_log_kind { GRC_LOG_END = 0, GRC_LOG_STR, GRC_LOG_INT, GRC_LOG_REAL, GRC_LOG_BOOL };

/* One key of a line. */
struct grc_log_field {
    gr_str key; /* a literal, which is written as it is */
    enum grc_log_kind kind;
    gr_str s;
    int64_t i;
    double d;
};
#define GRC_LS(key_, str_)                                                                         \
    ((struct grc_log_field){.key = gr_str_of(key_), .kind = GRC_LOG_STR, .s = (str_)})
#define GRC_LT(key_, text_) GRC_LS(key_, gr_str_of(text_))
#define GRC_LI(key_, int_)                                                                         \
    ((struct grc_log_field){.key = gr_str_of(key_), .kind = GRC_LOG_INT, .i = (int64_t)(int_)})
#define GRC_LD(key_, real_)                                                                        \
    ((struct grc_log_field){.key = gr_str_of(key_), .kind = GRC_LOG_REAL, .d = (real_)})
#define GRC_LOG_FIELDS(...) ((const struct grc_log_field[]){__VA_ARGS__, {.kind = GRC_LOG_END}})

/* Lines less urgent than this level are dropped. Set before threads start, or at a reload. */
void grc_log_level_set(enum gr_log_level level);
enum gr_log_level grc_log_level(void);
void grc_log_fd_set(int fd);
/*
 * Until grc_log_queue_stop(), a thread of its own writes the lines, a few milliseconds after they
 * were logged, so that no other thread waits for the write. The queue holds max_bytes; lines that
 * find no room are lost and counted, and a line of the log says how many. With max_bytes 0 nothing
 * changes: each line is written at once. Returns false without memory or without a thread.
 */
bool grc_log_queue_start(size_t max_bytes);
/* Writes the lines that wait, before the process ends. Gives up after three seconds when the reader
 * of the log hangs. Without effect when there is no queue. */
void grc_log_queue_stop(void);
/* The number of lines lost since the process began, because the queue had no room or write(2)
 * failed, as on a full disk. */
uint64_t grc_log_lost(void);
/* Makes the lines plain text, for a person at a terminal, instead of JSON. */
void grc_log_plain_set(bool plain);
/* Colours the levels of plain lines, for a terminal that shows escape sequences. */
void grc_log_color_set(bool color);

/* {"time":…,"level":…,"message":…,fields}. fields may be NULL. */
void grc_log_fields(enum gr_log_level level, const char *message,
                    const struct grc_log_field *fields);
void grc_log(enum gr_log_level level, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
#define grc_error(...) grc_log(GR_LOG_ERROR, __VA_ARGS__)
#define grc_warn(...) grc_log(GR_LOG_WARN, __VA_ARGS__)
#define grc_info(...) grc_log(GR_LOG_INFO, __VA_ARGS__)
#define grc_debug(...) grc_log(GR_LOG_DEBUG, __VA_ARGS__)
